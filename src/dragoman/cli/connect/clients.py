"""The table of clients, in the order in which they are listed."""

from typing import Final

from dragoman.cli.connect import recipes, snippets
from dragoman.cli.connect.types import Client

CLAUDE: Final = ("anthropic/claude-sonnet", "anthropic/claude-")
GPT: Final = ("openai/gpt-",)

CLIENTS: Final = (
    Client(
        name="claude-code",
        title="Claude Code",
        dialect="messages",
        recipe=recipes.claude_code,
        programs=("claude",),
        traces=("~/.claude",),
        families=CLAUDE,
    ),
    Client(
        name="codex",
        title="Codex CLI",
        dialect="responses",
        recipe=recipes.codex,
        programs=("codex",),
        traces=("~/.codex",),
        families=GPT,
    ),
    Client(
        name="opencode",
        title="OpenCode",
        dialect="chat",
        recipe=recipes.opencode,
        programs=("opencode",),
        traces=("~/.config/opencode",),
    ),
    Client(
        name="cursor",
        title="Cursor",
        dialect="cursor",
        recipe=recipes.cursor,
        programs=("cursor",),
        traces=("~/.cursor",),
    ),
    Client(
        name="aider",
        title="Aider",
        dialect="chat",
        recipe=recipes.aider,
        programs=("aider",),
        traces=("~/.aider.conf.yml",),
    ),
    Client(
        name="continue",
        title="Continue",
        dialect="chat",
        recipe=recipes.continue_dev,
        programs=("cn",),
        traces=("~/.continue",),
    ),
    Client(
        name="cline",
        title="Cline",
        dialect="chat",
        recipe=recipes.cline,
        programs=("cline",),
        traces=("~/.cline",),
    ),
    Client(
        name="zed",
        title="Zed",
        dialect="chat",
        recipe=recipes.zed,
        programs=("zed", "zeditor"),
        traces=("~/.config/zed",),
    ),
    Client(
        name="claude-desktop",
        title="Claude Desktop",
        dialect="messages",
        recipe=recipes.claude_desktop,
        traces=("~/Library/Application Support/Claude", "~/.config/Claude"),
        families=CLAUDE,
    ),
    Client(
        name="open-webui",
        title="Open WebUI",
        dialect="chat",
        recipe=recipes.open_webui,
        programs=("open-webui",),
    ),
    Client(name="librechat", title="LibreChat", dialect="chat", recipe=recipes.librechat),
    Client(
        name="openai-python",
        title="OpenAI's library for Python",
        dialect="chat",
        recipe=snippets.openai_python,
    ),
    Client(
        name="openai-node",
        title="OpenAI's library for Node",
        dialect="chat",
        recipe=snippets.openai_node,
    ),
    Client(
        name="anthropic-python",
        title="Anthropic's library for Python",
        dialect="messages",
        recipe=snippets.anthropic_python,
        families=CLAUDE,
    ),
    Client(
        name="anthropic-node",
        title="Anthropic's library for Node",
        dialect="messages",
        recipe=snippets.anthropic_node,
        families=CLAUDE,
    ),
    Client(
        name="openrouter-python",
        title="OpenRouter's library for Python",
        dialect="chat",
        recipe=snippets.openrouter_python,
    ),
    Client(name="langchain", title="LangChain", dialect="chat", recipe=snippets.langchain),
    Client(name="vercel-ai", title="Vercel's AI SDK", dialect="chat", recipe=snippets.vercel_ai),
    Client(name="pydantic-ai", title="Pydantic AI", dialect="chat", recipe=snippets.pydantic_ai),
    Client(name="litellm", title="LiteLLM", dialect="chat", recipe=snippets.litellm),
    Client(name="llm", title="llm", dialect="chat", recipe=snippets.llm, programs=("llm",)),
    Client(name="curl", title="curl", dialect="chat", recipe=snippets.curl, programs=("curl",)),
)


def named(name: str) -> Client | None:
    """Return the client of this name, None where there is none."""
    return next((client for client in CLIENTS if client.name == name), None)
