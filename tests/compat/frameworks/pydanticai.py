# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201
"""pydantic-ai, by its model class for OpenRouter."""

import asyncio

from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent, ImageUrl, NativeOutput
from pydantic_ai.messages import ThinkingPart, ToolCallPart
from pydantic_ai.models.openrouter import OpenRouterModel, OpenRouterModelSettings
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.openrouter import OpenRouterProvider
from shared import BASE, IMAGE, KEY, failure, say, tell


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int


def get_weather(city: str) -> str:
    """Tell the weather."""
    return f"15 degrees in {city}"


async def streamed(agent, words):
    """Return the pieces of an answer, and all messages that were needed for it."""
    async with agent.run_stream(words) as result:
        pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
        return pieces, result.all_messages(), result.usage


def parts(messages, kind):
    return [part for message in messages for part in message.parts if isinstance(part, kind)]


def calls(messages):
    return [[part.tool_name, part.args_as_dict()] for part in parts(messages, ToolCallPart)]


async def find(name):
    client = AsyncOpenAI(api_key=KEY, base_url=BASE, max_retries=0)
    provider = OpenRouterProvider(openai_client=client)
    model = OpenRouterModel(name, provider=provider)
    plain = Agent(model, model_settings={"max_tokens": 4000})
    armed = Agent(model, tools=[get_weather], model_settings={"max_tokens": 4000})
    whole = await plain.run(say("text"))
    pieces, _, _ = await streamed(plain, say("text"))
    looped = await armed.run(say("loop"))
    loop, messages, _ = await streamed(armed, say("loop"))
    profile = OpenAIModelProfile(supports_json_schema_output=True)
    native = OpenRouterModel(name, provider=provider, profile=profile)
    person = await Agent(native, output_type=NativeOutput(Person)).run(say("schema"))
    settings = OpenRouterModelSettings(openrouter_reasoning={"effort": "medium"}, max_tokens=4000)
    thought = await Agent(model, model_settings=settings).run(say("thinking"))
    seen = await plain.run([say("image"), ImageUrl(url=IMAGE)])
    usage = whole.usage() if callable(whole.usage) else whole.usage
    return {
        "text": whole.output,
        "usage": [usage.input_tokens, usage.output_tokens],
        "streamed": "".join(pieces),
        "pieces": len(pieces),
        "calls": calls(looped.all_messages()),
        "streamed_calls": calls(messages),
        "loop": "".join(loop),
        "person": person.output.model_dump(),
        "thought": "".join(part.content for part in parts(thought.all_messages(), ThinkingPart)),
        "image": seen.output,
    }


def fresh(name):
    """Return an agent with a client of its own: one belongs to one event loop."""
    client = AsyncOpenAI(api_key=KEY, base_url=BASE, max_retries=0)
    return Agent(OpenRouterModel(name, provider=OpenRouterProvider(openai_client=client)))


def run(name):
    found = asyncio.run(find(name))
    return found | {
        "late": failure(lambda: asyncio.run(streamed(fresh(name), say("late")))),
        "refused": failure(lambda: asyncio.run(fresh(name).run(say("refused")))),
    }


tell(run)
