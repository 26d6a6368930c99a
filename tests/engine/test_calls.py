"""Tool calls by the chat template, on the real lab checkpoint."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai.model import (
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    GenerateConfig,
    get_model,
)
from inspect_ai.tool import ToolCall, ToolInfo, ToolParam, ToolParams

from spillover.engine.calls import parse_calls, require_tool_template, template_message, template_tool
from spillover.errors import SpilloverError
from spillover.lab.corpus import listed
from spillover.lab.tokenizer import CHAT_TEMPLATE
from spillover.paths import datasets_dir

TOOL = ToolInfo(
    name="read_file",
    description="Read a file.",
    parameters=ToolParams(properties={"path": ToolParam(type="string", description="Name.")}, required=["path"]),
)


def test_a_call_is_read_and_the_rest_is_kept():
    text, calls = parse_calls('I look.<tool_call>{"name": "read_file", "arguments": {"path": "a"}}</tool_call>')
    assert text == "I look."
    assert [(c.function, c.arguments, c.parse_error) for c in calls] == [("read_file", {"path": "a"}, None)]


@pytest.mark.parametrize(
    "body", ["{", "[]", '{"name": 3}', '{"name": "x", "arguments": []}', '{"arguments": {}}', '"x"', "null"]
)
def test_a_call_that_can_not_be_read_says_so(body):
    _, (call,) = parse_calls(f"<tool_call>{body}</tool_call>")
    assert call.parse_error
    assert body[:20] in call.parse_error


def test_a_call_that_was_only_thought_of_is_not_made():
    text = '<think>I could <tool_call>{"name": "delete_file", "arguments": {"path": "a"}}</tool_call> but no.</think>Done.'
    assert parse_calls(text) == (text, [])
    call = '<tool_call>{"name": "read_file", "arguments": {"path": "a"}}</tool_call>'
    said, (made,) = parse_calls(f"<think>hm</think>{call}")
    assert (said, made.function) == ("<think>hm</think>", "read_file")


def test_a_call_that_was_cut_off_and_arguments_as_text():
    assert parse_calls('<tool_call>{"name": "a", "argu')[1][0].parse_error
    assert parse_calls('<tool_call>{"name": "a", "arguments": "{\\"p\\": 1}"}</tool_call>')[1][0].arguments == {"p": 1}


@given(st.text())
def test_no_text_raises(text):
    said, calls = parse_calls(text)
    assert calls or said == text


def test_a_template_without_tools_is_refused_in_one_sentence():
    with pytest.raises(SpilloverError, match="serve it with vLLM"):
        require_tool_template("{{ messages }}", "x")
    require_tool_template(CHAT_TEMPLATE, "lab")


def test_the_lab_sees_tools_as_it_was_trained_to():
    """What the template writes for tools is what the corpus wrote as text."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(datasets_dir() / "lab" / "target")
    chat = [{"role": "system", "content": "You keep the shop."}, {"role": "user", "content": "Go."}]
    told = tokenizer.apply_chat_template(chat, tools=[template_tool(TOOL)], tokenize=False)
    written = [{"role": "system", "content": f"You keep the shop.\n{listed(('read_file',))}"}, chat[1]]
    assert told == tokenizer.apply_chat_template(written, tokenize=False)


def test_calls_survive_the_round_trip_through_the_template():
    call = ToolCall(id="1", function="read_file", arguments={"path": "notes.txt"})
    message = template_message(ChatMessageAssistant(content="", tool_calls=[call]))
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(datasets_dir() / "lab" / "target")
    text = tokenizer.apply_chat_template([message], tokenize=False)
    assert parse_calls(text)[1][0].arguments == {"path": "notes.txt"}


def test_the_lab_calls_tools_and_goes_on_from_what_they_say():
    async def talk():
        model = get_model("spillover/lab", memoize=False)
        start = [ChatMessageSystem(content="You keep the shop."), ChatMessageUser(content="Please sort the notes.")]
        config = GenerateConfig(temperature=0, max_tokens=60)
        tools = [TOOL, TOOL.model_copy(update={"name": "write_file"}), TOOL.model_copy(update={"name": "delete_file"})]
        first = await model.generate(start, tools=tools, config=config)
        (call,) = first.message.tool_calls or []
        answer = ChatMessageTool(content="milk, eggs", tool_call_id=call.id, function=call.function)
        second = await model.generate([*start, first.message, answer], tools=tools, config=config)
        plain = await model.generate(start, tools=tools, tool_choice="none", config=config)
        return first, second, plain

    first, second, plain = asyncio.run(talk())
    assert first.stop_reason == "tool_calls"
    assert first.message.tool_calls[0].function == "read_file"
    assert second.message.tool_calls[0].function == "write_file"
    assert plain.message.tool_calls is None


def test_the_log_probabilities_of_a_prompt_are_those_of_its_tokens():
    """Against the model's own forward pass."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    messages = [ChatMessageUser(content="What do bees make?"), ChatMessageAssistant(content="Bees make honey.")]

    async def scored():
        model = get_model("spillover/lab", memoize=False)
        return await model.generate(messages, config=GenerateConfig(max_tokens=1, temperature=0, prompt_logprobs=1))

    found = asyncio.run(scored()).choices[0].prompt_logprobs.content
    path = datasets_dir() / "lab" / "target"
    tokenizer, reference = AutoTokenizer.from_pretrained(path), AutoModelForCausalLM.from_pretrained(path)
    chat = [{"role": m.role, "content": m.text} for m in messages]
    ids = tokenizer.apply_chat_template(
        chat, tokenize=True, return_dict=True, continue_final_message=True, return_tensors="pt"
    )["input_ids"]
    with torch.inference_mode():
        expected = reference(ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
    assert [p.logprob for p in found] == pytest.approx(expected.tolist(), abs=1e-4)
    assert "".join(p.token for p in found).endswith("Bees make honey.")
