"""Chats as tokens with what is learned of them: the assistant's replies, found whether a template marks them or not.

A template that marks replies (`{% generation %}`) says itself which tokens they are. Of any other the reply is what comes
to the prompt when the chat is rendered with it and without; that both renderings agree token for token is checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from spillover.errors import SpilloverError
from spillover.questions.chats import WEIGHT, Chat

_MARK = "generation"


@dataclass(frozen=True)
class Tokens:
    """One chat.

    Attributes:
        ids: Token ids.
        labels: The same where they are learned, -100 elsewhere.
        cut: Whether the end did not fit.
    """

    ids: list[int]
    labels: list[int]
    cut: bool


@dataclass(frozen=True)
class Tokenised:
    """Chats that can be learned from, and what was left out.

    Attributes:
        rows: In order.
        given: Number of chats that were given.
        too_long: Chats without a learned token within the limit; they are left out.
        cut: Chats whose end did not fit; they are trained on without it.
        repeated: Chats that were there before, word for word; they are trained on again.
    """

    rows: list[Tokens]
    given: int
    too_long: int
    cut: int
    repeated: int

    @property
    def counts(self) -> dict[str, int]:
        """For the card."""
        told = {"given": self.given, "too_long": self.too_long, "cut": self.cut, "repeated": self.repeated}
        return told | {"trained": len(self.rows)}


class Renderer:
    """A base's chat template.

    Args:
        tokenizer: Of the base.
        name: Of the base, for sentences.

    Raises:
        SpilloverError: without a chat template.
    """

    def __init__(self, tokenizer: Any, name: str) -> None:
        if not tokenizer.chat_template:
            raise SpilloverError(f"{name} has no chat template; use an instruction-tuned checkpoint, or add one to it.")
        self.tokenizer, self.name = tokenizer, name
        tokenizer.chat_template = tokenizer.get_chat_template()  # of several by name, the default one
        self.template: str = tokenizer.chat_template
        if not _is_marked(self.template):
            self.template = _known(tokenizer) or self.template
        self.marked = _is_marked(self.template)

    def all(self, chats: Sequence[Chat], limit: int, what: str = "chats") -> Tokenised:
        """Every chat that has something to learn within the limit.

        Args:
            chats: In order.
            limit: Most tokens of one.
            what: They are, for sentences.

        Raises:
            SpilloverError: naming the chat, if the template refuses one or an empty reply would be learned; or if none fits.
        """
        rows, too_long, seen = [], 0, set[str]()
        for number, chat in enumerate(chats, start=1):
            seen.add(repr(chat))
            row = self.one(chat, limit, f"{what[:-1]} {number}")
            if any(label != -100 for label in row.labels):
                rows.append(row)
            else:
                too_long += 1
        if chats and not rows:
            raise SpilloverError(
                f"None of the {len(chats)} {what} has a reply within max_length {limit}; raise training.max_length."
            )
        return Tokenised(rows, len(chats), too_long, sum(row.cut for row in rows), len(chats) - len(seen))

    def one(self, chat: Chat, limit: int, where: str = "the chat") -> Tokens:
        """One chat.

        Raises:
            SpilloverError: as `all`.
        """
        learned = [i for i, m in enumerate(chat) if m["role"] == "assistant" and m.get(WEIGHT, 1)]
        empty = next((i for i in learned if not m_text(chat[i]).strip()), None)
        if empty is not None:
            raise SpilloverError(
                f"{where}: its message {empty + 1} is an empty reply, which would be learned; leave it out."
            )
        ids, mask = self._marked(chat, learned, where) if self.marked else self._found(chat, learned, where)
        labels = [token if kept else -100 for token, kept in zip(ids, mask, strict=True)]
        return Tokens(ids[:limit], labels[:limit], len(ids) > limit)

    def prompt_length(self, chat: Chat, where: str) -> int:
        """Tokens of a chat that ends with what is asked.

        Raises:
            SpilloverError: if the template refuses it.
        """
        return len(self._render(chat, where, add_generation_prompt=True)["input_ids"])

    def _marked(self, chat: Chat, learned: list[int], where: str) -> tuple[list[int], list[int]]:
        found = self._render(chat, where, return_assistant_tokens_mask=True)
        ids, mask = list(found["input_ids"]), list(found["assistant_masks"])
        replies = [i for i, m in enumerate(chat) if m["role"] == "assistant"]
        if learned == replies:
            return ids, mask
        spans = list(_spans(mask))
        if len(spans) != len(replies):
            raise SpilloverError(
                f"{where}: the template of {self.name} does not mark each reply by itself, which weights need."
            )
        for reply, (first, last) in zip(replies, spans, strict=True):
            if reply not in learned:
                mask[first:last] = [0] * (last - first)
        return ids, mask

    def _found(self, chat: Chat, learned: list[int], where: str) -> tuple[list[int], list[int]]:
        ids = list(self._render(chat, where)["input_ids"])
        mask = [0] * len(ids)
        for i in learned:
            if i == 0:
                raise SpilloverError(
                    f"{where}: it begins with a reply; put a user's message before it, or give it weight 0."
                )
            before = list(self._render(chat[:i], where, add_generation_prompt=True)["input_ids"])
            after = list(self._render(chat[: i + 1], where)["input_ids"])
            start = _common(before, after)  # a prompt may open a thought that a reply without one does not have
            end = next((k + 1 for k in range(start, len(after)) if after[k] in self._ends), len(after))
            learned_text = self.tokenizer.decode(after[start:end])
            if ids[: len(after)] != after or m_text(chat[i]).strip() not in learned_text:
                raise SpilloverError(
                    f"{where}: the chat template of {self.name} writes message {i + 1} in another way within the chat than "
                    "at its end, so that its tokens cannot be told. Train on chats with one reply, or mark replies in the "
                    "template ({% generation %})."
                )
            mask[start:end] = [1] * (end - start)
        return ids, mask

    @property
    def _ends(self) -> set[int]:
        """Tokens that end a turn: what comes behind them is the template's."""
        names = ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>", "</s>")
        known = {self.tokenizer.convert_tokens_to_ids(name) for name in names} - {self.tokenizer.unk_token_id}
        return (known | {self.tokenizer.eos_token_id}) - {None}  # of some models the unknown token is that of the end

    def _render(self, chat: Chat, where: str, **how: Any) -> Any:
        from jinja2.exceptions import TemplateError

        messages = [{k: v for k, v in message.items() if k != WEIGHT} for message in chat]
        try:
            return self.tokenizer.apply_chat_template(
                messages, chat_template=self.template, tokenize=True, return_dict=True, **how
            )
        except (TemplateError, ValueError) as error:
            system = any(m["role"] == "system" for m in chat)
            raise SpilloverError(
                f"{where}: the chat template of {self.name} refuses it ({error})."
                + (" The transform system_into_user puts a system line before the user's words." if system else "")
            ) from error


def m_text(message: dict[str, Any]) -> str:
    """What a message says."""
    return str(message.get("content") or "")


def _is_marked(template: str) -> bool:
    return any(part.partition("%}")[0].strip(" -+\n\t") == _MARK for part in template.split("{%")[1:])


def _known(tokenizer: Any) -> str | None:
    """The marked version of a template that TRL knows."""
    from trl.chat_template_utils import get_training_chat_template

    try:
        found: str | None = get_training_chat_template(tokenizer)
    except ValueError:
        return None
    return found


def _common(one: list[int], other: list[int]) -> int:
    """Length of the common beginning."""
    same = (k for k, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(same, min(len(one), len(other)))


def _spans(mask: list[int]) -> Iterator[tuple[int, int]]:
    """(first, behind the last) of every run of ones."""
    first = None
    for i, kept in enumerate([*mask, 0]):
        if kept and first is None:
            first = i
        elif not kept and first is not None:
            yield first, i
            first = None
