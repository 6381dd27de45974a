"""Exports of providers as their documents show them, and as no export should be."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from dragoman.core.errors import InvalidRequest
from dragoman.office.exports import Row, day_of, goes_on, read

DAY = date(2024, 11, 1)
MIDNIGHT = int(datetime(2024, 11, 1, tzinfo=UTC).timestamp())

OPENAI_USAGE: dict[str, Any] = {
    "object": "page",
    "data": [
        {
            "object": "bucket",
            "start_time": MIDNIGHT,
            "end_time": MIDNIGHT + 86_400,
            "results": [
                {
                    "object": "organization.usage.completions.result",
                    "input_tokens": 1000,
                    "input_cached_tokens": 400,
                    "input_cache_write_tokens": 100,
                    "input_uncached_tokens": 500,
                    "output_tokens": 500,
                    "input_text_tokens": 400,
                    "output_text_tokens": 400,
                    "input_cached_text_tokens": 300,
                    "input_audio_tokens": 50,
                    "input_cached_audio_tokens": 50,
                    "output_audio_tokens": 50,
                    "input_image_tokens": 50,
                    "input_cached_image_tokens": 50,
                    "output_image_tokens": 50,
                    "num_model_requests": 5,
                    "project_id": None,
                    "model": "gpt-4o-2024-08-06",
                    "batch": None,
                    "service_tier": None,
                }
            ],
        }
    ],
    "has_more": False,
    "next_page": None,
}
OPENAI_COSTS: dict[str, Any] = {
    "object": "page",
    "data": [
        {
            "object": "bucket",
            "start_time": MIDNIGHT,
            "end_time": MIDNIGHT + 86_400,
            "results": [
                {
                    "object": "organization.costs.result",
                    "amount": {"value": 0.06, "currency": "usd"},
                    "line_item": "gpt-4o-2024-08-06, input",
                    "project_id": None,
                    "quantity": 24_000,
                    "quantity_unit": "tokens",
                },
                {
                    "object": "organization.costs.result",
                    "amount": {"value": "0.0123456789", "currency": "usd"},
                    "line_item": None,
                    "project_id": None,
                },
            ],
        }
    ],
    "has_more": False,
}
ANTHROPIC_USAGE: dict[str, Any] = {
    "data": [
        {
            "starting_at": "2024-11-01T00:00:00Z",
            "ending_at": "2024-11-02T00:00:00Z",
            "results": [
                {
                    "uncached_input_tokens": 1500,
                    "cache_creation": {
                        "ephemeral_1h_input_tokens": 1000,
                        "ephemeral_5m_input_tokens": 500,
                    },
                    "cache_read_input_tokens": 200,
                    "output_tokens": 500,
                    "server_tool_use": {"web_search_requests": 10},
                    "model": "claude-sonnet-4-20250514",
                    "service_tier": "standard",
                }
            ],
        }
    ],
    "has_more": False,
}
ANTHROPIC_COSTS: dict[str, Any] = {
    "data": [
        {
            "starting_at": "2024-11-01T00:00:00Z",
            "ending_at": "2024-11-02T00:00:00Z",
            "results": [
                {
                    "currency": "USD",
                    "amount": "123.78912",
                    "model": "claude-sonnet-4-20250514",
                    "cost_type": "tokens",
                    "token_type": "uncached_input_tokens",
                },
                {"currency": "USD", "amount": "10", "model": None, "cost_type": "web_search"},
            ],
        }
    ]
}


def test_openai_usage_counts_audio_and_images_once() -> None:
    assert read(json.dumps(OPENAI_USAGE).encode(), "openai", {}) == (
        Row(
            day=DAY,
            model="gpt-4o-2024-08-06",
            prompt=1000,
            completion=500,
            cached=400,
            requests=5,
        ),
    )


def test_openai_costs_by_line_item() -> None:
    assert read(json.dumps(OPENAI_COSTS).encode(), "openai", {}) == (
        Row(day=DAY, model="gpt-4o-2024-08-06", usd=Decimal("0.06")),
        Row(day=DAY, model=None, usd=Decimal("0.0123456789")),
    )


def test_anthropic_usage_counts_the_cache_as_prompt() -> None:
    assert read(json.dumps(ANTHROPIC_USAGE).encode(), "anthropic", {}) == (
        Row(
            day=DAY,
            model="claude-sonnet-4-20250514",
            prompt=1500 + 1000 + 500 + 200,
            completion=500,
            cached=200,
        ),
    )


def test_anthropic_costs_are_cents() -> None:
    rows = read(json.dumps(ANTHROPIC_COSTS).encode(), "anthropic", {})
    assert [(row.model, row.usd) for row in rows] == [
        ("claude-sonnet-4-20250514", Decimal("1.2378912")),
        (None, Decimal("0.1")),
    ]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([OPENAI_USAGE, OPENAI_COSTS]),
        f"{json.dumps(OPENAI_USAGE)}\n\n{json.dumps(OPENAI_COSTS)}\n",
        json.dumps([*OPENAI_USAGE["data"], *OPENAI_COSTS["data"]]),
    ],
    ids=["an array of pages", "a page per line", "buckets alone"],
)
def test_several_pages_in_one_file(text: str) -> None:
    assert len(read(text.encode(), "openai", {})) == 3


def test_a_bucket_without_results_is_a_day_of_nothing() -> None:
    page = {"data": [{"start_time": MIDNIGHT, "results": []}, {"start_time": MIDNIGHT}]}
    (row,) = read(json.dumps(page).encode(), "openai", {})
    assert row == Row(day=DAY, model=None)
    assert row.is_empty


def test_a_table_with_columns_that_are_known_by_name() -> None:
    text = (
        b"\xef\xbb\xbfdate,Model,input_tokens,output_tokens,cost_usd,other\r\n"
        b'2024-11-01,m,"1,000",5,$0.25,x\r\n,,,,,\r\n2024-11-02T03:00:00+05:00,n,1,,,\r\n'
    )
    assert read(text, "csv", {}) == (
        Row(day=DAY, model="m", prompt=1000, completion=5, usd=Decimal("0.25")),
        Row(day=DAY, model="n", prompt=1),
    )


def test_a_table_with_columns_that_are_mapped() -> None:
    text = b"Tag,Was,Eingabe\n1730419200,m,7\n"
    names = {"day": "Tag", "model": "was", "prompt": "Eingabe"}
    assert read(text, "csv", names) == (Row(day=DAY, model="m", prompt=7),)


def test_a_table_of_anthropics_console_adds_up_what_the_cache_did() -> None:
    text = (
        b"usage_date_utc,model_version,usage_input_tokens_no_cache,"
        b"usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,"
        b"usage_input_tokens_cache_read,usage_output_tokens\n2024-11-01,claude-x,1,20,300,4000,5\n"
    )
    (row,) = read(text, "anthropic", {})
    assert row == Row(day=DAY, model="claude-x", prompt=4321, completion=5, cached=4000)


def test_a_table_of_anthropics_costs_names_models_for_people() -> None:
    text = (
        "usage_date_utc,model,workspace,usage_type,context_window,token_type,cost_usd,"
        "list_price_usd,cost_type\n2024-11-01,Claude Haiku 4.5,Default,message,≤ 200k,"
        "input_no_cache,0.05,0.05,token\n"
    )
    (row,) = read(text.encode(), "anthropic", {})
    assert row == Row(day=DAY, model="claude-haiku-4-5", usd=Decimal("0.05"))


def test_a_table_of_openais_costs_names_models_in_its_line_items() -> None:
    text = b'start_time_iso,line_item,amount_value\n2024-11-01T00:00:00+00:00,"gpt-4o, input",0.5\n'
    assert read(text, "openai", {}) == (Row(day=DAY, model="gpt-4o", usd=Decimal("0.5")),)


def test_a_day_of_openais_costs_without_an_amount_is_empty() -> None:
    text = b"start_time_iso,amount_value,line_item\n2024-11-01T00:00:00+00:00,,\n"
    (row,) = read(text, "openai", {})
    assert row.is_empty


@pytest.mark.parametrize(
    ("cost", "usd"),
    [("1,234.50", "1234.5"), ("-12,345,678", "-12345678"), ("$1,234", "1234")],
)
def test_commas_part_thousands(cost: str, usd: str) -> None:
    (row,) = read(f'Day,Model,Cost\n20241101,m,"{cost}"\n'.encode(), "csv", {})
    assert (row.day, row.usd) == (DAY, Decimal(usd))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('2024-11-01,m,"0,05"', "Line 2: cost: '0,05' is no number"),
        ('2024-11-01,m,"0,050"', "is no number"),
        ('2024-11-01,m,"1,2345"', "is no number"),
        ("2024-11-01,m,0,05", "Line 2 has more cells"),
        ("2024-11-01,m,1e400000000", "is no number"),
        ("2024-11-01," + "m" * 200_000 + ",1", "The line after 1 is no CSV"),
        ("20241399,m,1", "is no time"),
    ],
)
def test_a_figure_that_may_be_another_is_not_guessed_at(line: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        read(f"Day,Model,Cost\n{line}\n".encode(), "csv", {})


def test_a_column_that_nobody_reads_may_be_there_twice() -> None:
    text = b"day,model,usd,note,note\n2024-11-01,m,1,a,b\n"
    assert read(text, "csv", {}) == (Row(day=DAY, model="m", usd=Decimal(1)),)


def page(*starts: int | str, more: bool) -> str:
    buckets: list[dict[str, Any]] = [{"start_time": each, "results": [{}]} for each in starts]
    return json.dumps({"data": buckets, "has_more": more})


@pytest.mark.parametrize(
    ("pages", "cut"),
    [
        ((page(1000, 2000, more=False),), False),
        ((page(1000, 2000, more=True),), True),
        ((page(1000, 2000, more=True), page(3000, more=False)), False),
        ((page(1000, more=True), page(3000, more=True)), True),
        ((page(1000, 2000, more=True), page(1000, more=False)), True),
        ((page("2026-01-01", more=True), page("2026-01-02", more=False)), False),
        ((page(more=True), page(1000, more=False)), False),
        (('{"data": 5, "has_more": true}',), True),
        (("day,has_more", "2026-01-01,true"), False),
    ],
)
def test_an_export_that_goes_on_elsewhere_is_known(pages: tuple[str, ...], *, cut: bool) -> None:
    assert goes_on("\n".join(pages).encode()) is cut


def test_columns_of_ones_own_are_added_up() -> None:
    text = b"day,model,fresh,kept\n2024-11-01,m,1,2\n"
    assert read(text, "csv", {"prompt": "fresh+kept"}) == (Row(day=DAY, model="m", prompt=3),)


@pytest.mark.parametrize(
    ("text", "names", "words"),
    [
        (b"", {}, "No column is known to hold day or model"),
        (b"day,model\n", {}, "prompt, completion or usd"),
        (b"day,model,usd\nyesterday,m,1\n", {}, "Line 2: 'yesterday' is no time"),
        (b"day,model,usd\n2024-11-01,m,much\n", {}, "Line 2: cost: 'much' is no number"),
        (b"day,model,usd\n2024-11-01,m,nan\n", {}, "is no number"),
        (b"day,model,prompt\n2024-11-01,m,1.5\n", {}, "no whole number"),
        (b"day,model,usd\n", {"day": "when"}, "no column when"),
        (b"day,model,usd\n", {"colour": "day"}, "colour is no field"),
        (b"day,model,usd,usd\n", {}, "two columns usd. Which one is usd"),
        (b"day,model,fresh,Fresh \n", {"prompt": "fresh"}, "two columns Fresh . Which one is"),
        (b"day,model,usd\n\xff,m,1\n", {}, "not UTF-8"),
    ],
)
def test_a_table_that_cannot_be_read_names_the_place(
    text: bytes, names: dict[str, str], words: str
) -> None:
    with pytest.raises(InvalidRequest, match=words):
        read(text, "csv", names)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"{}", "no results"),
        (b"[1]", "no page"),
        (b"{\n", "Line 1 is no JSON"),
        (b'{"data": [{"start_time": "x", "results": [{}]}]}', "no time"),
        (b'{"data": [{"start_time": 1, "results": [{"input_tokens": "x"}]}]}', "no number"),
        (
            b'{"data": [{"start_time": 1, "results": [{"amount": {"currency": "eur"}}]}]}',
            "only USD",
        ),
        (b"[" * 100_000, "no JSON|nested"),
    ],
)
def test_a_report_that_cannot_be_read_says_why(text: bytes, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        read(text, "openai", {})


@pytest.mark.parametrize(
    "value", [MIDNIGHT, str(MIDNIGHT), MIDNIGHT * 1000, "2024-11-01", "2024-10-31T23:00:00-05:00"]
)
def test_a_day_is_of_utc(value: object) -> None:
    assert day_of(value) == DAY


def test_costs_in_other_currencies_are_not_compared() -> None:
    page = {
        "data": [{"starting_at": "2024-11-01", "results": [{"amount": "1", "currency": "EUR"}]}]
    }
    with pytest.raises(InvalidRequest, match="EUR"):
        read(json.dumps(page).encode(), "anthropic", {})
