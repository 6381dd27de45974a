"""The Anthropic Messages dialect, as spoken by Anthropic and by clouds that host Claude.

`request` puts a call into the dialect's words: the conversation (`messages`, of blocks made by
`content`), `tools`, reasoning (`thinking`), structured outputs (`schema`). What a model of the
family takes is a table, `models`. A request whose client spoke the dialect itself passes through
`native` with its bytes. `headers` are the version and the betas. `answers` and `stream` read what
comes back; a refusal means what `providers.openai.faults` says. `dialect` joins them, and `vertex`
wraps a request for a host that has the model in the path.
"""
