"""The settings: one YAML file and the environment, decoded once into a frozen value.

Each room defines its own section; this module assembles them, substitutes
`${VARIABLE:-default}` in texts, lays `DRAGOMAN__SECTION__KEY` over the file, and
says which key of which file is wrong when one is. Nothing reads the environment
after this.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml
from msgspec import Struct

from dragoman.access.options import AccessOptions, RedisOptions
from dragoman.catalog.options import AliasesOptions, Declared, ProvidersOptions
from dragoman.ledger.byok import ByokOptions
from dragoman.ledger.options import LedgerOptions
from dragoman.net.options import NetOptions
from dragoman.net.proxy import proxies
from dragoman.office.alert_options import AlertsOptions
from dragoman.office.options import AccountsOptions, CatalogOptions
from dragoman.office.stripe_options import StripeOptions
from dragoman.records.options import RecordsOptions
from dragoman.store.options import DatabaseOptions
from dragoman.upstream.options import UpstreamOptions
from dragoman.web.options import ServerOptions

FILE_NAME = "dragoman.yaml"
OVERRIDE = "DRAGOMAN__"
DATABASE_URL, REDIS_URL = "DATABASE_URL", "REDIS_URL"
ENVIRONMENT = "the environment"
SERVERS = {"database": DATABASE_URL, "redis": REDIS_URL}
"""Sections whose `url` other programs take from the environment, too."""
_VARIABLE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_PATH_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[(\.\.\.|\d+)\]")
_ERROR_PATH = re.compile(r" - at (`key` in )?`\$([^`]*)`$")
_BY_PATTERN = "matching regex"
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]*)`$")

Raw = dict[str, Any]


class ConfigError(Exception):
    """A setting that cannot be used: which one, where it stands, and what would do."""


class Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings. Everything has a default; an empty file is a good file."""

    server: ServerOptions = ServerOptions()
    upstream: UpstreamOptions = UpstreamOptions()
    net: NetOptions = NetOptions()
    access: AccessOptions = AccessOptions()
    database: DatabaseOptions = DatabaseOptions()
    redis: RedisOptions = RedisOptions()
    providers: ProvidersOptions = {}
    aliases: AliasesOptions = {}
    catalog: CatalogOptions = CatalogOptions()
    accounts: AccountsOptions = AccountsOptions()
    alerts: AlertsOptions = AlertsOptions()
    ledger: LedgerOptions = LedgerOptions()
    records: RecordsOptions = RecordsOptions()
    byok: ByokOptions = ByokOptions()
    stripe: StripeOptions | None = None
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
    """Return where state is kept: as chosen, else `DRAGOMAN_DATA`, else the user's data home.

    Raises ConfigError when that is a user's home, and there is none.
    """
    try:
        if named := chosen or environ.get("DRAGOMAN_DATA"):
            return Path(named).expanduser().resolve()
        home = environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
        return Path(home).resolve() / "dragoman"
    except RuntimeError as error:
        raise ConfigError(
            f"{error} Say where to keep state with --data or DRAGOMAN_DATA"
        ) from error


def config_file(chosen: Path | None, data: Path, environ: Mapping[str, str]) -> Path | None:
    """Return the settings file: as chosen, else `DRAGOMAN_CONFIG`, else here, else beside the data.

    Raises ConfigError when a chosen file does not exist or may not be looked at, and
    PermissionError when the directory of the data may not be looked into.
    """
    if named := chosen or environ.get("DRAGOMAN_CONFIG"):
        path = Path(named).expanduser()
        try:
            if path.is_dir():
                raise ConfigError(f"{path}: is a directory. Name the file: {path / FILE_NAME}")
            if not path.is_file():
                raise ConfigError(f"{path}: no such file. `dragoman init` writes a commented one.")
        except PermissionError as error:
            raise ConfigError(f"{path}: {error.strerror}") from error
        return path
    if _is_here(FILE_NAME):
        return Path(FILE_NAME)
    return data / FILE_NAME if (data / FILE_NAME).is_file() else None


def _is_here(name: str) -> bool:
    """Say whether this folder has a file, not in one that is closed to us, as after `sudo -u`."""
    try:
        return Path(name).is_file()
    except PermissionError:
        return False


def load(file: Path | None, environ: Mapping[str, str]) -> Options:
    """Return the settings of a file, None for none, under those of the environment.

    Raises ConfigError, which names the key and the file.
    """
    name = str(file) if file else ENVIRONMENT
    raw = _read(file) if file else {}
    raw = _substituted(raw, environ, "", name)
    overrides = {
        _lay_over(raw, variable, value): variable
        for variable, value in environ.items()
        if variable.startswith(OVERRIDE)
    }
    for section in SERVERS:
        overrides |= _server(raw, environ, section)
    if isinstance(raw.get("demo"), bool):  # YAML 1.1 reads on and off as truth values
        raw["demo"] = "on" if raw["demo"] else "off"
    try:
        options = _converted(raw)
        proxies(options.net, environ)
    except msgspec.ValidationError as error:
        steps, reason = _located(raw, error)
    except ValueError as error:
        key = str(error).partition(":")[0]
        source = _placed(_source(overrides, key.split("."), "", name), file, key.split("."))
        place = f"{source}: " if key.startswith("net.") else ""
        raise ConfigError(f"{place}{error}") from error
    else:
        return options
    where = ".".join(steps)
    source = _placed(_source(overrides, steps, reason, name), file, [*steps, *_unknown(reason)])
    place = f"{source}: {where}" if where else source
    raise ConfigError(f"{place}: {_form(steps, reason) or reason}{_instead(steps, reason)}")


def json_schema() -> Raw:
    """Return the JSON Schema of the file, for editors."""
    schema = msgspec.json.schema(Options)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which the first would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 - yaml's own
        """Return the mapping. Raises ConstructorError."""
        seen = set[str]()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                said = f"`{key.value}` stands here a second time"
                raise yaml.constructor.ConstructorError(problem=said, problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _parsed(text: str, name: str) -> Any:
    try:
        return _Loader(text).get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError(f"{name}: {place}{error.problem}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: {' '.join(str(error).split())}") from error


def _converted(raw: Raw) -> Options:
    """Return the options. A number may be text, since that is what a `${VARIABLE}` becomes."""
    return msgspec.convert(raw, Options, strict=False)


def _read(file: Path) -> Raw:
    try:
        raw = _parsed(file.read_text(encoding="utf-8"), str(file))
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: not UTF-8 at byte {error.start}") from error
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
    node[key] = _parsed(value, variable)
    return ".".join((*sections, key, ""))


def _server(raw: Raw, environ: Mapping[str, str], name: str) -> dict[str, str]:
    """Take `DATABASE_URL` or `REDIS_URL`, as other programs do, where nothing else names one."""
    variable = SERVERS[name]
    section = raw.setdefault(name, {}) if environ.get(variable) else None
    if not isinstance(section, dict) or section.get("url") is not None:
        return {}
    section["url"] = environ[variable]
    return {f"{name}.url.": variable}


def _located(raw: Raw, error: msgspec.ValidationError) -> tuple[list[str], str]:
    """Return the path of the key that an error is about, as it stands in the file, and the rest."""
    text = str(error)
    match = _ERROR_PATH.search(text)
    if match is None:
        return [], text
    reason = text[: match.start()]
    return _steps(raw, match[2]), f"a key: {reason}" if match[1] else reason


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
            _converted(_grown(steps, {key: value}))
        except msgspec.ValidationError:
            return str(key)
    return "…"


def _grown(steps: list[str], leaf: Any) -> Any:
    for step in reversed(steps):
        leaf = {step: leaf}
    return leaf


def _placed(source: str, file: Path | None, steps: list[str]) -> str:
    """Return who is to blame, with the line if that is the file."""
    if file is None or source != str(file):
        return source
    node, line = yaml.compose(file.read_text(encoding="utf-8"), yaml.SafeLoader), None
    for step in steps:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == step), None)
        elif isinstance(node, yaml.SequenceNode):
            found = next(((v, v) for n, v in enumerate(node.value) if str(n) == step), None)
        else:
            found = None
        if found is None:
            break
        key, node = found
        line = key.start_mark.line + 1
    return source if line is None else f"{source}: line {line}"


def _unknown(reason: str) -> tuple[str, ...]:
    """Return the member that nobody knows, if the reason is that."""
    match = _UNKNOWN.match(reason)
    return match.groups() if match else ()


def _source(overrides: Mapping[str, str], steps: list[str], reason: str, name: str) -> str:
    """Return who is to blame: the variable that set the key, or else the file called `name`.

    Where members do not go together, variables that set one of them are named beside the file.
    """
    unknown = _unknown(reason)
    where = "".join(f"{step}." for step in [*steps, *unknown])
    for path, variable in overrides.items():
        if where.startswith(path) or (unknown and path.startswith(where)):
            return variable
    within = [each for path, each in overrides.items() if steps and path.startswith(where)]
    if unknown or not within:
        return name
    return ", ".join(within if name == ENVIRONMENT else [name, *within])


def _instead(steps: list[str], reason: str) -> str:
    """Return a sentence that names what may stand at `steps`, where that is a choice of names."""
    places = [*_places(json_schema(), steps)]
    if unknown := _UNKNOWN.match(reason):
        names = [name for place in places for name in place.get("properties", ())]
        near = get_close_matches(unknown[1], names, n=1)
        return f". Did you mean `{near[0]}`?" if near else f". There are: {', '.join(names)}"
    choices = [str(choice) for place in places for choice in place.get("enum", ())]
    return f". Use one of: {', '.join(choices)}" if choices else ""


def _form(steps: list[str], reason: str) -> str | None:
    """Return what text must look like, in words, where the reason has but a regular expression."""
    if _BY_PATTERN not in reason:
        return None
    forms = (
        place.get("description") for place in _places(json_schema(), steps) if "pattern" in place
    )
    return next((f"expected {form}" for form in forms if form), None)


def _places(schema: Raw, steps: list[str]) -> Iterator[Raw]:
    """Yield what the JSON Schema has to say of a path: all the alternatives."""
    places = [*_alternatives(schema, schema)]
    for step in steps:
        below = (
            place.get("properties", {}).get(step)
            or place.get("additionalProperties")
            or place.get("items")
            for place in places
        )
        places = [each for node in below if node for each in _alternatives(schema, node)]
    yield from places


def _alternatives(schema: Raw, node: Raw) -> Iterator[Raw]:
    if reference := node.get("$ref"):
        node = schema["$defs"][reference.rpartition("/")[2]]
    if "anyOf" not in node:
        yield node
    for each in node.get("anyOf", ()):
        yield from _alternatives(schema, each)
