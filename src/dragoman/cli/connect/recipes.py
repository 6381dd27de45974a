"""What each client is told: pure functions from facts to a configuration.

The names of files, keys and variables are those of the clients' own documentation and, for
coding agents, of OpenRouter's cookbook; docs/clients.md says which were tried with the client.
"""

from typing import Final

from msgspec import structs

from dragoman.cli.connect.types import Config, Document, Facts, Model, Setting

PROVIDER: Final = "dragoman"
KEY_VARIABLE: Final = "DRAGOMAN_API_KEY"
KEY_FILE: Final = "~/.codex/dragoman.key"
PRINT_KEY: Final = 'cat "${CODEX_HOME:-$HOME/.codex}/dragoman.key"'
UNKNOWN_CONTEXT: Final = 128_000
UNKNOWN_OUTPUT: Final = 8_192
CLASSES: Final = ("fable", "opus", "sonnet", "haiku")
OPENCODE_INPUTS: Final = (("image", "image"), ("file", "pdf"))
LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
OPENAI_STEPS: Final = "Choose the provider “OpenAI Compatible”."


def claude_code(facts: Facts) -> Config:
    """Claude Code: the section `env` of its settings. An empty API key keeps it from a login."""
    models = facts.models
    env = {
        "ANTHROPIC_BASE_URL": f"{facts.origin}/api",
        "ANTHROPIC_AUTH_TOKEN": facts.key,
        "ANTHROPIC_API_KEY": "",
        "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",
        **{
            f"ANTHROPIC_DEFAULT_{name.upper()}_MODEL": models.classes.get(name, models.main).id
            for name in CLASSES
        },
    }
    settings = [Setting(("env", name), value) for name, value in env.items()]
    settings.append(Setting(("model",), models.main.id))
    document = Document(path="~/.claude/settings.json", kind="json", settings=tuple(settings))
    return Config(
        documents=(document,),
        steps=("If Claude Code was logged in, run /logout in it once, then start it again.",),
    )


def codex(facts: Facts) -> Config:
    """Codex: a provider whose key a command prints, since only then it asks for the models."""
    provider = {
        "name": "Dragoman",
        "base_url": facts.base,
        "auth": {"command": "sh", "args": ["-c", PRINT_KEY]},
    }
    settings = (
        Setting(("model",), facts.models.main.id),
        Setting(("model_provider",), PROVIDER),
        Setting(("model_providers", PROVIDER), provider),
    )
    return Config(
        documents=(
            Document(path="~/.codex/config.toml", kind="toml", settings=settings),
            Document(path=KEY_FILE, kind="text", settings=(Setting((), facts.key + "\n"),)),
        )
    )


def opencode(facts: Facts) -> Config:
    """OpenCode: a provider of its own. Without `small_model` it asks for one we may not have."""
    models = {model.id: model for model in (facts.models.main, facts.models.small)}
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Dragoman",
        "options": {"baseURL": facts.base, "apiKey": facts.key},
        "models": {id_: _for_opencode(model) for id_, model in models.items()},
    }
    settings = (
        Setting(("$schema",), "https://opencode.ai/config.json"),
        Setting(("provider", PROVIDER), provider),
        Setting(("model",), f"{PROVIDER}/{facts.models.main.id}"),
        Setting(("small_model",), f"{PROVIDER}/{facts.models.small.id}"),
    )
    path = "~/.config/opencode/opencode.json"
    return Config(documents=(Document(path=path, kind="json", settings=settings),))


def _for_opencode(model: Model) -> dict[str, object]:
    """What OpenCode believes of a model: untold, it sends no images and shows a cost of 0."""
    told: dict[str, object] = {
        "name": model.name or model.id,
        "limit": {"context": _context(model), "output": model.output or UNKNOWN_OUTPUT},
    }
    taken = [name for kind, name in OPENCODE_INPUTS if kind in model.inputs]
    if taken:
        told["attachment"] = True
        told["modalities"] = {"input": ["text", *taken], "output": ["text"]}
    if model.prices.input is not None and model.prices.output is not None:
        told["cost"] = {
            name: usd for name, usd in structs.asdict(model.prices).items() if usd is not None
        }
    return told


def aider(facts: Facts) -> Config:
    """Aider: OpenAI's client of LiteLLM, hence the prefix of the model."""
    settings = (
        Setting(("openai-api-base",), facts.base),
        Setting(("openai-api-key",), facts.key),
        Setting(("model",), f"openai/{facts.models.main.id}"),
        Setting(("weak-model",), f"openai/{facts.models.small.id}"),
    )
    return Config(
        documents=(Document(path="~/.aider.conf.yml", kind="yaml", settings=settings),),
        steps=("Where Aider warns that it does not know the model: --no-show-model-warnings",),
    )


def continue_dev(facts: Facts) -> Config:
    """Continue: a model of the provider `openai` with another base."""
    model = {
        "name": f"Dragoman: {facts.models.main.name or facts.models.main.id}",
        "provider": "openai",
        "model": facts.models.main.id,
        "apiBase": facts.base,
        "apiKey": facts.key,
        "roles": ["chat", "edit", "apply"],
    }
    if facts.models.main.inputs:  # Continue goes by names, of which it knows few
        can = (("tool_use", facts.models.main.tools), ("image_input", _sees(facts.models.main)))
        model["capabilities"] = [name for name, able in can if able]
    settings = (
        Setting(("name",), "Dragoman"),
        Setting(("version",), "0.0.1"),
        Setting(("schema",), "v1"),
        Setting(("models",), [model]),
    )
    return Config(
        documents=(Document(path="~/.continue/config.yaml", kind="yaml", settings=settings),)
    )


def zed(facts: Facts) -> Config:
    """Zed: a provider in its settings; its key is a variable named after the provider."""
    main = facts.models.main
    model = {
        "name": main.id,
        "display_name": main.name or main.id,
        "max_tokens": _context(main),
        "capabilities": {"tools": main.tools, "images": _sees(main)},
    }
    provider = {"api_url": facts.base, "available_models": [model]}
    settings = (
        Setting(("language_models", "openai_compatible", "Dragoman"), provider),
        Setting(("agent", "default_model"), {"provider": "Dragoman", "model": main.id}),
    )
    return Config(
        documents=(Document(path="~/.config/zed/settings.json", kind="json", settings=settings),),
        env=((KEY_VARIABLE, facts.key),),
        steps=("Zed reads the key from this variable, or from its panel of LLM providers.",),
    )


def cursor(facts: Facts) -> Config:
    """Cursor: fields of its settings. Its own servers call, so the gateway has to be public."""
    public: tuple[str, ...] = ()
    if any(host in facts.origin for host in LOOPBACK):
        public = (f"{facts.origin} is this machine only: Cursor's servers need a public address.",)
    return Config(
        steps=(
            "In Cursor's settings open Models, then API Keys.",
            f"Turn on OpenAI API Key and paste: {facts.key}",
            f"Turn on Override OpenAI Base URL: {facts.base}/cursor",
            f"Add the model: {facts.models.main.id}",
            *public,
        )
    )


def cline(facts: Facts) -> Config:
    """Cline: fields of its settings, which the editor keeps."""
    return Config(
        steps=(
            f"Open Cline's settings. {OPENAI_STEPS}",
            f"Base URL: {facts.base}",
            f"API key: {facts.key}",
            f"Model ID: {facts.models.main.id}",
        )
    )


def claude_desktop(facts: Facts) -> Config:
    """Claude Desktop: fields of its panel for third-party inference."""
    return Config(
        steps=(
            "Help > Troubleshooting > Enable Developer Mode.",
            "Developer > Configure Third-Party Inference, connection: Gateway.",
            f"Gateway base URL: {facts.origin}/api",
            f"Gateway API key: {facts.key}",
            "Gateway auth scheme: bearer. Credential kind: Static API key.",
            "Apply the changes, quit Claude Desktop and open it again.",
        )
    )


def open_webui(facts: Facts) -> Config:
    """Open WebUI: variables of its container; they count on its first start only."""
    steps: tuple[str, ...] = (
        "A running one: Admin Panel > Settings > Connections > OpenAI API, the same values.",
    )
    if any(host in facts.origin for host in LOOPBACK):
        steps += ("In a container this machine is called host.docker.internal.",)
    env = (
        ("OPENAI_API_BASE_URL", facts.base),
        ("OPENAI_API_KEY", facts.key),
        ("ENABLE_FORWARD_USER_INFO_HEADERS", "true"),
    )
    return Config(env=env, steps=steps)


def librechat(facts: Facts) -> Config:
    """LibreChat: an entry of `endpoints.custom`, and the key in its `.env`."""
    code = f"""\
# in librechat.yaml
endpoints:
  custom:
    - name: "Dragoman"
      apiKey: "${{{KEY_VARIABLE}}}"
      baseURL: "{facts.base}"
      models:
        default: ["{facts.models.main.id}"]
        fetch: true
      titleConvo: true
      titleModel: "{facts.models.small.id}"
      modelDisplayLabel: "Dragoman"
"""
    return Config(env=((KEY_VARIABLE, facts.key),), code=code)


def openai_env(facts: Facts) -> tuple[tuple[str, str], ...]:
    """Return the variables that OpenAI's clients read."""
    return (("OPENAI_BASE_URL", facts.base), ("OPENAI_API_KEY", facts.key))


def anthropic_env(facts: Facts) -> tuple[tuple[str, str], ...]:
    """Return the variables that Anthropic's clients read."""
    return (
        ("ANTHROPIC_BASE_URL", f"{facts.origin}/api"),
        ("ANTHROPIC_AUTH_TOKEN", facts.key),
        ("ANTHROPIC_API_KEY", ""),
    )


def _sees(model: Model) -> bool:
    return "image" in model.inputs


def _context(model: Model) -> int:
    return model.context or UNKNOWN_CONTEXT
