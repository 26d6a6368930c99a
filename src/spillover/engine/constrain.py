"""Grammar-constrained decoding to a JSON schema, by llguidance."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from llguidance import LLTokenizer
    from transformers import PreTrainedTokenizerBase


WHITESPACE = r"[ \t\n]{0,16}"
"""Between the parts of a value, as vLLM allows it: a model that learned `"key": "value"` writes nonsense after a forced
`"key":"`. Bounded, since some models would indent for ever."""


def grammar_tokenizer(tokenizer: PreTrainedTokenizerBase, vocabulary: int) -> LLTokenizer:
    """Llguidance's view of a fast tokenizer; made once per engine."""
    from llguidance.hf import from_tokenizer

    return from_tokenizer(tokenizer, n_vocab=vocabulary)  # type: ignore[arg-type, unused-ignore]


class JsonConstraint:
    """Tokens that keep one answer inside a JSON schema."""

    def __init__(self, tokenizer: LLTokenizer, schema: dict[str, Any]) -> None:
        from llguidance import LLMatcher

        guide = LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides={"whitespace_pattern": WHITESPACE})
        self._matcher = LLMatcher(tokenizer, guide)
        if self._matcher.is_error():
            raise ValueError(self._matcher.get_error())

    def allowed(self, vocabulary: int) -> Tensor:
        """Boolean mask (vocabulary,) of the tokens that may come next."""
        from llguidance.torch import allocate_token_bitmask, fill_next_token_bitmask

        bits = allocate_token_bitmask(1, vocabulary)
        fill_next_token_bitmask(self._matcher, bits, 0)
        shifts = torch.arange(32, dtype=torch.int32)
        mask: Tensor = ((bits[0][:, None] >> shifts) & 1).bool().flatten()[:vocabulary]
        return mask

    def accept(self, token: int) -> bool:
        """Take `token`; whether the JSON value is now complete."""
        self._matcher.consume_token(token)
        return bool(self._matcher.is_stopped())
