"""Which providers can be called, where, and with which credentials.

A known host is configured once a variable of its own holds a key, or once
`dragoman.yaml` says so; a host of one's own always comes from `dragoman.yaml`.
Pure: the shipped rows, the options and the environment come in as values. Which
models the hosts serve is told by `own`, `discover` and the shipped data.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, structs

from dragoman.catalog import google
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.options import ProviderOptions
from dragoman.catalog.types import TEMPLATE, Provider
from dragoman.core.secret import Secret

GENERAL_VARIABLES = {
    "AWS_ACCESS_KEY_ID": "Amazon Bedrock",
    "AWS_PROFILE": "Amazon Bedrock",
    "AZURE_CLIENT_SECRET": "Azure OpenAI",
    "CLOUDFLARE_API_TOKEN": "Cloudflare Workers AI",
    "DATABRICKS_TOKEN": "Databricks",
    "DIGITALOCEAN_ACCESS_TOKEN": "DigitalOcean",
    "GITHUB_TOKEN": "GitHub Models",
    "GOOGLE_API_KEY": "Google AI Studio",
    "GOOGLE_APPLICATION_CREDENTIALS": "Google Vertex",
    "HF_TOKEN": "Hugging Face",
    "VULTR_API_KEY": "Vultr",
    "WANDB_API_KEY": "Weights & Biases",
}
"""Variables that may open a host of models, but are set for other reasons as well."""

FROM_ENVIRONMENT = {"sigv4": "AWS's environment", "entra": "Azure's environment"}
"""What lets in where dragoman.yaml names such a way and no credential: what is set for the cloud's
own tools. Never by itself (see `GENERAL_VARIABLES`)."""

LISTING = frozenset({"anthropic", "gemini", "openai"})
"""Dialects whose hosts list their models at `GET /models`."""

SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
RESERVED_HEADERS = frozenset(
    {"connection", "content-length", "content-type", "host", "transfer-encoding", "upgrade"}
)


class Credential(Struct, frozen=True, kw_only=True):
    """One way to be let in by a provider. `id` may be logged, `source` is for people.

    A provider without authentication has one credential, whose secret is empty.
    """

    id: str
    provider: str
    secret: Secret
    source: str


class Found(Struct, frozen=True):
    """A variable of the environment that could open a service, and was left alone."""

    variable: str
    service: str


class Incomplete(Struct, frozen=True, kw_only=True):
    """A provider that was given something, and whose address wants more: it cannot be called.

    `given` is the variable that was set, None where it was `dragoman.yaml`.
    """

    provider: str
    given: str | None
    missing: tuple[str, ...]


class Hosts(Struct, frozen=True, kw_only=True):
    """Every provider there is, and what this installation has for them.

    `configured` are the slugs that can be called, the demo providers apart; `discover`
    those among them whose models nobody else tells of, `listing` the known hosts that
    are asked, too, for what they have that is new.
    """

    providers: dict[str, Provider]
    configured: frozenset[str]
    discover: frozenset[str]
    credentials: tuple[Credential, ...]
    found: tuple[Found, ...]
    incomplete: tuple[Incomplete, ...] = ()
    listing: frozenset[str] = frozenset()


def hosts(
    shipped: Mapping[str, Provider],
    options: Mapping[str, ProviderOptions],
    environ: Mapping[str, str],
) -> Hosts:
    """Bring shipped rows, options and environment together. Raises CatalogError."""
    providers = dict(shipped)
    for slug, option in options.items():
        providers[slug] = _row(slug, shipped.get(slug), option)
    _check_names(tuple(providers.values()))
    credentials: list[Credential] = []
    configured: set[str] = set()
    incomplete: list[Incomplete] = []
    for slug in sorted(providers):
        provider = providers[slug]
        own = tuple(_credentials(provider, options.get(slug), environ))
        if own:
            provider = providers[slug] = _located(provider, environ)
        if TEMPLATE.search(provider.base_url):
            incomplete += _incomplete(provider, own, by_file=slug in options, environ=environ)
            continue
        credentials += own
        if own and provider.dialect != "demo":
            configured.add(slug)
    by_default = any(each.source == google.BY_DEFAULT for each in credentials)
    used = {google.DEFAULT} if by_default else set()
    return Hosts(
        providers=providers,
        configured=frozenset(configured),
        discover=frozenset(s for s in configured if _discovers(shipped.get(s), options.get(s))),
        listing=frozenset(
            slug
            for slug in configured & shipped.keys()
            if _lists(providers[slug], options.get(slug))
        ),
        credentials=tuple(credentials),
        incomplete=tuple(incomplete),
        found=tuple(
            Found(variable, service)
            for variable, service in GENERAL_VARIABLES.items()
            if environ.get(variable) and variable not in used
        ),
    )


def base_url(text: str, place: str) -> str:
    """Return the URL of a host without its trailing slash.

    Raises CatalogError at `place` unless it is absolute, http or https, and free
    of credentials, query and fragment.
    """
    if not text.isascii() or any(c <= " " or c in '\\{}"<>\x7f' for c in text):
        raise CatalogError(place, f"{_told(text)!r} holds characters that no URL has")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise CatalogError(place, f"{_told(text)!r} is not a URL") from None
    addressed = parts.hostname and port != 0 and not parts.netloc.endswith(":")
    if parts.scheme not in {"http", "https"} or not addressed:
        raise CatalogError(place, f"{_told(text)!r} is not an absolute http or https URL")
    if "@" in parts.netloc:
        raise CatalogError(place, "a URL must not carry credentials; use api_key")
    if "?" in text or "#" in text:
        raise CatalogError(place, f"{_told(text)!r} must have neither query nor fragment")
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def _told(text: str) -> str:
    """Return what is no URL of ours as it may be told: a query and a user may hold a secret."""
    before = re.split("[?#]", text, maxsplit=1)[0]
    scheme, _, rest = before.rpartition("://")
    shown = f"…@{rest.rpartition('@')[2]}" if "@" in rest else rest
    return (f"{scheme}://{shown}" if scheme else shown) + "…" * (before != text)


def _row(slug: str, shipped: Provider | None, option: ProviderOptions) -> Provider:
    """Return the row of a provider as its options change or make it."""
    place = f"providers.{slug}"
    if not SLUG.fullmatch(slug):
        raise CatalogError(place, "a slug is lower-case letters, digits, '.', '_' and '-'")
    if shipped is not None and shipped.dialect == "demo":
        raise CatalogError(place, "a demo provider cannot be changed")
    if shipped is None and not option.base_url:
        raise CatalogError(place, "is not a provider that is known by itself: give its base_url")
    before = shipped or Provider(
        slug=slug,
        name=slug,
        dialect="openai",
        base_url="",
        auth="bearer" if _keys(option) else "none",
    )
    changes = {
        "dialect": option.dialect,
        "base_url": base_url(option.base_url, f"{place}.base_url") if option.base_url else None,
        "auth": option.auth or ("bearer" if before.auth == "none" and _keys(option) else None),
        "name": option.name,
        "policy": option.policy,
        "billing": option.billing,
        "cancels": option.cancels,
        "stream_upstream": option.stream_upstream,
        "quirks": option.quirks,
    }
    services = {} if option.base_url else before.services
    headers = {**before.headers, **_checked_headers(option.headers, f"{place}.headers")}
    return structs.replace(
        before,
        headers=headers,
        services=services,
        **{k: v for k, v in changes.items() if v is not None},
    )


def _checked_headers(headers: Mapping[str, str], place: str) -> Mapping[str, str]:
    for name, value in headers.items():
        if not HEADER_NAME.fullmatch(name) or name.lower() in RESERVED_HEADERS:
            raise CatalogError(f"{place}.{name}", "is not a header that can be set")
        if not value.isascii() or not value.isprintable():
            raise CatalogError(f"{place}.{name}", "its value must be printable ASCII")
    return headers


def _check_names(providers: Iterable[Provider]) -> None:
    """Raise CatalogError when one name would mean two providers; the earlier one keeps it."""
    owners: dict[str, str] = {}
    for provider in providers:
        for name in names(provider):
            owner = owners.setdefault(name, provider.slug)
            if owner != provider.slug:
                raise CatalogError(
                    f"providers.{provider.slug}", f"the name {name!r} belongs to {owner}"
                )


def names(provider: Provider) -> set[str]:
    """Return everything a provider may be called, in lower case."""
    return {text.lower() for text in (provider.slug, provider.name, *provider.aliases)}


def _located(provider: Provider, environ: Mapping[str, str]) -> Provider:
    """Fill `{VARIABLE}` in a shipped base URL. What is not set stays as it is.

    A host may be given as a whole URL, as Databricks' own tools have it.
    """
    places = _places(environ)
    url = TEMPLATE.sub(
        lambda match: places.get(match[1], "").removeprefix("https://").rstrip("/") or match[0],
        provider.base_url,
    )
    if url == provider.base_url or TEMPLATE.search(url):
        return provider
    url = google.reachable(url)
    return structs.replace(provider, base_url=base_url(url, f"providers.{provider.slug}.base_url"))


def _places(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment with each variable of an address under its first name."""
    default = environ.get("AWS_DEFAULT_REGION", "")
    return {"AWS_REGION": default, **google.with_other_names(environ)}


def _incomplete(
    provider: Provider, own: tuple[Credential, ...], *, by_file: bool, environ: Mapping[str, str]
) -> Iterator[Incomplete]:
    """Yield what a provider lacks that has credentials and no address, if somebody meant it.

    Google's default credentials may be there for other reasons; a part of the address is not.
    """
    places = _places(environ)
    needed = provider.waits_for()
    there = [name for name in needed if places.get(name)]
    keys = [each.source for each in own if each.source in provider.keys]
    given = next(iter([*keys, *there]), None)
    if own and (given or by_file):
        missing = tuple(name for name in needed if name not in there)
        yield Incomplete(provider=provider.slug, given=None if by_file else given, missing=missing)


def _credentials(
    provider: Provider, option: ProviderOptions | None, environ: Mapping[str, str]
) -> Iterator[Credential]:
    """Yield what opens `provider`; nothing when it is switched off."""
    if option and not option.enabled:
        return
    pairs = [(key, "dragoman.yaml") for key in _keys(option)] if option else []
    derived = option.auth if option else None
    if not pairs and derived != "entra":  # a key is no application's secret
        variable = next((name for name in provider.keys if environ.get(name, "").strip()), None)
        pairs = [(environ[variable].strip(), variable)] if variable else []
    if not pairs and derived in FROM_ENVIRONMENT:
        pairs = [("", FROM_ENVIRONMENT[derived])]
    if provider.auth == "none" and (option or provider.kind != "local"):
        pairs = [("", "no key needed")]
    if provider.auth == "gcp" and not pairs:
        pairs = [("", google.BY_DEFAULT)]
    for number, (key, source) in enumerate(pairs, start=1):
        line = _on_one_line(key) if key.startswith("{") else key
        if not line.isascii() or not line.isprintable():
            raise CatalogError(
                f"providers.{provider.slug}", f"the key from {source} is not ASCII text"
            )
        yield Credential(
            id=f"{provider.slug}:{number}",
            provider=provider.slug,
            secret=Secret(line),
            source=source,
        )


def _on_one_line(key: str) -> str:
    """Return a credential that is JSON without the line ends between its members."""
    try:
        return msgspec.json.format(key, indent=-1)
    except (msgspec.DecodeError, RecursionError):
        return key


def _keys(option: ProviderOptions) -> list[str]:
    """Return the keys that the options give, each once, without empty ones."""
    given = (option.api_key or "", *option.api_keys)
    return list(dict.fromkeys(key.strip() for key in given if key.strip()))


def _discovers(shipped: Provider | None, option: ProviderOptions | None) -> bool:
    if option is None:
        return False
    if option.discover is not None:
        return option.discover
    return shipped is None and not option.models


def _lists(provider: Provider, option: ProviderOptions | None) -> bool:
    """Say whether a known host can be asked for what it has that is not shipped."""
    return (
        provider.lists
        and provider.kind == "host"
        and provider.dialect in LISTING
        and (option is None or option.discover is None)
    )
