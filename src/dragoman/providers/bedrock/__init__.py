"""The dialect of Amazon Bedrock, Converse, with which all models there are called alike.

`request` puts a call into its words: the conversation (`messages`, of blocks made by `content`),
`tools`, and what only a family of models knows (`families`). Claude's ways to think, its schemas
and its signed thoughts are those of `providers.anthropic`. Streams come in binary frames, which
`eventstream` splits; `answers` and `stream` read what is in them. `faults` says what a refusal
means, `dialect` joins them.
"""
