"""Dragoman: one OpenAI-compatible endpoint for every model, on your own machines.

The rooms of the house, and which may know which, are drawn in
`docs/architecture.md`. To understand what happens to a request, read
`docs/life-of-a-request.md`, then `dragoman.relay`.
"""

__version__ = "0.1.0"
