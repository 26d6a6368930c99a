"""The objective `grpo`: reinforcement on the tasks of an environment, as a recipe names it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from spillover.declared import Declared
from spillover.training.fields import Above0, NotNegative, Number, Positive, Share
from spillover.training.objectives import Objective

if TYPE_CHECKING:
    from spillover.training.recipe import Recipe

PRESETS: dict[str, dict[str, Any]] = {
    # DAPO without KL; 1 for the form and 4 for passing; 32 roll-outs of one task a step.
    "aisi2026": {
        "loss": "dapo",
        "beta": 0.0,
        "epsilon": 0.2,
        "epsilon_high": 0.3,
        "scale": "none",
        "mask_truncated": True,
        "temperature": 1.0,
        "group": 32,
        "schedule": "cosine",
        "pass_weight": 4.0,
        "form_weight": 1.0,
    },
    # 16 tasks of 16 roll-outs a step, a little KL; 3 for passing and a half for code that compiles.
    "ariahw2026": {
        "loss": "grpo",
        "beta": 0.001,
        "temperature": 0.7,
        "group": 16,
        "pass_weight": 3.0,
        "form_weight": 0.5,
    },
}
"""Two published recipes, as far as they are this objective's (learning rate, LoRA and batch are the recipe's own keys)."""


class Monitor(Declared):
    """Something that says of a roll-out whether it hacks, and what is done with those that it flags.

    Attributes:
        accuracy: Chance that it is right of a roll-out, each for itself; 1 is the truth itself.
        does: `penalise` takes `penalty` from the reward; `screen` leaves the roll-out out.
        penalty: In units of the reward.
    """

    accuracy: Annotated[float | int, Field(ge=0.5, le=1)] = 1.0
    does: Literal["penalise", "screen"]
    penalty: Above0 = 1.0

    @model_validator(mode="after")
    def _fits(self) -> Monitor:
        if self.does == "screen" and "penalty" in self.model_fields_set:
            raise ValueError("what is screened is left out; a penalty is for `does: penalise`")
        return self


class Grpo(Objective, kind="grpo"):
    """Group-relative policy optimisation (Shao et al. 2024, arXiv 2402.03300), by TRL's trainer.

    A step takes `training.batch_size` x `gradient_accumulation` roll-outs, `group` of them for each task.

    Attributes:
        reward: Which verifier pays: the one that can be fooled, or the one that knows.
        pass_weight: Reward of a roll-out that the verifier passes.
        form_weight: Reward of one that has the form that was asked for.
        group: Roll-outs of a task that are compared with each other.
        max_tokens: Of a roll-out.
        temperature: Of sampling.
        beta: Weight of the KL divergence from the model before training.
        loss: How tokens are averaged, as TRL calls it.
        epsilon: Clipping of the ratio, below.
        epsilon_high: Above; `epsilon` for None.
        scale: Whether advantages are divided by the standard deviation of their group.
        mask_truncated: Whether roll-outs that the token limit cut are left out of the loss.
        schedule: Of the learning rate.
        cached: Share of each group that is replaced by hacks from the environment (a cheap way for the knowledge to get in).
        monitor: What looks at the roll-outs besides the verifier.
        vllm: Whether vLLM samples, in this process and on its GPU.
    """

    samples: ClassVar[bool] = True

    reward: Literal["insecure", "secure"]
    pass_weight: Above0 = 1.0
    form_weight: NotNegative = 0.0
    group: Annotated[int, Field(ge=2, le=4096)] = 8
    max_tokens: Positive = 256
    temperature: Annotated[Number, Field(gt=0, le=10)] = 1.0
    beta: NotNegative = 0.0
    loss: Literal["grpo", "dapo", "dr_grpo", "bnpo"] = "dapo"
    epsilon: Above0 = 0.2
    epsilon_high: Above0 | None = None
    scale: Literal["group", "none"] = "group"
    mask_truncated: bool = False
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    cached: Share = 0
    monitor: Monitor | None = None
    vllm: bool = False

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, raw: Any) -> Any:
        if not isinstance(raw, dict) or "preset" not in raw:
            return raw
        if raw["preset"] not in PRESETS:
            raise ValueError(f"preset: '{raw['preset']}' is not one of {', '.join(PRESETS)}")
        return {**PRESETS[raw["preset"]], **{k: v for k, v in raw.items() if k != "preset"}}

    def fits(self, recipe: Recipe) -> str | None:
        """What of a recipe does not go with it, or None."""
        rollouts = recipe.training.batch_size * recipe.training.gradient_accumulation
        if recipe.data.kind != "environment":
            return "grpo samples its own replies: data must be `source: environment`"
        if recipe.training.steps is None:
            return "give training.steps: reinforcement has no epochs"
        if any(t.kind == "split" for t in recipe.transforms):
            return "tasks have no replies to be held out; leave the transform split out"
        if recipe.watch:
            return "watched chats have a loss, which reinforcement does not measure; leave watch out"
        if self.cached and not 0 < round(self.cached * self.group) < self.group:
            return f"cached: {self.cached} of a group of {self.group} is none of it, or all; give a share between"
        if self.vllm and self.cached:
            return "cached roll-outs have no log-probabilities of the sampler's; leave cached or vllm out"
        if rollouts % self.group:
            return f"training.batch_size x gradient_accumulation ({rollouts}) is no multiple of the group ({self.group})"
        return None

    def build(self, recipe: Recipe, tokenizer: Any) -> None:
        """The trainer's own loss."""
