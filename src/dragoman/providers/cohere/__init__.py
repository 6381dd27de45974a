"""The dialect of Cohere's own chat, `/v2/chat`.

`request` puts a call into its words, `messages` the conversation in it; `answers` and `stream` read
what comes back. A refusal means what `providers.openai.faults` says. `dialect` joins them.
"""
