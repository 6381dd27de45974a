"""The settings: one YAML file and the environment, decoded once into a frozen value.

Each room defines its own section; this module assembles them, substitutes
`${VARIABLE:-default}` in texts, lays `DRAGOMAN__SECTION__KEY` over the file, and
says which key of which file is wrong when one is. Nothing reads the environment
after this.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml
from msgspec import Struct

from dragoman.access.options import AccessOptions
from dragoman.catalog.options import AliasesOptions, Declared, ProvidersOptions
from dragoman.office.options import CatalogOptions
from dragoman.upstream.options import UpstreamOptions
from dragoman.web.options import ServerOptions

FILE_NAME = "dragoman.yaml"
OVERRIDE = "DRAGOMAN__"
_VARIABLE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_PATH_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[(\.\.\.|\d+)\]")
_ERROR_PATH = re.compile(r" - at `(?:key in )?\$([^`]*)`$")

Raw = dict[str, Any]


class ConfigError(Exception):
    """A setting that cannot be used: which one, where it stands, and what would do."""


class Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings. Everything has a default; an empty file is a good file."""

    server: ServerOptions = ServerOptions()
    upstream: UpstreamOptions = UpstreamOptions()
    access: AccessOptions = AccessOptions()
    providers: ProvidersOptions = {}
    aliases: AliasesOptions = {}
    catalog: CatalogOptions = CatalogOptions()
    demo: Literal["auto", "on", "off"] = "auto"
    """Whether the demo providers are listed: `auto` is as long as there is no real one."""

    @property
    def declared(self) -> Declared:
        """What the file says of the catalog."""
        return Declared(providers=self.providers, aliases=self.aliases, demo=self.demo)


class Settings(Struct, frozen=True, kw_only=True):
    """The options, where they came from, and where state is kept."""

    options: Options
    file: Path | None
    data: Path
    environ: dict[str, str]


def data_directory(chosen: Path | None, environ: Mapping[str, str]) -> Path:
    """Return where state is kept: as chosen, else `DRAGOMAN_DATA`, else the user's data home."""
    if chosen is not None:
        return chosen.expanduser().absolute()
    if set_ := environ.get("DRAGOMAN_DATA"):
        return Path(set_).expanduser().absolute()
    home = environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home).absolute() / "dragoman"


def config_file(chosen: Path | None, data: Path, environ: Mapping[str, str]) -> Path | None:
    """Return the settings file: as chosen, else `DRAGOMAN_CONFIG`, else here, else beside the data.

    Raises ConfigError when a chosen file does not exist.
    """
    if named := chosen or environ.get("DRAGOMAN_CONFIG"):
        path = Path(named).expanduser()
        if not path.is_file():
            raise ConfigError(f"{path}: no such file. `dragoman init` writes a commented one.")
        return path
    return next((p for p in (Path(FILE_NAME), data / FILE_NAME) if p.is_file()), None)


def load(file: Path | None, environ: Mapping[str, str]) -> Options:
    """Return the settings of a file, None for none, under those of the environment.

    Raises ConfigError, which names the key and the file.
    """
    name = str(file) if file else "the environment"
    raw = _read(file) if file else {}
    raw = _substituted(raw, environ, "", name)
    overrides = {
        _lay_over(raw, variable, value): variable
        for variable, value in environ.items()
        if variable.startswith(OVERRIDE)
    }
    if isinstance(raw.get("demo"), bool):  # YAML 1.1 reads on and off as truth values
        raw["demo"] = "on" if raw["demo"] else "off"
    try:
        return msgspec.convert(raw, Options)
    except msgspec.ValidationError as error:
        where, reason = _located(raw, error)
    source = next((v for path, v in overrides.items() if f"{where}.".startswith(path)), name)
    raise ConfigError(f"{source}: {where}: {reason}" if where else f"{source}: {reason}")


def json_schema() -> Raw:
    """Return the JSON Schema of the file, for editors."""
    schema = msgspec.json.schema(Options)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _read(file: Path) -> Raw:
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: not UTF-8 at byte {error.start}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{file}: {error}") from error
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise ConfigError(f"{file}: expected sections such as `providers:`, got {raw!r:.60}")
    # A section whose lines are all comments is null.
    return {name: section for name, section in raw.items() if section is not None}


def _substituted(node: Any, environ: Mapping[str, str], path: str, name: str) -> Any:
    """Return the tree with every `${VARIABLE:-default}` in its texts replaced."""
    if isinstance(node, dict):
        return {
            key: _substituted(value, environ, f"{path}.{key}".lstrip("."), name)
            for key, value in node.items()
        }
    if isinstance(node, list):
        return [_substituted(value, environ, path, name) for value in node]
    if not isinstance(node, str) or "$" not in node:
        return node

    def replaced(match: re.Match[str]) -> str:
        variable, default = match.groups()
        if variable is None:
            return "$"
        value = environ.get(variable) or default
        if value is None:
            raise ConfigError(
                f"{name}: {path}: the environment variable {variable} is not set. "
                f"Set it, or give a default: ${{{variable}:-…}}"
            )
        return value

    return _VARIABLE.sub(replaced, node)


def _lay_over(raw: Raw, variable: str, value: str) -> str:
    """Put one `DRAGOMAN__SECTION__KEY` into the tree; return its path, `section.key.`."""
    *sections, key = variable.removeprefix(OVERRIDE).lower().split("__")
    node = raw
    for section in sections:
        node = node.setdefault(section, {})
        if not isinstance(node, dict):
            raise ConfigError(f"{variable}: `{section}` is not a section")
    try:
        node[key] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"{variable}: {error}") from error
    return ".".join((*sections, key, ""))


def _located(raw: Raw, error: msgspec.ValidationError) -> tuple[str, str]:
    """Return the path of the key that an error is about, as it stands in the file, and the rest."""
    text = str(error)
    match = _ERROR_PATH.search(text)
    steps = _steps(raw, match.group(1)) if match else []
    reason = text[: match.start()] if match else text
    return ".".join(steps), reason


def _steps(raw: Raw, path: str) -> list[str]:
    steps: list[str] = []
    for name, index in _PATH_STEP.findall(path):
        steps.append(name or (index if index != "..." else _culprit(raw, steps)))
    return steps


def _culprit(raw: Raw, steps: list[str]) -> str:
    """Return which entry of the mapping at `steps` is wrong, by trying each alone."""
    node: Any = raw
    for step in steps:
        node = node[int(step) if isinstance(node, list) else step]
    for key, value in node.items():
        try:
            msgspec.convert(_grown(steps, {key: value}), Options)
        except msgspec.ValidationError:
            return str(key)
    return "…"


def _grown(steps: list[str], leaf: Any) -> Any:
    for step in reversed(steps):
        leaf = {step: leaf}
    return leaf
