"""The OpenAI Responses API as clients speak it, stateless as OpenRouter's.

`fields` declares what a request may hold, `request` turns one into a call in the hub's form,
`items` the conversation in it, `toolbox` its tools and `calls` what is made with them:
functions, freeform tools, shells. `thoughts` carries reasoning in and out. Answers: `resource`
is the response object, `writer` tells a stream from the hub's chunks with `turns` for its items,
`native` passes on what a provider of the same API says, `output` makes items of a whole answer.
`dialect` is the object that joins them.

Sources: OpenRouter's schema (`/responses`), its recorded streams, and the types of OpenAI's SDK
(`openai.types.responses`).
"""
