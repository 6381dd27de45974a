"""The names by which the catalog says what an endpoint can be asked for.

They are OpenRouter's `supported_parameters` (guides/overview/models). A name
outside this list is not an error in a request, only nothing the catalog knows of.
"""

PARAMETERS: frozenset[str] = frozenset(
    {
        "frequency_penalty",
        "include_reasoning",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "min_p",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "reasoning",
        "reasoning_effort",
        "repetition_penalty",
        "response_format",
        "seed",
        "stop",
        "structured_outputs",
        "temperature",
        "tool_choice",
        "tools",
        "top_a",
        "top_k",
        "top_logprobs",
        "top_p",
        "verbosity",
        "web_search_options",
    }
)
"""Every name that an endpoint's `supports` may hold."""
