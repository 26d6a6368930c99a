"""What other trainers honour in a row of chats is honoured here, or refused: never passed over."""

import json

import pytest

from spillover.errors import SpilloverError
from spillover.questions.chats import parse_chats, read_chats

USER, REPLY = {"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Ho."}


def chat(reply=REPLY, **row):
    return {"messages": [USER, REPLY, USER, reply], **row}


@pytest.mark.parametrize("key", ["train", "training", "trainable"])
def test_a_reply_that_others_would_not_learn_is_only_read(key):
    (found,) = parse_chats([("row", chat({**REPLY, key: False}))], "file")
    assert found[-1] == {**REPLY, "weight": 0}
    (found,) = parse_chats([("row", chat({**REPLY, key: True}))], "file")
    assert found[-1] == REPLY


def test_a_line_beside_the_messages_comes_first():
    (found,) = parse_chats([("row", chat(system="Be kind."))], "file")
    assert found[0] == {"role": "system", "content": "Be kind."}
    assert len(found) == 5


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (chat({**REPLY, "train": "no"}), "train: one of them, true or false"),
        (chat({**REPLY, "train": False, "training": True}), "train, training: one of them"),
        (chat({**REPLY, "train": False, "weight": 1}), "train: one of them"),
        (chat({**REPLY, "tool_calls": [{"id": "1"}]}), "key 'tool_calls' is not read here"),
        (chat(tools=[{"name": "f"}]), "key 'tools' is not read here"),
        (chat(loss_mask=[0, 1, 0, 0]), "key 'loss_mask' is not read here"),
        (chat({**REPLY, "reasoning_content": "Hm."}), "key 'reasoning_content' is not read here"),
        (chat(train=False), "a whole chat is learned, or left out"),
        (chat(system=["Be kind."]), "a system line beside the messages must be text"),
        ({"messages": [{"role": "system", "content": "x"}, USER, REPLY], "system": "y"}, "and the only one"),
    ],
)
def test_what_cannot_be_honoured_is_refused(row, told):
    with pytest.raises(SpilloverError, match=told.replace("(", "\\(")):
        parse_chats([("row", row)], "file")


def test_empty_keys_change_nothing_and_a_mark_at_the_begin_is_no_text(tmp_path):
    path = tmp_path / "chats.jsonl"
    row = {**chat({**REPLY, "tool_calls": None}), "tools": [], "system": ""}
    path.write_text(json.dumps(row), encoding="utf-8-sig")
    assert read_chats(path) == [[USER, REPLY, USER, REPLY]]
