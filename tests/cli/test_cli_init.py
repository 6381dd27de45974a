"""`dragoman init`: the template says what is true, and the schema is the published one."""

import re
import stat
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from msgspec import Struct
from msgspec.structs import fields, replace

from dragoman.access.options import AccessOptions
from dragoman.catalog import shipped
from dragoman.catalog.assemble import assemble
from dragoman.catalog.hosts import hosts
from dragoman.catalog.options import Declared
from dragoman.cli.init import SCHEMA_NAME, TEMPLATE, schema_text
from dragoman.config import Options, json_schema, load
from dragoman.net.options import NetOptions
from dragoman.office.alert_options import HouseOptions
from dragoman.office.options import CatalogOptions
from dragoman.office.stripe_options import StripeOptions
from dragoman.store.options import DatabaseOptions
from dragoman.upstream.options import UpstreamOptions
from dragoman.web.options import ServerOptions
from tests.cli.command import run

PUBLISHED = Path(__file__).parents[2] / "docs" / SCHEMA_NAME
SETTING = re.compile(r"^#(?! )|^#(?=  )", re.MULTILINE)
"""The mark of a setting that is commented out; prose has one space behind its mark."""


def uncommented() -> str:
    return SETTING.sub("", TEMPLATE.read_text())


def test_the_template_and_its_schema_are_written_for_their_owner(tmp_path: Path) -> None:
    ran = run("init")
    assert ran.code == 0
    written = tmp_path / "dragoman.yaml"
    assert written.read_text() == TEMPLATE.read_text()
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert (tmp_path / SCHEMA_NAME).read_text() == schema_text(json_schema())
    assert "dragoman doctor" in ran.out


def test_editors_find_the_schema_beside_the_file() -> None:
    first = TEMPLATE.read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema=./{SCHEMA_NAME}"


def test_another_name_and_place_may_be_given(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    assert run("init", "etc/gateway.yaml").code == 0
    assert (tmp_path / "etc" / "gateway.yaml").exists()
    assert (tmp_path / "etc" / SCHEMA_NAME).exists()


def test_what_is_there_is_kept_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "dragoman.yaml").write_text("demo: on")
    ran = run("init")
    assert ran.code == 2
    assert "--force" in ran.err
    assert (tmp_path / "dragoman.yaml").read_text() == "demo: on"
    assert run("init", "--force").code == 0
    assert (tmp_path / "dragoman.yaml").read_text() == TEMPLATE.read_text()


def test_a_place_that_cannot_be_written_is_wrong_usage() -> None:
    ran = run("init", "no/such/place.yaml")
    assert ran.code == 2
    assert "cannot be written" in ran.err


def test_the_schema_is_printed_alone(tmp_path: Path) -> None:
    ran = run("init", "--schema")
    assert ran.out == schema_text(json_schema())
    assert list(tmp_path.iterdir()) == []


def test_the_template_as_it_stands_changes_nothing() -> None:
    assert load(TEMPLATE, {}) == Options()


@pytest.mark.parametrize(
    ("section", "options"),
    [
        ("server", ServerOptions),
        ("access", AccessOptions),
        ("database", DatabaseOptions),
        ("upstream", UpstreamOptions),
        ("net", NetOptions),
        ("catalog", CatalogOptions),
    ],
)
def test_every_setting_of_a_section_is_listed_with_its_default(
    section: str,
    options: type[Struct],
) -> None:
    listed = yaml.safe_load(uncommented())[section]
    assert set(listed) == {field.name for field in fields(options)}


def test_every_section_is_listed_and_the_defaults_are_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(uncommented())
    assert set(yaml.safe_load(uncommented())) == {field.name for field in fields(Options)}
    options = load(tmp_path / "all.yaml", {})
    told = replace(options.alerts, allow=(), smtp=None, house=HouseOptions())
    options = replace(options, alerts=told)
    assert replace(options, providers={}, aliases={}, stripe=None) == Options()
    sold = options.stripe
    assert sold is not None
    assert sold == StripeOptions(
        secret_key=sold.secret_key,
        webhook_secret=sold.webhook_secret,
        success_url=sold.success_url,
    )
    assert options.providers
    assert options.aliases


def test_the_examples_make_a_catalog(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(uncommented())
    options, rows = load(tmp_path / "all.yaml", {}), shipped.load()
    known = hosts(rows.providers, options.providers, {})
    catalog = assemble(rows, known, Declared(providers=options.providers, aliases=options.aliases))
    assert {"openai", "vllm", "ollama"} <= known.configured
    assert known.discover == {"vllm"}
    assert {"local/llama", "local/qwen"} <= set(catalog.models)


@pytest.mark.parametrize("text", [TEMPLATE.read_text() + "\ndemo: auto", uncommented()])
def test_the_template_satisfies_the_schema(text: str) -> None:
    settings: Any = yaml.safe_load(text)
    jsonschema.Draft202012Validator(json_schema()).validate(settings)


def test_the_published_schema_is_the_schema() -> None:
    assert PUBLISHED.read_text() == schema_text(json_schema()), (
        "docs/dragoman.schema.json is out of date: dragoman init --schema > it"
    )


def test_a_directory_gets_the_file_under_its_usual_name(tmp_path: Path) -> None:
    assert run("init", str(tmp_path)).code == 0
    assert (tmp_path / "dragoman.yaml").exists()
    assert run("init", ".").code == 2
