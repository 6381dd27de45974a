"""Whether a refusal says that a conversation is too long, where no code does.

Most hosts have no code for it (Anthropic, Google, Bedrock, Mistral, xAI, vLLM, SGLang, Together),
and it decides what is next: an endpoint that reads more, and a client that shortens. So these
sentences are known by how they begin. That is safe though a caller may have a provider echo
words: only what is the caller's own mistake already is told apart by them.
"""

import re
from typing import Final

_OPENINGS: Final = (
    r"(?:the )?prompt is too long\b",  # Anthropic, Fireworks
    r"input length and `?max_tokens`? exceed context limit\b",  # Anthropic
    r"(?:the )?input is too long\b",  # Bedrock
    r"the input token count \D{0,2}\d*\D{0,2}exceeds the maximum\b",  # Google
    r"prompt contains [\d,]+ tokens\b.{0,40}\btoo large for model\b",  # Mistral
    r"this (?:model|endpoint)'s maximum (?:context|prompt) length is \d",  # DeepSeek, vLLM, xAI
    r"the (?:decoder )?prompt \(.{0,40}\) is longer than the maximum model length\b",  # vLLM
    r"requested token count exceeds the model's maximum context length\b",  # SGLang
    r"the input \([\d,]+ tokens\) is longer than the model's context length\b",  # SGLang, Together
    r"`?inputs`? (?:tokens \+ `?max_new_tokens`? must be|must have less than \d)",  # TGI
    r"too many tokens: total number of tokens in the prompt\b",  # Cohere
    r"your request exceeded model token limit\b",  # Moonshot
    r"range of input length should be \[",  # Alibaba
    r"context window exceeds limit\b",  # MiniMax
    r"your input exceeds the context window\b",  # OpenAI
    r"please reduce the length of the messages\b",  # Groq
    r"prompt too long; exceeded (?:max )?context length\b",  # Ollama
    r"the number of tokens to keep from the initial prompt is greater than\b",  # LM Studio
)
_KIND_FIRST: Final = (
    r"(?:validationexception: |invalid (?:request|params)[:,] |input validation error: )?"
)
_SAYS_SO: Final = re.compile(f"{_KIND_FIRST}(?:{'|'.join(_OPENINGS)})", re.IGNORECASE)


def says_too_long(message: str) -> bool:
    """Say whether a provider's sentence begins as those do that refuse a conversation's length."""
    return _SAYS_SO.match(message) is not None
