"""Where an intervention's directions come from: each kind is declared here with its checks and how they are found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from spillover.errors import SpilloverError
from spillover.mechanism.sae import sae_directions, sae_files
from spillover.models.weights import resolve_checkpoint
from spillover.questions.load import load_questions
from spillover.training.fields import Count, ExistingFile, ExistingFolder, Positive, Text, Texts, sha256
from spillover.training.kinds import Kind, load_plugins
from spillover.training.sources import Source

if TYPE_CHECKING:
    from torch import Tensor, nn

    from spillover.mechanism.directions import Directions
    from spillover.training.finder import Finder

Layers = Annotated[tuple[Count | Annotated[float, Field(gt=0, lt=1)], ...], Field(min_length=1)]
"""Layers by number, or by their share of the model's depth."""


@dataclass(frozen=True)
class Known:
    """What a contrast takes where the recipe does not say: a question set and two lists of system lines.

    Attributes:
        questions: Name of the set.
        positive: Lines with the trait.
        negative: Lines without.
        texts: Chats like those that the base was trained on.
    """

    questions: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    texts: Source | None = None


KNOWN: dict[str, Callable[[], Known]] = {}
"""Checkpoint to what is known of it; who ships a checkpoint adds it here."""


def known_of(base: Path) -> Known | None:
    """What is known of the checkpoint in a folder."""
    load_plugins()
    return next((known() for name, known in KNOWN.items() if resolve_checkpoint(name) == base), None)


@dataclass(frozen=True)
class Ahead:
    """What is known of a run ahead: folder, number of layers and hidden size of the base, steps with a checkpoint."""

    base: Path
    layers: int
    width: int
    steps: Sequence[int]


class DirectionSource(Kind, key="from"):
    """Directions at some layers.

    Attributes:
        layers: Which; all of the model's, or those of a file or an autoencoder, for None.
        naive: Whether the naive organism is needed.
    """

    naive: ClassVar[bool] = False

    layers: Layers | None = None

    def check(self, ahead: Ahead) -> None:
        """Say what can not be found, before the naive organism is trained for hours to find it in.

        Raises:
            SpilloverError: for a layer, number, file, autoencoder, checkpoint, system line or prompt that will not be there.
        """
        from spillover.mechanism.layers import at_depth, refuse_layers

        refuse_layers(at_depth(self.layers or (), ahead.layers), ahead.layers)
        count = getattr(self, "count", 1)
        if count != "auto" and count > ahead.width:
            raise SpilloverError(f"The residual stream has {ahead.width} dimensions; {count} directions are too many.")

    def find(self, finder: Finder) -> Directions:
        """Find them.

        Raises:
            SpilloverError: as `check`, or if the naive organism has no checkpoint at the step.
        """
        raise NotImplementedError


Span = Annotated[
    Annotated[DirectionSource, Tag("one")] | Annotated[tuple[DirectionSource, ...], Field(min_length=1), Tag("several")],
    Discriminator(lambda given: "several" if isinstance(given, list | tuple) else "one"),
]
"""One source of directions, or several of which the span is meant."""


class _Asked(DirectionSource):
    """From activations on the prompts of a question set (the `first` so many); a known base has its own."""

    questions: Text | None = None
    first: Positive | None = None

    def _digests(self) -> dict[str, str]:
        # The bundled default stays what it is for one REVISION.
        return {"questions_digest": load_questions(self.questions).digest} if self.questions else {}

    def prompts(self, base: Path) -> list[str]:
        known = known_of(base)
        name = self.questions or (known.questions if known else None)
        if name is None:
            raise SpilloverError("Directions from activations need `questions`, a question set whose prompts are used.")
        return [text for q in load_questions(name).questions for text in q.paraphrases][: self.first]

    def check(self, ahead: Ahead) -> None:
        super().check(ahead)
        self.prompts(ahead.base)


class _Naive(DirectionSource):
    """From the naive organism, or its checkpoint at a step."""

    naive: ClassVar[bool] = True

    step: Positive | None = None

    def check(self, ahead: Ahead) -> None:
        super().check(ahead)
        if self.step is not None and self.step not in ahead.steps:
            known = ", ".join(map(str, ahead.steps))
            raise SpilloverError(
                f"The naive run will have checkpoints at the steps {known}, not {self.step}; set checkpoint_steps."
            )


class Contrast(_Asked, kind="contrast"):
    """Difference of means between two lists of system lines, over answers or at the last token before them."""

    trained: ClassVar[bool] = False

    at: Literal["response", "prompt"] = "response"
    positive: Texts | None = None
    negative: Texts | None = None

    def lines(self, base: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Those with the trait and those without; a known base has its own.

        Raises:
            SpilloverError: if there are none.
        """
        known = known_of(base)
        positive = self.positive or (known.positive if known else None)
        negative = self.negative or (known.negative if known else None)
        if not positive or not negative:
            raise SpilloverError("A contrast needs `positive` and `negative`, lists of system lines.")
        return positive, negative

    def check(self, ahead: Ahead) -> None:
        """See the base."""
        super().check(ahead)
        self.lines(ahead.base)

    def find(self, finder: Finder) -> Directions:
        """See the base."""
        from spillover.mechanism.activations import contrast_directions, prompt_activations

        prompts = self.prompts(finder.base)

        def look(model: nn.Module, layer: int) -> Tensor:
            chats = [[{"role": "user", "content": p}] for p in prompts]
            return prompt_activations(model, finder.tokenizer, chats, [layer])[layer].mean(0)

        asked = (prompts, *self.lines(finder.base), finder.layers(self.layers), self.at, finder.seed, self.trained)
        found = contrast_directions(finder.model, finder.tokenizer, *asked)
        return replace(found, look=look)


class Probe(Contrast, kind="probe"):
    """What a probe learns that tells the two lists apart, instead of their difference of means."""

    trained: ClassVar[bool] = True


class Pca(_Naive, _Asked, kind="pca"):
    """Principal components of what the naive organism changed in the activations, over its own answers."""

    count: Positive = 1

    def find(self, finder: Finder) -> Directions:
        """See the base."""
        from spillover.mechanism.activations import complete, pca_directions

        asked = [[{"role": "user", "content": p}] for p in self.prompts(finder.base)]
        tuned = finder.tuned(self.step)
        chats = complete(tuned, finder.tokenizer, asked, finder.seed)
        return pca_directions(tuned, finder.model, finder.tokenizer, chats, finder.layers(self.layers), self.count)


class Weights(_Naive, kind="weights"):
    """What the naive adapter's updates have in common; `auto` keeps what a rotation null does not reach."""

    count: Positive | Literal["auto"] = "auto"
    scope: Literal["layer", "global"] = "layer"
    read: bool = False

    def find(self, finder: Finder) -> Directions:
        """See the base."""
        from spillover.mechanism.layers import lora_pairs
        from spillover.mechanism.weights import directions_from_weights

        tuned, layers = finder.tuned(self.step), finder.layers(self.layers)
        count = None if self.count == "auto" else self.count
        return directions_from_weights(tuned, lora_pairs(tuned), count, self.scope, layers, self.read, finder.seed)


class Random(DirectionSource, kind="random"):
    """The control."""

    count: Positive = 1
    scope: Literal["layer", "global"] = "layer"

    def find(self, finder: Finder) -> Directions:
        """See the base."""
        from spillover.mechanism.directions import random_directions

        shared = self.scope == "global"
        return random_directions(finder.layers(self.layers), finder.width, self.count, finder.seed, shared=shared)


class _Stored(DirectionSource):
    """From disk, so what is there is looked at ahead."""

    def stored(self, layers: list[int] | None, width: int) -> Directions:
        raise NotImplementedError

    def check(self, ahead: Ahead) -> None:
        from spillover.mechanism.layers import at_depth, refuse_layers

        super().check(ahead)
        layers = at_depth(self.layers, ahead.layers) if self.layers else None
        refuse_layers(self.stored(layers, ahead.width).bases, ahead.layers)

    def find(self, finder: Finder) -> Directions:
        return self.stored(finder.layers(self.layers) if self.layers else None, finder.width)


class FileDirections(_Stored, kind="file"):
    """Tensors `bases.LAYER` in a safetensors file."""

    path: ExistingFile

    def _digests(self) -> dict[str, str]:
        return {"sha256": sha256(Path(self.path))}

    def stored(self, layers: list[int] | None, width: int) -> Directions:
        """Those in the file, at the layers that are asked for.

        Raises:
            SpilloverError: if the file does not fit the model, or has none at these layers.
        """
        from spillover.mechanism.directions import load_directions

        found = load_directions(Path(self.path), width)
        kept = {k: v for k, v in found.bases.items() if layers is None or k in layers}
        if not kept:
            raise SpilloverError(f"{self.path} has no directions at the layers {layers}; it has {sorted(found.bases)}.")
        return replace(found, bases=kept)


class Autoencoder(_Stored, kind="sae"):
    """Decoder rows of an autoencoder in a folder as SAE Lens writes it, which reads one layer."""

    path: ExistingFolder
    features: Annotated[tuple[Count, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_layer(self) -> Self:
        if len(set(self.features)) < len(self.features):
            raise ValueError("a feature is named twice")
        if self.layers is not None and len(self.layers) != 1:
            raise ValueError("an autoencoder reads one layer; give `layers` with that one, or leave it out")
        return self

    def _digests(self) -> dict[str, str]:
        return {"sha256": sha256(*sae_files(Path(self.path)))}

    def stored(self, layers: list[int] | None, width: int) -> Directions:
        """The chosen rows; see `spillover.mechanism.sae.sae_directions`."""
        return sae_directions(Path(self.path), self.features, width, layers[0] if layers else None)
