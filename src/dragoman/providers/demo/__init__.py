"""Providers without an account: they talk like any OpenAI-compatible host, from memory.

Three hosts (`speeds`) serve two models. `parrot` repeats the last message, `scholar`
writes a few paragraphs; both think aloud, call tools and fill JSON schemas when
asked to, and fail on request (`faults`). `script` turns a request into a script of
bytes and pauses, and is pure; `dragoman.upstream.demo` plays it. Nothing here knows
anything: the answers show how the gateway behaves, not what a model can do.
"""
