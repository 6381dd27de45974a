"""Anthropic's Messages API as clients speak it, with OpenRouter's fields.

`dialect` fulfils the contract. Requests: `fields` and `blocks` declare shapes, `request` reads
all of it, `conversation` the messages, `parts` their content, `tools`, `wishes` and
`strictness` the rest, `gleanings` collects what has no place in the hub's form. Answers:
`message` writes whole ones, `stream` events, with `open_block`, `calls` and `passing` for what
is open, what waits and what is the provider's own; `usage` and `errors` are shared. `seal`
carries reasoning that was signed elsewhere through clients that know Anthropic's blocks only,
`foreign` takes out what Anthropic would refuse of it.
"""
