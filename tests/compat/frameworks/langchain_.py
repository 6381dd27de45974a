# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201
"""LangChain, by its class for OpenRouter."""

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openrouter import ChatOpenRouter
from pydantic import BaseModel
from shared import BASE, IMAGE, KEY, failure, say, tell


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int


@tool
def get_weather(city: str) -> str:
    """Tell the weather."""
    return f"15 degrees in {city}"


def calls(message):
    return [[call["name"], call["args"]] for call in message.tool_calls]


def run(model):
    llm = ChatOpenRouter(model=model, api_key=KEY, base_url=BASE, max_retries=0, max_tokens=4000)
    whole = llm.invoke(say("text"))
    pieces = [piece for each in llm.stream(say("text")) if (piece := each.content)]
    armed = llm.bind_tools([get_weather])
    first = None
    for chunk in armed.stream(say("loop")):
        first = chunk if first is None else first + chunk
    told = [
        ToolMessage(get_weather.invoke(c["args"]), tool_call_id=c["id"]) for c in first.tool_calls
    ]
    second = armed.invoke([HumanMessage(say("loop")), first, *told])
    person = llm.with_structured_output(Person, method="json_schema").invoke(say("schema"))
    thinker = ChatOpenRouter(
        model=model, api_key=KEY, base_url=BASE, max_tokens=4000, reasoning={"effort": "medium"}
    )
    thought = thinker.invoke(say("thinking"))
    image = {"type": "image_url", "image_url": {"url": IMAGE}}
    seen = llm.invoke([HumanMessage([{"type": "text", "text": say("image")}, image])])
    # It raises where an error comes without choices; OpenRouter's, and ours, have one that ends so.
    last = [each for each in llm.stream(say("late")) if each.response_metadata][-1]
    usage = whole.usage_metadata
    return {
        "text": whole.content,
        "usage": [usage["input_tokens"], usage["output_tokens"]],
        "streamed": "".join(pieces),
        "pieces": len(pieces),
        "calls": calls(armed.invoke(say("tools"))),
        "streamed_calls": calls(first),
        "loop": second.content,
        "person": person.model_dump(),
        "thought": thought.additional_kwargs.get("reasoning_content"),
        "image": seen.content,
        "late": {"message": last.response_metadata["finish_reason"]},
        "refused": failure(lambda: llm.invoke(say("refused"))),
    }


tell(run)
