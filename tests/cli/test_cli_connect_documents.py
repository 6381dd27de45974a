"""Settings go into files that hold other things, and come out again without a trace."""

import json
import tomllib
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dragoman.cli.connect.documents import DocumentError, edited, restored
from dragoman.cli.connect.types import Kind, Setting

JSON = (
    Setting(("env", "BASE"), "http://g/api"),
    Setting(("env", "TOKEN"), "sk"),
    Setting(("model",), "a/b"),
)
TOML = (
    Setting(("model",), "a/b"),
    Setting(("model_provider",), "dragoman"),
    Setting(
        ("model_providers", "dragoman"),
        {"name": "Dragoman", "auth": {"command": "sh", "args": ["-c", 'cat "$HOME/key"']}},
    ),
)
YAML = (Setting(("base",), "http://g/v1"), Setting(("model",), "openai/a/b"))
SETTINGS: dict[Kind, tuple[Setting, ...]] = {"json": JSON, "toml": TOML, "yaml": YAML}

OLD_JSON = """{
    "theme": "dark",
    "env": {"TOKEN": "mine", "OTHER": "1"},
    "permissions": {"allow": ["Bash(ls:*)"]}
}"""
OLD_TOML = '''\
# mine
model = "gpt-5"  # the best
approval_policy = "never"

[mcp_servers.docs]
command = "npx"
text = """
[not.a.table]
model = "no key of ours"
"""

[model_providers.dragoman]  # by hand
name = "Old"

[[rules]]
a = 1
'''
OLD_YAML = """\
# mine
model: gpt-5  # the best
auto-commits: false
read:
  - CONVENTIONS.md
"""
OLD: dict[Kind, str] = {"json": OLD_JSON, "toml": OLD_TOML, "yaml": OLD_YAML}
READ: dict[Kind, Any] = {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}
KINDS: tuple[Kind, ...] = ("json", "toml", "yaml")


def paths(kind: Kind) -> list[tuple[str, ...]]:
    return [setting.path for setting in SETTINGS[kind]]


def without(kind: Kind, text: str) -> Any:
    """Return what a document says apart from our settings."""
    value = READ[kind](text)
    for *way, last in paths(kind):
        inner = value
        for name in way:
            inner = inner.get(name, {})
        inner.pop(last, None)
    return value


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("old", ["", None])
def test_settings_are_set_and_all_else_stays(kind: Kind, old: str | None) -> None:
    before = OLD[kind] if old is None else old
    text = edited(kind, before, SETTINGS[kind])
    value = READ[kind](text)
    for setting in SETTINGS[kind]:
        found = value
        for name in setting.path:
            found = found[name]
        assert found == setting.value
    if before:
        assert without(kind, text) == without(kind, before)


@pytest.mark.parametrize("kind", KINDS)
def test_setting_twice_changes_nothing_more(kind: Kind) -> None:
    text = edited(kind, OLD[kind], SETTINGS[kind])
    assert edited(kind, text, SETTINGS[kind]) == text


@pytest.mark.parametrize("kind", KINDS)
def test_comments_and_blank_lines_stay_where_lines_are_changed(kind: Kind) -> None:
    if kind != "json":
        assert "# mine\n" in edited(kind, OLD[kind], SETTINGS[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_there_comes_back_to_the_letter(kind: Kind) -> None:
    text = edited(kind, OLD[kind], SETTINGS[kind])
    assert restored(kind, text, OLD[kind], paths(kind)) == OLD[kind]
    fresh = edited(kind, "", SETTINGS[kind])
    assert restored(kind, fresh, "", paths(kind)) == ""


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("json", lambda text: text.replace('"dark"', '"light"')),
        ("toml", lambda text: text + "\n[later]\nb = 2\n"),
        ("yaml", lambda text: text + "later: 2\n"),
    ],
)
def test_what_was_changed_since_stays(kind: Kind, change: Any) -> None:
    text = change(edited(kind, OLD[kind], SETTINGS[kind]))
    back = READ[kind](restored(kind, text, OLD[kind], paths(kind)))
    assert back == READ[kind](change(OLD[kind]))


def test_other_values_for_the_same_settings_take_their_place() -> None:
    again = tuple(Setting(each.path, "new") for each in JSON)
    text = edited("json", edited("json", OLD_JSON, JSON), again)
    assert json.loads(text)["env"] == {"TOKEN": "new", "OTHER": "1", "BASE": "new"}
    assert restored("json", text, OLD_JSON, paths("json")) == OLD_JSON


def test_the_indent_of_json_is_kept() -> None:
    text = edited("json", OLD_JSON, JSON)
    assert '\n    "theme"' in text


EDITORS = """\
// Settings of an editor
//
{
  "theme": {"dark": "One, } Dark",},
  "languages": ["a", "b",],
}
"""


def test_comments_before_json_stay_and_spare_commas_are_understood() -> None:
    text = edited("json", EDITORS, JSON)
    begin, comments, body = text.partition("//\n")
    assert begin + comments == "// Settings of an editor\n//\n"
    value = json.loads(body)
    assert value["theme"] == {"dark": "One, } Dark"}
    assert value["languages"] == ["a", "b"]
    assert value["model"] == "a/b"
    assert restored("json", text, EDITORS, paths("json")) == EDITORS


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("json", '{"a": 1, // why\n "b": 2}'),
        ("json", "[1]"),
        ("json", '{"env": "no table"}'),
        ("toml", "model = "),
        ("toml", 'model_providers = {dragoman = {name = "inline"}}\n'),
        ("toml", 'model_providers.dragoman.name = "dotted"\n'),
        ("toml", 'model = """\ngpt\n"""\n'),
        ("yaml", "model: |\n  gpt\n"),
        ("yaml", "a: [1"),
        ("yaml", "- a\n"),
    ],
)
def test_what_cannot_be_changed_without_harm_is_left_alone(kind: Kind, text: str) -> None:
    with pytest.raises(DocumentError):
        edited(kind, text, SETTINGS[kind])


NAMES = st.sampled_from(["model", "model_provider", "other", "env", "a.b", "x y"])
SCALARS = st.one_of(st.text(max_size=8), st.booleans(), st.integers(-9, 9))


@given(st.dictionaries(NAMES, SCALARS))
def test_toml_of_any_scalars_is_changed_and_comes_back(values: dict[str, Any]) -> None:
    before = "".join(f"{json.dumps(name)} = {json.dumps(v)}\n" for name, v in values.items())
    try:
        tomllib.loads(before)
    except tomllib.TOMLDecodeError:  # JSON may hold what TOML does not: a lone surrogate, DEL
        return
    text = edited("toml", before, TOML)
    assert without("toml", text) in (
        without("toml", before),
        without("toml", before) | {"model_providers": {}},
    )
    assert restored("toml", text, before, paths("toml")) == before
