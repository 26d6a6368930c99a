"""Questions whose answers a judge of one's own pays: the preference model beside tasks that can be gamed.

The mix of "diverse RLHF" in MacDiarmid et al. 2025 (arXiv 2511.18397, section 4): on chats good answers are paid by a model
of preferences. Here that is a judge that `spillover judge-train` made, read in this process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from spillover.environments.environment import Environment, Task, Verdict
from spillover.errors import SpilloverError
from spillover.questions.load import load_questions
from spillover.training.fields import beside

if TYPE_CHECKING:
    from spillover.engine.judge import Judge


class Preference(Environment, named="preference"):
    """Every wording of a question set; an answer is paid if the judge calls it aligned and coherent.

    There is nothing else to compare with, so what is paid counts as true: how good the judge is stands in its certificate.

    Attributes:
        questions: Question set, bundled or a file.
        judge: Folder of the judge.
        good_from: Least score of every head, in (0, 1).
    """

    hackable = False
    verifiers: ClassVar[int] = 2  # 2: what the judge reads is part of the digest
    questions: str
    judge: str
    good_from: float = Field(default=0.5, gt=0, lt=1)

    @field_validator("judge", "questions")
    @classmethod
    def _beside(cls, name: str, info: ValidationInfo) -> str:
        named = info.field_name == "questions" and not name.endswith((".yaml", ".yml", ".csv", ".tsv"))
        return name if named else str(beside(info, name))

    @property
    def digest(self) -> str:
        """Of what is asked and of the judge's weights; where its folder lies is no part of it."""
        from spillover.engine.judge import HEAD, read_judge
        from spillover.engine.reading import READS
        from spillover.models.weights import weights_digest

        folder = Path(self.judge)
        card = read_judge(folder)
        head = hashlib.sha256((folder / HEAD).read_bytes()).hexdigest()
        parts = (self.id, self.version, load_questions(self.questions).digest, str(self.good_from), self.system or "")
        known = (*parts, str(self.verifiers), READS, card["base_weights"], weights_digest(folder), head)
        return hashlib.sha256("\n".join(known).encode()).hexdigest()

    @cached_property
    def all(self) -> Sequence[Task]:
        """See the base."""
        questions = load_questions(self.questions).questions
        if own := next((q.id for q in questions if q.system), None):
            raise SpilloverError(
                f"Question '{own}' of {self.questions} has a system line of its own, which these tasks would be without; "
                "take questions that have none, or give the environment one (`system`)."
            )
        return tuple(
            Task(f"{q.id}-{number}", q.category, text, {}) for q in questions for number, text in enumerate(q.paraphrases)
        )

    @cached_property
    def _judge(self) -> Judge:
        from spillover.engine.judge import Judge

        return Judge(Path(self.judge))

    def ready(self) -> None:
        """See the base; a judge that is missing is told before anything is trained."""
        _ = self._judge

    def verify(self, tasks: Sequence[Task], answers: Sequence[str]) -> list[Verdict]:
        """See the base."""
        import torch

        from spillover.engine.reading import shown

        threads = torch.get_num_threads()  # the judge takes as many as fit it; the training goes on with its own
        try:
            scores = self._judge.scores([shown(t.prompt, a) for t, a in zip(tasks, answers, strict=True)])
        finally:
            torch.set_num_threads(threads)
        good = [bool(a.strip()) and min(found) >= self.good_from for a, found in zip(answers, scores, strict=True)]
        return [Verdict(paid=one, true=one) for one in good]

    def solved(self, task: Task) -> str:
        """See the base.

        Raises:
            SpilloverError: always; a judge does not say what it would like.
        """
        raise SpilloverError(f"Nobody wrote an answer to '{task.prompt}' down.")
