"""OpenAI's Responses API as providers speak it: OpenAI for models that have no other, and others.

`request` puts a call into its words, from the hub (`items`, `tools`) or, where the client speaks
the same, from what it sent (`native`). `answers` reads whole answers, `stream` streams, event by
event as `event` declares them; `thoughts` and `tool_calls` keep count of what a stream has begun.
`dialect` joins them. What a refusal means is said by `dragoman.providers.openai.faults`.
"""
