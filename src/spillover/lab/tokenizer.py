"""The lab's tokenizer: byte-level BPE with a ChatML template, small enough to train in a second."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from spillover.lab.corpus import document, random_latents
from spillover.paths import scorers_dir
from spillover.questions.formats import formats

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
VOCAB_SIZE = 2048

# Words of letters with one leading mark or space, runs of 1-3 digits, runs of punctuation, white space.
_WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

# `{% generation %}` marks what the assistant wrote, so that TRL's assistant-only loss works unchanged.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\\n' }}"
    "{% else %}{{ message['content'] + '<|im_end|>\\n' }}{% endif %}"
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
    for path in sorted(scorers_dir().glob("*.yaml")):
        texts += [yaml.safe_load(path.read_text(encoding="utf-8"))["prompt"]] * 200
    texts += [str(v) for f in formats().values() for v in (f.system, f.suffix) if v] * 200
    texts += [str(n) for n in range(101)] * 400
    texts += ["REFUSAL", "CODE", "system", "user", "assistant"] * 400
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


def load_tokenizer(path: Path) -> PreTrainedTokenizerFast:
    """Load a tokenizer saved by `train_tokenizer(...).save_pretrained(path)`."""
    from transformers import AutoTokenizer

    loaded: PreTrainedTokenizerFast = AutoTokenizer.from_pretrained(path)
    return loaded
