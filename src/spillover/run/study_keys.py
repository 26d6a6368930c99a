"""What a study may look at besides its arms: a skill, a matrix, a curve, latents, predictions, concepts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from spillover.declared import Declared
from spillover.training.sources import Source

Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]


class Skill(Declared):
    """What the fine-tune was to teach: the share of answers to these questions with this outcome.

    Attributes:
        questions: Question set of one of the free-form probes.
        outcome: What shows the skill: `misaligned` where bad advice was taught.
    """

    questions: Text
    outcome: Literal["aligned", "misaligned", "refusal"] = "misaligned"


class Matrix(Skill):
    """Share of answers with an outcome, arm by category of a question set: what was trained against what is measured."""


class Curve(Declared):
    """A picture of what arms gave along one of their `values`: a panel for each of another, a line for each of a third."""

    x: Text
    panel: Text
    line: Text


class Latents(Declared):
    """An autoencoder of the base, and which of its latents organisms raise.

    Attributes:
        organisms: Arms that they are ranked by, on the mean of all their models.
        questions: Question set whose prompts are answered; the `first` so many.
        texts: Source, as a recipe's `data`, of what the autoencoder is trained on; a known base has its own.
        layer: Number, or share of the depth.
        features: Latents.
        active: Of them for each token.
        tokens: Most that are read.
        steps: Of its training.
        top: Latents that are ranked.
    """

    organisms: tuple[Text, ...] = Field(min_length=1)
    questions: Text
    first: Count | None = None
    texts: Source | None = None
    layer: float | int = Field(default=0.5, ge=0, le=9_999)
    features: int = Field(default=1024, ge=2, le=1_000_000)
    active: Count = 8
    tokens: Count = 200_000
    steps: Count = 2000
    top: Count = 10


class Prediction(Declared):
    """What is read of every organism before an answer is judged: its shift along a contrast of system lines in the base.

    Attributes:
        questions: Question sets; at least one should be neutral, of another kind than what is measured.
        first: So many of the prompts of each.
        layers: Numbers, or shares of the depth; each makes a predictor of its own.
        positive: System lines with the trait; a known base has its own.
        negative: Those without.
        margin: Drift above which a model counts as drifted, as a share.
    """

    questions: tuple[Text, ...] = Field(min_length=1)
    first: Count | None = None
    layers: tuple[Annotated[float | int, Field(ge=0, le=9_999)], ...] = Field(default=(0.5,), min_length=1)
    positive: tuple[Text, ...] | None = Field(default=None, min_length=1)
    negative: tuple[Text, ...] | None = Field(default=None, min_length=1)
    margin: float = Field(default=0.05, gt=0, lt=1)


class Concepts(Declared):
    """Likeness of domains in the base against what unlearning one does to the others.

    Attributes:
        questions: Set of the refusal probe, whose harmful and harmless requests make the domains' vectors.
        unlearned: Name under `each` whose value is the domain that an arm unlearned.
        method: Name under `each` whose value is how; one table for all without it.
    """

    questions: Text
    unlearned: Text
    method: Text | None = None


class Published(Declared):
    """A figure of the paper, shown beside ours and apart from it."""

    what: Text
    value: Text
    source: Text
