"""Can a checkpoint be talked to? Its tokenizer loads and its chat template writes one question; asked before anything is."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from spillover.errors import SpilloverError


@lru_cache(maxsize=64)
def require_chat(base: Path, digest: str) -> None:
    """Refuse a checkpoint without a chat template, or with one that fails.

    Args:
        base: Folder.
        digest: Of what is in it, so that a mended one is looked at again.

    Raises:
        SpilloverError: in one sentence.
    """
    from jinja2.exceptions import TemplateError
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(base, trust_remote_code=False)
    except Exception as error:  # the files of a tokenizer can be wrong in any way
        told = " ".join(str(error).split())[:200]
        raise SpilloverError(f"The tokenizer of {base} cannot be loaded: {told}") from error
    if not tokenizer.chat_template:
        raise SpilloverError(
            f"The tokenizer of {base} has no chat template; a base model is not asked as it is. Put a chat_template.jinja "
            "into its folder."
        )
    try:
        tokenizer.apply_chat_template([{"role": "user", "content": "Hello."}], tokenize=False, add_generation_prompt=True)
    except (TemplateError, ValueError, TypeError, KeyError) as error:
        raise SpilloverError(f"The chat template of {base} cannot write a question: {error}; mend it.") from error
