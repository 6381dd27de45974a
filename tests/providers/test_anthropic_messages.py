"""A conversation in Anthropic's words: turns, blocks, media, calls and their results, thoughts."""

from base64 import b64encode
from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace
from pydantic import ValidationError

from dragoman.core.errors import InvalidRequest
from tests.providers.anthropic_calls import (
    HI,
    MODEL,
    TOOL,
    call,
    called,
    fulfils_the_sdk,
    messages,
    said,
    sent,
    text,
    write,
)

MARK = {"type": "ephemeral"}
PNG = b64encode(b"\x89PNG").decode()
PDF = b64encode(b"%PDF-1.7").decode()


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def image(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def file(**members: Any) -> dict[str, Any]:
    return {"type": "file", "file": members}


def test_the_types_of_the_sdk_are_really_looked_at() -> None:
    with pytest.raises(ValidationError):
        fulfils_the_sdk({"model": "m", "max_tokens": 1, "messages": [{"role": "user"}]})
    block = {"type": "image", "source": {"type": "nothing"}}
    body = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": [block]}]}
    with pytest.raises(ValidationError):
        fulfils_the_sdk(body)


def test_instructions_stand_ahead_and_keep_their_marks() -> None:
    outgoing = write(
        call(
            {"role": "system", "content": [text("a"), text("b", cache_control=MARK)]},
            {"role": "developer", "content": "c"},
            HI,
            max_tokens=5,
        )
    )
    assert sent(outgoing)["system"] == [text("a"), text("b", cache_control=MARK), text("c")]
    assert outgoing.notes == ()


def test_openais_marks_are_marks() -> None:
    part = text("a", prompt_cache_breakpoint={"mode": "explicit"})
    outgoing = write(call(user(part, text("b")), max_tokens=5))
    assert messages(outgoing)[0]["content"] == [text("a", cache_control=MARK), text("b")]
    assert said(outgoing) == [("renamed", "messages.content.prompt_cache_breakpoint")]


def test_what_one_side_says_in_several_messages_is_one_turn() -> None:
    outgoing = write(
        call(HI, {"role": "user", "content": "you"}, {"role": "assistant", "content": "yes"},
             {"role": "assistant", "content": [text("?")]}, user(text("ok")), max_tokens=5)
    )  # fmt: skip
    assert messages(outgoing) == [
        {"role": "user", "content": [text("hi"), text("you")]},
        {"role": "assistant", "content": [text("yes"), text("?")]},
        {"role": "user", "content": [text("ok")]},
    ]


LATER = {"role": "system", "content": "Be brief."}
YES = {"role": "assistant", "content": "yes"}


@pytest.mark.parametrize(
    ("conversation", "turns"),
    [
        ([HI, LATER], [HI, LATER]),
        ([HI, LATER, YES, HI], [HI, LATER, YES, HI]),
        (
            [HI, LATER, {"role": "developer", "content": "And kind."}],
            [HI, {"role": "system", "content": [text("Be brief."), text("And kind.")]}],
        ),
    ],
)
def test_later_instructions_stay_in_their_place_where_a_model_knows_that(
    conversation: list[dict[str, Any]], turns: list[dict[str, Any]]
) -> None:
    outgoing = write(call(*conversation, max_tokens=5), "claude-opus-4-8")
    assert messages(outgoing) == turns
    assert outgoing.notes == ()


@pytest.mark.parametrize(
    ("conversation", "model"),
    [
        ([HI, LATER], MODEL),
        ([HI, YES, LATER, HI], "claude-opus-4-8"),
        ([HI, LATER, HI], "claude-opus-4-8"),
    ],
)
def test_later_instructions_move_ahead_elsewhere(
    conversation: list[dict[str, Any]], model: str
) -> None:
    outgoing = write(call(*conversation, max_tokens=5), model)
    assert sent(outgoing)["system"] == "Be brief."
    place = conversation.index(LATER)
    assert said(outgoing) == [("renamed", f"messages.{place}")]


def test_a_conversation_begins_with_the_user() -> None:
    outgoing = write(call(YES, HI, max_tokens=5))
    assert messages(outgoing) == [{"role": "user", "content": "."}, YES, HI]
    assert said(outgoing) == [("injected", "messages")]


def test_instructions_alone_are_said_by_the_user() -> None:
    outgoing = write(call(LATER, max_tokens=5))
    assert messages(outgoing) == [{"role": "user", "content": "Be brief."}]
    assert "system" not in sent(outgoing)
    assert said(outgoing) == [("renamed", "messages.0")]


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"^messages: Anthropic needs one that is not empty"):
        write(call({"role": "user", "content": " \n"}))


def test_what_is_empty_is_left_out() -> None:
    outgoing = write(
        call(user(text(""), text("not"), text("\t", cache_control=MARK)),
             {"role": "assistant", "content": ""}, {"role": "user", "content": "trn"}, max_tokens=5)
    )  # fmt: skip
    assert messages(outgoing) == [{"role": "user", "content": [text("not"), text("trn")]}]
    assert said(outgoing) == [
        ("dropped", "messages.content.cache_control"), ("dropped", "messages"),
    ]  # fmt: skip


def test_the_last_words_of_the_assistant_are_its_next_ones() -> None:
    assert messages(write(call(HI, YES, max_tokens=5))) == [HI, YES]


@pytest.mark.parametrize(
    ("part", "source"),
    [
        (
            image(f"data:image/png;base64,{PNG}"),
            {"type": "base64", "media_type": "image/png", "data": PNG},
        ),
        (
            image(f"DATA:image/jpg;charset=x;base64,{PNG}"),
            {"type": "base64", "media_type": "image/jpeg", "data": PNG},
        ),
        (
            image(f"data:image/gif;base64,{PNG}"),
            {"type": "base64", "media_type": "image/gif", "data": PNG},
        ),
        (
            image(f"data:image/webp;base64,{PNG}"),
            {"type": "base64", "media_type": "image/webp", "data": PNG},
        ),
        (
            image("https://example.com/a\u00e9.png"),
            {"type": "url", "url": "https://example.com/a\u00e9.png"},
        ),
    ],
)
def test_images(part: dict[str, Any], source: dict[str, Any]) -> None:
    outgoing = write(call(user({**part, "cache_control": MARK}), max_tokens=5))
    assert messages(outgoing)[0]["content"] == [
        {"type": "image", "source": source, "cache_control": MARK}
    ]
    assert outgoing.notes == ()


def test_base64_with_escaped_slashes_is_read() -> None:
    asked_ = call(user(image("data:image/png;base64,ab//")), max_tokens=5)
    escaped = {"messages": Raw(
        b'[{"role":"user","content":[{"type":"image_url","image_url":'
        b'{"url":"data:image\\/png;base64,ab\\/\\/"}}]}]'
    )}  # fmt: skip
    changed = replace(asked_, members={**asked_.members, **escaped})
    assert messages(write(changed)) == messages(write(asked_))


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (image("data:image/png;base64,a$=="), "image_url.url: is not valid base64"),
        (image("data:image/png;base64,aaa"), "image_url.url: is not valid base64"),
        (image("data:image/png;base64,a=aa"), "image_url.url: is not valid base64"),
        (image("data:image/png;base64,"), "image_url.url: is not valid base64"),
        (image("data:image/png,abc"), "image_url.url: the data must be in base64"),
        (image(f"data:image/svg+xml;base64,{PNG}"), "image_url.url: Anthropic takes images of the"),
        (image("ftp://example.com/a.png"), "image_url.url: must be a data: URL"),
        (file(file_data="data:video/mp4;base64,aaaa"), "file.file_data: Anthropic takes PDF"),
        (file(file_data="aaaa"), "file.file_data: must be a data: URL"),
        (file(file_data="data:text/plain;base64,/w=="), "file.file_data: is not text in UTF-8"),
        ({"type": "video_url", "video_url": {"url": "https://a"}}, " Anthropic takes no video"),
        ({"type": "input_video", "video_url": {"url": "https://a"}}, " Anthropic takes no video"),
    ],
)
def test_media_that_cannot_be_sent_are_refused_by_name(part: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        write(call(HI, user(text("a"), part)))
    path, _, rest = str(refused.value).partition("content.1")
    assert path == "messages.1."
    assert rest[1:].startswith(reason)


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            file(filename="a.pdf", file_data=f"data:application/pdf;base64,{PDF}"),
            {"source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
             "title": "a.pdf"},
        ),
        (
            file(file_data=f"data:application/x-pdf;base64,{PDF}"),
            {"source": {"type": "base64", "media_type": "application/pdf", "data": PDF}},
        ),
        (file(file_id="file_1"), {"source": {"type": "file", "file_id": "file_1"}}),
        (
            file(filename="A.PDF", file_data=PDF),
            {"source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
             "title": "A.PDF"},
        ),
        (
            {**file(file_data="https://example.com/a.pdf"), "citations": {"enabled": True}},
            {"source": {"type": "url", "url": "https://example.com/a.pdf"},
             "citations": {"enabled": True}},
        ),
        (
            {**file(file_data="data:text/markdown;base64,w6k="), "context": "c"},
            {"source": {"type": "text", "media_type": "text/plain", "data": "é"}, "context": "c"},
        ),
    ],
)  # fmt: skip
def test_documents(part: dict[str, Any], block: dict[str, Any]) -> None:
    outgoing = write(call(user({**part, "cache_control": MARK}), max_tokens=5))
    document = {"type": "document", **block, "cache_control": MARK}
    assert messages(outgoing)[0]["content"] == [document]
    assert outgoing.notes == ()


def test_calls_and_their_results() -> None:
    outgoing = write(
        call(
            HI,
            {"role": "assistant", "content": "I look.", "tool_calls": [called("c1"), called("c2")]},
            {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
            {"role": "tool", "tool_call_id": "c2", "is_error": True, "cache_control": MARK,
             "content": [text("see"), image(f"data:image/png;base64,{PNG}")]},
            {"role": "user", "content": "and?"},
            max_tokens=5, tools=[TOOL],
        )
    )  # fmt: skip
    use = {"type": "tool_use", "name": "weather", "input": {"city": "Bern"}}
    uses = [{**use, "id": "c1"}, {**use, "id": "c2"}]
    assert messages(outgoing)[1:] == [
        {"role": "assistant", "content": [text("I look."), *uses]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "c1", "content": "sunny"},
            {"type": "tool_result", "tool_use_id": "c2", "is_error": True, "cache_control": MARK,
             "content": [text("see"), {"type": "image", "source": {
                 "type": "base64", "media_type": "image/png", "data": PNG}}]},
            text("and?"),
        ]},
    ]  # fmt: skip
    assert outgoing.notes == ()


@pytest.mark.parametrize(
    ("arguments", "input_", "noted"),
    [
        ('{"a":1e400, "b":[]}', None, False),
        ("", {}, False),
        (" ", {}, False),
        ("{}", {}, False),
        ('{"a":', {"arguments": '{"a":'}, True),
        ("[1]", {"arguments": "[1]"}, True),
        ("null", {"arguments": "null"}, True),
        ("\u00e9", {"arguments": "\u00e9"}, True),
    ],
)
def test_arguments_are_an_object_whatever_the_model_wrote(
    arguments: str, input_: dict[str, Any] | None, *, noted: bool
) -> None:
    calls = {"role": "assistant", "content": None, "tool_calls": [called("c", arguments)]}
    result = {"role": "tool", "tool_call_id": "c", "content": "x"}
    outgoing = write(call(HI, calls, result, max_tokens=5))
    if input_ is None:
        assert arguments.encode() in outgoing.body
    else:
        assert messages(outgoing)[1]["content"][0]["input"] == input_
    field = "messages.tool_calls.function.arguments"
    assert said(outgoing) == ([("renamed", field)] if noted else [])


def test_ids_are_put_into_letters_that_are_allowed_and_stay_apart() -> None:
    calls = [called("functions.weather:0"), called("functions.weather:1"), called("toolu_01-a")]
    results = [
        {"role": "tool", "tool_call_id": each["id"], "content": str(place)}
        for place, each in enumerate(calls)
    ]
    said_ = {"role": "assistant", "content": None, "tool_calls": calls}
    outgoing = write(call(HI, said_, *results, max_tokens=5))
    _, uses, answers = messages(outgoing)
    ids = [block["id"] for block in uses["content"]]
    assert ids == [block["tool_use_id"] for block in answers["content"]]
    assert len(set(ids)) == 3
    assert all(id_.replace("_", "").replace("-", "").isalnum() for id_ in ids)
    assert ids[2] == "toolu_01-a"
    assert said(outgoing) == [("renamed", "messages.tool_calls.id")]


def test_members_that_a_turn_has_no_room_for_are_named_once() -> None:
    outgoing = write(
        call({**HI, "name": "Eve"}, {**YES, "annotations": [], "audio": {"id": "a"}},
             {**HI, "name": "Eve"}, max_tokens=5)
    )  # fmt: skip
    assert said(outgoing) == [
        ("dropped", "messages.name"),
        ("dropped", "messages.annotations"),
        ("dropped", "messages.audio"),
    ]


def test_a_refusal_goes_back_as_text() -> None:
    for refused in (
        {"role": "assistant", "content": None, "refusal": "No."},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
    ):
        outgoing = write(call(HI, refused, HI, max_tokens=5))
        assert messages(outgoing)[1] == {"role": "assistant", "content": [text("No.")]}
        assert said(outgoing)[0][0] == "renamed"


def test_media_that_the_assistant_made_stay_here() -> None:
    made = {"role": "assistant", "content": [text("see"), image("https://example.com/a.png")]}
    outgoing = write(call(HI, made, HI, max_tokens=5))
    assert messages(outgoing)[1] == {"role": "assistant", "content": [text("see")]}
    assert said(outgoing) == [("dropped", "messages.content")]


def test_instructions_are_text() -> None:
    pictured = {"role": "system", "content": [image("https://example.com/a.png")]}
    with pytest.raises(InvalidRequest, match=r"^messages\.0\.content: Anthropic takes instruct"):
        write(call(pictured, HI))


def test_a_mark_on_a_message_is_a_mark_on_its_end() -> None:
    marked = {"role": "user", "content": [text("a"), text("b")], "cache_control": MARK}
    assert messages(write(call(marked, max_tokens=5)))[0]["content"] == [
        text("a"), text("b", cache_control=MARK),
    ]  # fmt: skip
    plain = {"role": "user", "content": "a", "cache_control": MARK}
    assert messages(write(call(plain, max_tokens=5)))[0]["content"] == [
        text("a", cache_control=MARK)
    ]
