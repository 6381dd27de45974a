"""What programmers paste: the shortest program of each library that works as it stands."""

from dragoman.cli.connect.recipes import anthropic_env, openai_env
from dragoman.cli.connect.types import Config, Facts

OPENAI_PYTHON = """\
from openai import OpenAI

client = OpenAI(base_url="{base}", api_key="{key}")
answer = client.chat.completions.create(
    model="{model}",
    messages=[{{"role": "user", "content": "Hello!"}}],
)
print(answer.choices[0].message.content)
"""

OPENAI_NODE = """\
import OpenAI from "openai";

const client = new OpenAI({{ baseURL: "{base}", apiKey: "{key}" }});
const answer = await client.chat.completions.create({{
  model: "{model}",
  messages: [{{ role: "user", content: "Hello!" }}],
}});
console.log(answer.choices[0].message.content);
"""

ANTHROPIC_PYTHON = """\
from anthropic import Anthropic

client = Anthropic(base_url="{origin}/api", auth_token="{key}")
message = client.messages.create(
    model="{model}",
    max_tokens=1024,
    messages=[{{"role": "user", "content": "Hello!"}}],
)
print("".join(block.text for block in message.content if block.type == "text"))
"""

ANTHROPIC_NODE = """\
import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({{ baseURL: "{origin}/api", authToken: "{key}" }});
const message = await client.messages.create({{
  model: "{model}",
  max_tokens: 1024,
  messages: [{{ role: "user", content: "Hello!" }}],
}});
console.log(message.content.map((block) => block.text ?? "").join(""));
"""

OPENROUTER_PYTHON = """\
from openrouter import OpenRouter

with OpenRouter(server_url="{base}", api_key="{key}") as client:
    answer = client.chat.send(
        model="{model}",
        messages=[{{"role": "user", "content": "Hello!"}}],
    )
print(answer.choices[0].message.content)
"""

LANGCHAIN = """\
from langchain_openai import ChatOpenAI

model = ChatOpenAI(base_url="{base}", api_key="{key}", model="{model}")
print(model.invoke("Hello!").content)
"""

VERCEL_AI = """\
import {{ createOpenRouter }} from "@openrouter/ai-sdk-provider";
import {{ generateText }} from "ai";

const dragoman = createOpenRouter({{ baseURL: "{base}", apiKey: "{key}" }});
const {{ text }} = await generateText({{ model: dragoman("{model}"), prompt: "Hello!" }});
console.log(text);
"""

PYDANTIC_AI = """\
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

provider = OpenAIProvider(base_url="{base}", api_key="{key}")
agent = Agent(OpenAIChatModel("{model}", provider=provider))
print(agent.run_sync("Hello!").output)
"""

LITELLM = """\
from litellm import completion

answer = completion(
    model="openrouter/{model}",
    api_base="{base}",
    api_key="{key}",
    messages=[{{"role": "user", "content": "Hello!"}}],
)
print(answer.choices[0].message.content)
"""

LLM = """\
llm keys set dragoman --value {key}
cat >> "$(dirname "$(llm logs path)")/extra-openai-models.yaml" <<'EOF'
- model_id: dragoman
  model_name: {model}
  api_base: "{base}"
  api_key_name: dragoman
  supports_schema: true
  supports_tools: {tools}
  vision: {vision}
EOF
llm -m dragoman "Hello!"
"""

CURL = """\
curl {base}/chat/completions \\
  -H 'Authorization: Bearer {key}' \\
  -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello!"}}]}}'
"""


def openai_python(facts: Facts) -> Config:
    """OpenAI's Python library, by its variables or by its arguments."""
    return Config(env=openai_env(facts), code=_filled(OPENAI_PYTHON, facts))


def openai_node(facts: Facts) -> Config:
    """OpenAI's library for Node."""
    return Config(env=openai_env(facts), code=_filled(OPENAI_NODE, facts))


def anthropic_python(facts: Facts) -> Config:
    """Anthropic's Python library."""
    return Config(env=anthropic_env(facts), code=_filled(ANTHROPIC_PYTHON, facts))


def anthropic_node(facts: Facts) -> Config:
    """Anthropic's library for Node."""
    return Config(env=anthropic_env(facts), code=_filled(ANTHROPIC_NODE, facts))


def openrouter_python(facts: Facts) -> Config:
    """OpenRouter's Python library."""
    return Config(code=_filled(OPENROUTER_PYTHON, facts))


def langchain(facts: Facts) -> Config:
    """LangChain, by its class for OpenAI."""
    return Config(code=_filled(LANGCHAIN, facts))


def vercel_ai(facts: Facts) -> Config:
    """Vercel's AI SDK, by OpenRouter's provider."""
    return Config(code=_filled(VERCEL_AI, facts))


def pydantic_ai(facts: Facts) -> Config:
    """Pydantic AI, by its provider for OpenAI."""
    return Config(code=_filled(PYDANTIC_AI, facts))


def litellm(facts: Facts) -> Config:
    """LiteLLM as a client."""
    return Config(code=_filled(LITELLM, facts))


def llm(facts: Facts) -> Config:
    """The command `llm`: a model in its file of hosts of OpenAI's API, the key in its store."""
    main = facts.models.main
    code = LLM.format(
        base=facts.base,
        key=facts.key,
        model=main.id,
        tools=str(main.tools).lower(),
        vision=str("image" in main.inputs).lower(),
    )
    return Config(code=code)


def curl(facts: Facts) -> Config:
    """A command to paste."""
    return Config(code=_filled(CURL, facts))


def _filled(template: str, facts: Facts) -> str:
    return template.format(
        base=facts.base, origin=facts.origin, key=facts.key, model=facts.models.main.id
    )
