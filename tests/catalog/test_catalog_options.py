"""The sections `providers:` and `aliases:`: what may be written, and what may not."""

from typing import Any

import msgspec
import pytest
import yaml

from dragoman.catalog.options import AliasesOptions, ProviderOptions, ProvidersOptions
from dragoman.catalog.types import DataPolicy, Quirks

FIXED_FOR_SCRIPTS = """
acme:
  dialect: openai
  base_url: http://127.0.0.1:9100/v1
  api_key: none
  models:
    acme/turbo: {upstream: gpt-4o, context: 128000, max_output: 16384,
                 price: {prompt: 0.0000025, completion: 0.00001}}
acme-2:
  dialect: openai
  base_url: http://127.0.0.1:9101/v1
  models:
    acme/turbo: {upstream: gpt-4o, context: 128000, price: {prompt: 0.000005, completion: 0.00002}}
"""


def read(text: str) -> ProvidersOptions:
    return msgspec.convert(yaml.safe_load(text), ProvidersOptions)


def test_the_form_that_scripts_rely_on_is_read() -> None:
    acme = read(FIXED_FOR_SCRIPTS)["acme"]
    model = acme.models["acme/turbo"]
    assert (acme.base_url, acme.api_key) == ("http://127.0.0.1:9100/v1", "none")
    assert (model.upstream, model.context, model.max_output) == ("gpt-4o", 128000, 16384)
    assert model.price is not None
    assert (model.price.prompt, model.price.completion) == (0.0000025, 0.00001)


def test_every_field_of_a_host_can_be_written() -> None:
    host = read(
        """
        house:
          base_url: http://gpu:8000/v1
          api_keys: [a, b]
          auth: api-key
          name: House
          discover: true
          price: {prompt: 1e-6, completion: "0.000002", cache_read: 1e-7, request: 0.01}
          policy: {trains: false, retains: false, zdr: true}
          cancels: true
          headers: {X-Team: blue}
          quirks: {rejects: [logit_bias], renames: {seed: random_seed}, stream_usage: false}
          enabled: false
        """
    )["house"]
    assert host.api_keys == ("a", "b")
    assert host.policy == DataPolicy(trains=False, retains=False, zdr=True)
    assert host.quirks == Quirks(
        rejects=frozenset({"logit_bias"}), renames={"seed": "random_seed"}, stream_usage=False
    )


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ({"base-url": "http://a"}, "base-url"),
        ({"api_key": 12345}, "api_key"),
        ({"dialect": "smoke-signals"}, "dialect"),
        ({"models": {"a/b": {"contxt": 1}}}, "contxt"),
        ({"models": {"a/b": {"context": 0}}}, "context"),
        ({"models": {"a/b": {"context": "big"}}}, "context"),
        ({"models": {"a/b": {"price": {"prompt": 1}}}}, "completion"),
        ({"models": {"a/b": {"price": {"prompt": 1, "completion": 1, "output": 1}}}}, "output"),
        ({"models": {"a/b": {"inputs": ["smell"]}}}, "inputs"),
        ({"models": {"a/b": {"quantization": "int3"}}}, "quantization"),
        ({"policy": {"train": False}}, "train"),
        ({"quirks": {"reject": ["seed"]}}, "reject"),
        ({"headers": {"X-A": 1}}, "headers"),
    ],
)
def test_what_is_not_a_setting_is_refused_by_name(row: dict[str, Any], place: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({"acme": row}, ProvidersOptions)
    assert place in str(caught.value)


def test_aliases_are_weights_or_a_list() -> None:
    read_ = msgspec.convert(
        {"fast": {"acme/turbo": 3, "acme/other": 0.5}, "any": ["acme/turbo"]}, AliasesOptions
    )
    assert read_ == {"fast": {"acme/turbo": 3.0, "acme/other": 0.5}, "any": ("acme/turbo",)}


def test_printing_options_shows_no_key() -> None:
    options = ProviderOptions(api_key="sk-very-secret", api_keys=("sk-other",), headers={"X": "y"})
    assert repr(options) == "ProviderOptions(dialect=None, base_url=None, …)"


def test_the_options_have_a_json_schema() -> None:
    schema = msgspec.json.schema(ProvidersOptions)
    assert schema["$defs"]["ProviderOptions"]["additionalProperties"] is False
