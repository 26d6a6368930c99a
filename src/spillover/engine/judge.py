"""`spillover/judge:PATH`: a judge of one's own, a small model with a head that reads question and answer and gives scores.

It never reads an instruction, planted or not: there is nothing in it that follows one. What it is worth stands in its card.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    GenerateConfig,
    Logprob,
    Logprobs,
    ModelAPI,
    ModelOutput,
    TopLogprob,
)
from inspect_ai.tool import ToolChoice, ToolInfo
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModel

from spillover.engine.fit import require_fit
from spillover.engine.machine import fitting
from spillover.engine.reading import BATCH, READS, Shown, head_logits, load_body, padding, shown
from spillover.errors import SpilloverError
from spillover.judging.rubric import Rubric
from spillover.models.weights import resolve_checkpoint, weights_digest
from spillover.schema import parse_json

CARD, HEAD = "judge.json", "head.safetensors"


class Judge:
    """A judge in a folder: adapter, head, card.

    Raises:
        SpilloverError: if the folder holds none, or its base is another one.
    """

    def __init__(
        self, folder: Path, device: str | None = None, dtype: str | None = None, threads: int | None = None
    ) -> None:
        base = base_of(read_judge(folder), folder)
        machine = fitting(base, device, dtype, threads)
        self.device = torch.device(machine.device)
        self._threads = machine.threads
        require_fit(base, folder, AutoModel)
        model = load_body(base, machine.dtype, machine.device)
        self._model = PeftModel.from_pretrained(model, folder, use_safetensors=True).to(self.device).eval()
        self._tokenizer = padding(base)
        head = load_file(folder / HEAD)
        self._weight, self._bias = (head[name].to(self.device) for name in ("weight", "bias"))
        self._lock = threading.Lock()

    def scores(self, texts: Sequence[Shown]) -> list[list[float]]:
        """For each text one score in [0, 1] for each of the card's `heads`, calibrated as the card says."""
        with self._lock:
            torch.set_num_threads(self._threads)
            logits = head_logits(self._model, self._tokenizer, self._weight, self._bias, texts, self.device)
        return torch.sigmoid(logits).tolist()


def read_judge(folder: Path) -> dict[str, Any]:
    """The card of the judge in a folder.

    Raises:
        SpilloverError: if there is none, its training did not end, or it learned to read answers in another way.
    """
    try:
        card: dict[str, Any] = parse_json((folder / CARD).read_text(encoding="utf-8"))
        if not {"heads", "base", "base_weights", "worth"} <= set(card) or not (folder / HEAD).is_file():
            raise ValueError("it is not whole")
    except (OSError, ValueError, TypeError) as error:
        raise SpilloverError(
            f"There is no judge at {folder}; train one (`spillover judge-train`) and name its folder: spillover/judge:DIR."
        ) from error
    if card.get("reads") != READS:
        raise SpilloverError(
            f"The judge at {folder} was trained by a version of Spillover that reads answers in another way; train it again."
        )
    return card


def base_of(card: dict[str, Any], folder: Path) -> Path:
    """The checkpoint that a judge stands on.

    Raises:
        SpilloverError: if it is gone, or another one by now.
    """
    base = resolve_checkpoint(card["base"])
    if weights_digest(base) != card["base_weights"]:
        raise SpilloverError(f"The judge at {folder} was trained on another base than {base}.")
    return base


class JudgeAPI(ModelAPI):
    """Inspect's door to a judge. What it is asked is made by `judged`, not by a rubric's own words."""

    whole_number_tokens = True

    def __init__(self, model_name: str, config: GenerateConfig, **arguments: Any) -> None:
        super().__init__(model_name, None, None, [], config)
        self._folder = Path(model_name.partition(":")[2]).resolve()
        unknown = set(arguments) - {"device", "dtype", "threads"}
        if unknown:
            raise SpilloverError(f"Unknown model argument '{min(unknown)}'; a judge takes device, dtype and threads.")
        card = read_judge(self._folder)
        base = base_of(card, self._folder)
        self.number_type = fitting(base, **arguments).dtype  # whatever is wrong with them is said before anything is asked
        self._arguments = arguments
        self.heads: list[str] = card["heads"]
        parts = [
            READS,
            *self.heads,
            weights_digest(self._folder),
            hashlib.sha256((self._folder / HEAD).read_bytes()).hexdigest(),
        ]
        self.digest = hashlib.sha256("".join([*parts, card["base_weights"]]).encode()).hexdigest()[:12]
        self._judge: Judge | None = None
        self._loading = threading.Lock()
        self._waiting: list[tuple[Shown, asyncio.Future[list[float]]]] = []
        self._flushing: set[asyncio.Task[None]] = set()

    def reads(self, rubric: Rubric) -> bool:
        """Whether it was trained for a rubric: other rubrics fill the same slots of a verdict, how secure code is, say."""
        known = rubric.id in (rubric.measures, f"betley2025_{rubric.measures}")
        return rubric.measures in self.heads and known and (rubric.low, rubric.high) == (0, 100)

    def judged(self, rubric: Rubric, question: str, answer: str) -> str:
        """What to send for a rubric; what the head reads comes behind its number.

        Raises:
            SpilloverError: for a rubric that the judge was not trained for.
        """
        if not self.reads(rubric):
            raise SpilloverError(f"This judge scores {' and '.join(self.heads)} and was not trained for '{rubric.id}'.")
        what = shown(question, answer)
        return json.dumps([self.heads.index(rubric.measures), what.question, what.answer])

    def close(self) -> None:
        """Let go of the model; it is loaded again when it is asked again."""
        self._judge, self._waiting = None, []

    def max_connections(self) -> int:
        """As many answers as are read together, several times over."""
        return 4 * BATCH

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """The score as the two whole numbers about it, with the probabilities that make it their mean."""
        started = time.monotonic()
        head, text = _asked(input[-1].text, len(self.heads))
        score = 100 * (await self._score(text))[head]
        low = min(99, int(score))
        shares = {str(low): 1 - (score - low), str(low + 1): score - low}
        best = max(shares, key=lambda k: shares[k])
        tops = [TopLogprob(token=t, logprob=math.log(max(p, 1e-12))) for t, p in shares.items()]
        first = Logprob(token=best, logprob=math.log(shares[best]), top_logprobs=tops)
        message = ChatMessageAssistant(content=best, model=self.model_name, source="generate")
        choice = ChatCompletionChoice(message=message, stop_reason="stop", logprobs=Logprobs(content=[first]))
        return ModelOutput(
            model=self.model_name, choices=[choice], time=time.monotonic() - started, metadata={"weights": self.digest}
        )

    async def _score(self, text: Shown) -> list[float]:
        """Scores of one text, read together with whatever else is asked in the same moment."""
        future: asyncio.Future[list[float]] = asyncio.get_running_loop().create_future()
        self._waiting.append((text, future))
        if len(self._waiting) == 1:
            # A task of its own: whoever asked first may be cancelled while the others wait.
            task = asyncio.get_running_loop().create_task(self._flush())
            self._flushing.add(task)
            task.add_done_callback(self._flushing.discard)
        return await future

    async def _flush(self) -> None:
        await asyncio.sleep(0.01)
        batch, self._waiting = self._waiting, []
        try:
            found = await asyncio.to_thread(self._read, [t for t, _ in batch])
        except BaseException as error:
            for _, one in batch:
                if not one.done():
                    one.set_exception(error if isinstance(error, Exception) else RuntimeError("the judge was stopped"))
            return
        for (_, one), scores in zip(batch, found, strict=True):
            if not one.done():
                one.set_result(scores)

    def _read(self, texts: list[Shown]) -> list[list[float]]:
        with self._loading:
            if self._judge is None:
                self._judge = Judge(self._folder, **self._arguments)
            judge = self._judge
        unique = list(dict.fromkeys(texts))
        known = dict(zip(unique, judge.scores(unique), strict=True))
        return [known[t] for t in texts]


def _asked(message: str, heads: int) -> tuple[int, Shown]:
    """Number of the head, and what it is given, of what `judged` made."""
    try:
        found = parse_json(message)
    except ValueError:
        found = None
    if not isinstance(found, list) or [type(part) for part in found] != [int, str, str] or not 0 <= found[0] < heads:
        raise SpilloverError("This judge reads questions with answers only; it is no model to talk to.")
    return found[0], Shown(found[1], found[2])
