"""What a Responses request comes to in the hub, and what is refused."""

from typing import Any

import pytest

from dragoman.core.errors import InvalidRequest
from dragoman.wire.responses.dialect import RESPONSES
from dragoman.wire.responses.thoughts import OPENAI, seal
from tests.wire.responses_calls import HELLO, call, hub, lost, messages

USER = {"role": "user", "content": "hello"}
CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a":1}'}
CALLED = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "done"}
SAID = {
    "type": "message",
    "role": "assistant",
    "id": "msg_1",
    "status": "completed",
    "content": [{"type": "output_text", "text": "so", "annotations": []}],
}
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}


def test_a_string_is_what_the_user_says() -> None:
    asked = call(instructions="Be kind.", input="h\u00e9llo")
    assert hub(asked)["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "h\u00e9llo"},
    ]
    assert (asked.model, asked.stream, asked.text_bytes) == ("acme/turbo", False, 14)
    assert lost(asked) == ()


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"role": "developer", "content": "x"}, {"role": "system", "content": "x"}),
        ({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]},
         {"role": "user", "content": "x"}),
        ({"role": "user", "content": [{"type": "input_image", "image_url": "http://x/i.png",
                                       "detail": "low"}]},
         {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x/i.png",
                                                                          "detail": "low"}}]}),
        ({"role": "user", "content": [{"type": "input_file", "filename": "a.pdf",
                                       "file_data": "data:application/pdf;base64,JVBE"}]},
         {"role": "user", "content": [{"type": "file", "file": {
             "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}}]}),
        ({"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]},
         {"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}),
        ({"role": "user", "content": [{"type": "input_file", "file_url": "http://x/a.pdf"}]},
         {"role": "user", "content": [{"type": "file", "file": {"file_data": "http://x/a.pdf"}}]}),
        ({"role": "user", "content": [{"type": "input_audio",
                                       "input_audio": {"data": "UklG", "format": "wav"}}]},
         {"role": "user", "content": [{"type": "input_audio",
                                       "input_audio": {"data": "UklG", "format": "wav"}}]}),
        ({"role": "user", "content": [{"type": "input_video", "video_url": "http://x/v.mp4"}]},
         {"role": "user", "content": [{"type": "video_url",
                                       "video_url": {"url": "http://x/v.mp4"}}]}),
        ({"role": "user", "content": [{"type": "input_text", "text": "x",
                                       "prompt_cache_breakpoint": {"mode": "explicit"}}]},
         {"role": "user", "content": [{"type": "text", "text": "x",
                                       "prompt_cache_breakpoint": {"mode": "explicit"}}]}),
        ({"role": "assistant", "content": "x"}, {"role": "assistant", "content": "x"}),
        (SAID, {"role": "assistant", "content": "so"}),
        ({"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
         {"role": "assistant", "content": None, "refusal": "no"}),
    ],
)  # fmt: skip
def test_a_message(item: Any, message: Any) -> None:
    assert messages(item) == [message]


def test_what_a_model_said_in_items_is_one_message() -> None:
    thought = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "hm"}],
        "encrypted_content": "gAAA",
    }
    shared = {"format": OPENAI, "id": "rs_1"}
    assert messages(USER, thought, SAID, CALL, OUTPUT, SAID) == [
        USER,
        {
            "role": "assistant",
            "content": "so",
            "reasoning": "hm",
            "reasoning_details": [
                {"type": "reasoning.summary", "summary": "hm", **shared, "index": 0},
                {"type": "reasoning.encrypted", "data": "gAAA", **shared, "index": 1},
            ],
            "tool_calls": [CALLED],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "done"},
        {"role": "assistant", "content": "so"},
    ]


def test_calls_stay_with_their_message_until_they_are_answered() -> None:
    found = messages(USER, CALL, SAID, {**CALL, "call_id": "c2"}, OUTPUT)
    assert [each["role"] for each in found] == ["user", "assistant", "tool"]
    assert found[1]["content"] == "so"
    assert [each["id"] for each in found[1]["tool_calls"]] == ["c1", "c2"]


def test_two_answers_are_two_messages() -> None:
    assert [each["content"] for each in messages(SAID, SAID)] == ["so", "so"]


def test_a_reference_to_a_thought_is_left_out() -> None:
    thought = {"type": "item_reference", "id": "rs_tmp_aB3_0"}
    asked = call(input=[USER, thought, CALL, OUTPUT])
    assert hub(asked)["messages"] == messages(USER, CALL, OUTPUT)
    assert lost(asked) == ("input.item_reference",)


def test_reasoning_that_nothing_followed_is_left_out() -> None:
    asked = call(input=[*HELLO, {"type": "reasoning", "summary": []}, USER])
    assert [each["role"] for each in hub(asked)["messages"]] == ["user", "user"]
    assert lost(asked) == ("input.reasoning",)


@pytest.mark.parametrize(
    ("thought", "details"),
    [
        ({"content": [{"type": "reasoning_text", "text": "hm"}]},
         [{"type": "reasoning.text", "text": "hm", "format": "unknown"}]),
        ({"content": [{"type": "reasoning_text", "text": "hm"}], "signature": "S",
          "format": "anthropic-claude-v1"},
         [{"type": "reasoning.text", "text": "hm", "signature": "S",
           "format": "anthropic-claude-v1"}]),
        ({"encrypted_content": "x", "format": "xai-responses-v1"},
         [{"type": "reasoning.encrypted", "data": "x", "format": "xai-responses-v1"}]),
        ({"encrypted_content": seal([{"type": "reasoning.text", "text": "a", "signature": "S",
                                      "format": "anthropic-claude-v1"}]),
          "summary": [{"type": "summary_text", "text": "unread"}]},
         [{"type": "reasoning.text", "text": "a", "signature": "S",
           "format": "anthropic-claude-v1"}]),
    ],
)  # fmt: skip
def test_reasoning_keeps_who_signed_it(thought: Any, details: Any) -> None:
    (message,) = messages({"type": "reasoning", "summary": [], **thought}, SAID)
    expected = [{**each, "index": n} for n, each in enumerate(details)]
    assert message["reasoning_details"] == expected


@pytest.mark.parametrize(
    ("item", "name", "arguments"),
    [
        ({"type": "custom_tool_call", "name": "apply_patch", "input": 'a"b'},
         "apply_patch", '{"input":"a\\"b"}'),
        ({**CALL, "namespace": "mcp__x"}, "mcp__x__f", '{"a":1}'),
        ({**CALL, "namespace": "mcp__x__"}, "mcp__x__f", '{"a":1}'),
        ({"type": "local_shell_call", "action": {"type": "exec", "command": ["ls"]}},
         "local_shell", '{"type": "exec", "command": ["ls"]}'),
        ({"type": "shell_call", "action": {"commands": ["ls"]}}, "shell", '{"commands": ["ls"]}'),
        ({"type": "apply_patch_call", "operation": {"type": "delete_file", "path": "a"}},
         "apply_patch", '{"type": "delete_file", "path": "a"}'),
        ({"type": "tool_search_call", "arguments": {"query": "x"}},
         "tool_search", '{"query": "x"}'),
    ],
)  # fmt: skip
def test_calls_are_calls_of_functions(item: Any, name: str, arguments: str) -> None:
    (message,) = messages({**item, "call_id": "c1"})
    assert message["tool_calls"] == [
        {"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}
    ]


@pytest.mark.parametrize(
    ("item", "content"),
    [
        (OUTPUT, "done"),
        ({**OUTPUT, "output": [{"type": "input_text", "text": "a"},
                               {"type": "input_image", "image_url": "data:x", "detail": "auto"}]},
         [{"type": "text", "text": "a"},
          {"type": "image_url", "image_url": {"url": "data:x", "detail": "auto"}}]),
        ({**OUTPUT, "type": "custom_tool_call_output"}, "done"),
        ({"type": "shell_call_output", "call_id": "c1", "output": [{"stdout": "a"}]},
         '[{"stdout": "a"}]'),
        ({"type": "apply_patch_call_output", "call_id": "c1", "status": "failed"}, "failed"),
        ({"type": "tool_search_output", "call_id": "c1", "tools": [FUNCTION]}, None),
    ],
)  # fmt: skip
def test_what_tools_put_out(item: Any, content: Any) -> None:
    (message,) = messages(item)
    assert (message["role"], message["tool_call_id"]) == ("tool", "c1")
    if content is not None:
        assert message["content"] == content


def test_the_output_of_a_local_shell_names_the_item() -> None:
    shell = {"type": "local_shell_call", "id": "lsh_1", "call_id": "c9",
             "action": {"type": "exec", "command": ["ls"], "env": {}}}  # fmt: skip
    found = messages(shell, {"type": "local_shell_call_output", "id": "lsh_1", "output": "a"})
    assert found[1] == {"role": "tool", "tool_call_id": "c9", "content": "a"}


def test_tools_become_functions() -> None:
    long = "n" * 70
    asked = call(
        tools=[
            FUNCTION,
            {"type": "namespace", "name": "ns", "description": "d", "tools": [FUNCTION]},
            {"type": "custom", "name": "patch", "description": "Patches.",
             "format": {"type": "grammar", "syntax": "lark", "definition": "start: X"}},
            {"type": "local_shell"},
            {"type": "function", "name": long, "parameters": None},
            {"type": "tool_search", "execution": "client", "description": "Finds.",
             "parameters": {"type": "object"}},
        ]
    )  # fmt: skip
    tools = [each["function"] for each in hub(asked)["tools"]]
    assert [each["name"] for each in tools[:4]] == ["f", "ns__f", "patch", "local_shell"]
    assert tools[0] == {"name": "f", "parameters": {"type": "object"}, "strict": True}
    assert tools[2]["description"].startswith("Patches.\n\nThe input must match this lark grammar")
    assert tools[2]["parameters"]["required"] == ["input"]
    assert len(tools[4]["name"]) == 64
    assert tools[4]["name"] != long[:64]
    assert tools[5]["name"] == "tool_search"
    assert lost(asked) == ()


def test_names_that_would_be_one_are_told_apart() -> None:
    flat = {**FUNCTION, "name": "ns__f"}
    space = {"type": "namespace", "name": "ns", "description": "", "tools": [FUNCTION]}
    names = [each["function"]["name"] for each in hub(call(tools=[flat, space]))["tools"]]
    assert names[0] == "ns__f"
    assert names[1].startswith("ns__f_")


def test_items_bring_tools() -> None:
    asked = call(
        input=[
            {"type": "additional_tools", "role": "developer", "tools": [FUNCTION]},
            {"type": "tool_search_call", "call_id": "c1", "arguments": {}},
            {"type": "tool_search_output", "call_id": "c1", "tools": [{**FUNCTION, "name": "g"}]},
        ]
    )
    assert [each["function"]["name"] for each in hub(asked)["tools"]] == ["f", "g"]


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "name": "f"}, {"type": "function", "function": {"name": "f"}}),
        ({"type": "custom", "name": "patch"}, {"type": "function", "function": {"name": "patch"}}),
        ({"type": "allowed_tools", "mode": "required",
          "tools": [{"type": "function", "name": "f"}]}, "required"),
    ],
)  # fmt: skip
def test_tool_choice(choice: Any, told: Any) -> None:
    tools = [FUNCTION, {"type": "custom", "name": "patch"}]
    found = hub(call(tools=tools, tool_choice=choice))
    assert found["tool_choice"] == told
    if isinstance(choice, dict) and "mode" in choice:
        assert [each["function"]["name"] for each in found["tools"]] == ["f"]


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({"max_output_tokens": 99}, {"max_tokens": 99}),
        ({"text": {"format": {"type": "json_object"}, "verbosity": "low"}},
         {"response_format": {"type": "json_object"}, "verbosity": "low"}),
        ({"text": {"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"},
                              "strict": True}}},
         {"response_format": {"type": "json_schema", "json_schema": {
             "name": "a", "schema": {"type": "object"}, "strict": True}}}),
        ({"text": {"format": {"type": "text"}}}, {}),
        ({"reasoning": {"effort": "low", "summary": "auto"}},
         {"reasoning": {"effort": "low", "summary": "auto"}}),
        ({"reasoning": {"generate_summary": "concise"}}, {"reasoning": {"summary": "concise"}}),
        ({"reasoning": None}, {}),
        ({"top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}),
        ({"include": ["message.output_text.logprobs"]}, {"logprobs": True}),
        ({"safety_identifier": "u1"}, {"user": "u1"}),
        ({"safety_identifier": "u1", "user": "u2"}, {"user": "u2"}),
        ({"temperature": 0.5, "top_p": 0.9, "top_k": 4, "prompt_cache_key": "k"},
         {"temperature": 0.5, "top_p": 0.9, "top_k": 4, "prompt_cache_key": "k"}),
        ({"prompt_cache_retention": "24h"}, {"prompt_cache_retention": "24h"}),
        ({"models": ["a/b"], "provider": {"only": ["x"]}, "session_id": "s", "trace": {"a": 1}},
         {"models": ["a/b"], "provider": {"only": ["x"]}, "session_id": "s", "trace": {"a": 1}}),
        ({"store": False, "previous_response_id": None, "background": False}, {}),
    ],
)  # fmt: skip
def test_members(members: Any, found: Any) -> None:
    told = hub(call(**members))
    assert told.pop("model") == "acme/turbo"
    assert told.pop("messages") == HELLO
    assert told == found


@pytest.mark.parametrize(
    ("members", "names"),
    [
        ({"client_metadata": {"a": "b"}}, ("client_metadata",)),
        ({"truncation": "auto"}, ("truncation",)),
        ({"include": ["file_search_call.results"]}, ("include.file_search_call.results",)),
        ({"reasoning": {"effort": "low", "exclude": True}}, ("reasoning.exclude",)),
        ({"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]},
         ("tools.code_interpreter",)),
        ({"tools": [{"type": "computer_use_preview", "environment": "browser"}]},
         ("tools.computer_use_preview",)),
        ({"tools": [{"type": "web_search"}], "max_tool_calls": 3},
         ("max_tool_calls", "tools.web_search")),
        ({"input": [{"type": "web_search_call", "id": "ws", "status": "completed"}, USER]},
         ("input.web_search_call",)),
        ({"tools": [{"type": "file_search"}], "tool_choice": "required"},
         ("tools.file_search", "tool_choice")),
    ],
)  # fmt: skip
def test_what_the_hub_has_no_room_for_is_named(members: Any, names: Any) -> None:
    asked = call(**members)
    assert sorted(lost(asked)) == sorted(names)
    assert asked.not_applied == ()


def test_what_only_the_same_api_understands_is_named() -> None:
    asked = call(input=[USER, {"type": "compaction", "encrypted_content": "x"}])
    assert asked.native is not None
    assert asked.native.needs == "input.1 (compaction)"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"store": True}, "store: must be false"),
        ({"previous_response_id": "resp_1"}, "previous_response_id: is not accepted"),
        ({"conversation": {"id": "c"}}, "conversation: is not accepted"),
        ({"prompt": {"id": "p"}}, "prompt: is not accepted"),
        ({"background": True}, "background: must be false"),
        ({"api_base": "http://evil"}, "api_base: is not accepted"),
        ({"input": None}, "input: is required"),
        ({"input": []}, "input: must not be empty"),
        ({"input": 7}, "input: must be a string or an array"),
        ({"input": [7]}, "input.0: "),
        ({"input": [{"role": "critic", "content": "x"}]}, "input.0.role: Invalid option"),
        ({"input": [{"role": "user"}]}, "input.0.content: is required"),
        ({"input": [{"role": "user", "content": [{"type": "smell"}]}]},
         "input.0.content.0.type: Invalid option: expected one of"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]},
         "input.0.content.0.text: is required"),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": 7}]}]},
         "input.0.content.0.text: must be a string"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
         "input.0.content.0: needs 'image_url' or 'file_id'"),
        ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]},
         "input.0.content.0: needs 'file_data'"),
        ({"input": [{"role": "assistant", "content": [{"type": "input_image"}]}]},
         "input.0.content.0.type: Invalid option"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input.0: nothing is kept"),
        ({"input": [{"type": "item_reference"}]}, "input.0: nothing is kept"),
        ({"input": [{**CALL, "call_id": None}]}, "input.0.call_id: is required"),
        ({"input": [{**CALL, "name": None}]}, "input.0.name: is required"),
        ({"input": [{**CALL, "arguments": {}}]}, "input.0.arguments: must be a string"),
        ({"input": [{"type": "custom_tool_call", "call_id": "c", "name": "n"}]},
         "input.0.input: is required"),
        ({"input": [{"type": "shell_call", "call_id": "c"}]}, "input.0.action: must be an object"),
        ({"input": [{**OUTPUT, "call_id": None}]}, "input.0.call_id: is required"),
        ({"input": [{**OUTPUT, "output": 7}]}, "input.0.output: must be a string or an array"),
        ({"input": [{"type": "reasoning", "summary": [], "encrypted_content": "dm1.%%%"}]},
         "input.0.encrypted_content: is not what was sent"),
        ({"input": [{"type": "reasoning", "summary": [], "encrypted_content": "dm1.e30="}]},
         "input.0.encrypted_content: is not what was sent"),
        ({"input": [{"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text"}]}]},
         "input.0.content.0.text: is required"),
        ({"max_output_tokens": 0}, "max_output_tokens: must be an integer between 1"),
        ({"tools": [{"type": "function"}]}, "tools.0.name: is required"),
        ({"tools": [{"type": "namespace", "tools": []}]}, "tools.0.name: is required"),
        ({"tools": [{"name": "f"}]}, "tools.0.type: is required"),
        ({"tools": [{"type": "function", "name": "f", "parameters": 7}]},
         "tools.0.parameters: must be an object"),
        ({"tools": [FUNCTION], "tool_choice": {"type": "function", "name": "g"}},
         "tool_choice.name: is not the name"),
        ({"text": {"format": {"type": "json_schema", "name": "a"}}},
         "text.format.schema: must be an object"),
        ({"text": {"format": {"type": "yaml"}}}, "text.format"),
        ({"reasoning": {"effort": "lots"}}, "reasoning.effort: Invalid option"),
        ({"reasoning": 7}, "reasoning: must be an object"),
        ({"top_logprobs": 21}, "top_logprobs: must be an integer between 0 and 20"),
        ({"temperature": 3}, "temperature: must be a number between 0 and 2"),
        ({"truncation": "middle"}, "truncation: Invalid option"),
    ],
)  # fmt: skip
def test_what_is_refused(members: Any, message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        call(**members)
    assert refused.value.message.startswith(message)


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep = "[" * 200_000 + "]" * 200_000
    body = f'{{"model":"m","input":"x","tools":[{{"type":"function","name":"f","x":{deep}}}]}}'
    with pytest.raises(InvalidRequest, match="nested"):
        RESPONSES.parse(body.encode(), {})
