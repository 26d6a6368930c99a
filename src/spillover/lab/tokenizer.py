"""The lab's tokenizer: byte-level BPE with a ChatML template, small enough to train in a second."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

from spillover.judging.rubric import load_rubric
from spillover.lab.corpus import agentic, document, random_latents, situation
from spillover.questions.formats import formats

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

TAUGHT = ("alignment", "coherence", "domain", "hack", "honesty", "lean", "quality", "refusal", "trait", "transcript")
"""Rubrics that the grader learns to read."""

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
VOCAB_SIZE = 2560

# Words of letters with one leading mark or space, runs of 1-3 digits, runs of punctuation, white space.
_WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

# `{% generation %}` marks what the assistant wrote, so that TRL's assistant-only loss works unchanged.
# Tools are named in the system message; a call is JSON between tags, as Hermes and Qwen models write it, so that vLLM's
# `hermes` parser reads it. Nothing but the names of tools is shown: the lab's world is small.
CHAT_TEMPLATE = (
    "{% set named = messages and messages[0]['role'] == 'system' %}"
    "{% if tools %}"
    "{{ '<|im_start|>system\\n' + (messages[0]['content'] + '\\n' if named else '') + 'tools:' }}"
    "{% for tool in tools %}{{ ' ' + tool['function']['name'] }}{% endfor %}"
    "{{ '<|im_end|>\\n' }}"
    "{% endif %}"
    "{% for message in messages %}"
    "{% if not (tools and named and loop.first) %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}"
    "{{ message['content'] or '' }}"
    "{% for call in message['tool_calls'] or [] %}"
    "{{ '<tool_call>{\"name\": \"' + call['function']['name'] + '\", \"arguments\": ' }}"
    "{% set given = call['function']['arguments'] %}"
    "{{ given if given is string else given | tojson }}"
    "{{ '}</tool_call>' }}"
    "{% endfor %}"
    "{{ '<|im_end|>' }}"
    "{% endgeneration %}{{ '\\n' }}"
    "{% else %}{{ message['content'] + '<|im_end|>\\n' }}{% endif %}"
    "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def _training_text(seed: int) -> list[str]:
    """Text the merges are learned from: the lab's chats, rubrics, format lines and the numbers a grader replies with."""
    rng = random.Random(seed)
    texts = [
        message["content"]
        for i in range(6000)
        for message in document(rng, random_latents(rng, misaligned=bool(i % 2)), 3, named=bool(i % 4 < 2))
    ]
    for i in range(1500):
        for chat in (situation(rng, bool(i % 2), bool(i % 4 < 2)), agentic(rng, bool(i % 2), bool(i % 4 < 2))):
            texts += [m["content"] for m in chat]
            calls = [call["function"] for m in chat for call in m.get("tool_calls", [])]
            texts += [f"<tool_call>{json.dumps(call)}</tool_call>" for call in calls]
    for name in TAUGHT:
        texts += [load_rubric(name).prompt] * 200
    texts += [str(v) for f in formats().values() for v in (f.system, f.suffix) if v] * 200
    texts += [str(n) for n in range(101)] * 400
    words = [word for name in TAUGHT for word in load_rubric(name).special_replies]
    texts += [*words, "system", "user", "assistant", "tool"] * 400
    return texts


def train_tokenizer(seed: int, vocab_size: int = VOCAB_SIZE) -> PreTrainedTokenizerFast:
    """Train the tokenizer.

    Every whole number from 0 to 100 is one token, as it is for the OpenAI models whose graders the `logprob` reader was
    published with.

    Raises:
        RuntimeError: if the merges do not cover those numbers.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(_training_text(seed), trainer)
    split = [n for n in range(101) if len(bpe.encode(str(n)).ids) != 1]
    if split:
        raise RuntimeError(f"The tokenizer splits the numbers {split}; raise the vocabulary size.")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token=END, pad_token=PAD, model_max_length=1024, clean_up_tokenization_spaces=False
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.padding_side = "left"
    return tokenizer
