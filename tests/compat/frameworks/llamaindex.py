# mypy: ignore-errors
# ruff: noqa: ANN001, ANN002, ANN201, ANN202
"""LlamaIndex, by its class for OpenRouter."""

from llama_index.core.base.llms.types import ChatMessage, ImageBlock, MessageRole, TextBlock
from llama_index.core.tools import FunctionTool
from llama_index.llms.openrouter import OpenRouter
from pydantic import BaseModel
from shared import BASE, IMAGE, KEY, failure, say, tell


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int


def get_weather(city: str) -> str:
    """Tell the weather."""
    return f"15 degrees in {city}"


TOOL = FunctionTool.from_defaults(get_weather)


def run(model):
    llm = OpenRouter(
        model=model,
        api_key=KEY,
        api_base=BASE,
        max_retries=0,
        max_tokens=4000,
        is_function_calling_model=True,
        should_use_structured_outputs=True,
    )

    def ask(word, *more):
        return [ChatMessage(role=MessageRole.USER, content=say(word)), *more]

    def calls(answer):
        made = llm.get_tool_calls_from_response(answer, error_on_no_tool_call=False)
        return [[call.tool_name, call.tool_kwargs] for call in made]

    both = {"allow_parallel_tool_calls": True}
    whole = llm.chat(ask("text"))
    pieces = [each.delta for each in llm.stream_chat(ask("text")) if each.delta]
    *_, first = llm.stream_chat_with_tools([TOOL], chat_history=ask("loop"), **both)
    told = [
        ChatMessage(
            role=MessageRole.TOOL,
            content=get_weather(**call.tool_kwargs),
            additional_kwargs={"tool_call_id": call.tool_id},
        )
        for call in llm.get_tool_calls_from_response(first)
    ]
    history = [*ask("loop"), first.message, *told]
    second = llm.chat_with_tools([TOOL], chat_history=history)
    person = llm.as_structured_llm(Person).chat(ask("schema")).raw
    blocks = [TextBlock(text=say("image")), ImageBlock(url=IMAGE)]
    seen = llm.chat([ChatMessage(role=MessageRole.USER, blocks=blocks)])
    usage = whole.raw.usage
    return {
        "text": whole.message.content,
        "usage": [usage.prompt_tokens, usage.completion_tokens],
        "streamed": "".join(pieces),
        "pieces": len(pieces),
        "calls": calls(llm.chat_with_tools([TOOL], chat_history=ask("tools"), **both)),
        "streamed_calls": calls(first),
        "loop": second.message.content,
        "person": person.model_dump(),
        "image": seen.message.content,
        "late": failure(lambda: list(llm.stream_chat(ask("late")))),
        "refused": failure(lambda: llm.chat(ask("refused"))),
    }


tell(run)
