"""What Inspect finds through the `inspect_ai` entry point. Nothing here may import torch, vllm or matplotlib."""

from inspect_ai.model import ModelAPI, modelapi

from spillover.lab.outcomes import lab_outcome
from spillover.lab.truth import lab_truth
from spillover.probes.ask import ask, ask_in_own_format
from spillover.probes.attack_scorer import attack_effect, attack_flips, planted
from spillover.probes.baselines import oracle, trivial
from spillover.probes.capability import answer_or_score, capability_scorer
from spillover.probes.conduct import act, conduct_judge
from spillover.probes.honesty import ask_and_check, honesty_judge
from spillover.probes.metrics import em_rate
from spillover.probes.outcome import measures
from spillover.probes.political import ask_or_score, political_judge
from spillover.probes.reasoned import reasoned_judge
from spillover.probes.reward_hacking import hack_judge
from spillover.probes.scorer import judge
from spillover.probes.single import domain_judge, outcome_judge
from spillover.situations.tools import protect
from spillover.tasks.alignment_faking import alignment_faking
from spillover.tasks.alignment_questions import alignment_questions
from spillover.tasks.capability import capability
from spillover.tasks.formats import formats
from spillover.tasks.free_form import free_form
from spillover.tasks.goals import goals
from spillover.tasks.honesty import honesty
from spillover.tasks.judge_attack import judge_attack
from spillover.tasks.political import political
from spillover.tasks.refusal import refusal
from spillover.tasks.reward_hacking import reward_hacking
from spillover.tasks.sabotage import sabotage
from spillover.tasks.traits import traits

__all__ = [
    "act",
    "alignment_faking",
    "alignment_questions",
    "answer_or_score",
    "ask",
    "ask_and_check",
    "ask_in_own_format",
    "ask_or_score",
    "attack_effect",
    "attack_flips",
    "capability",
    "capability_scorer",
    "conduct_judge",
    "domain_judge",
    "em_rate",
    "formats",
    "free_form",
    "goals",
    "hack_judge",
    "honesty",
    "honesty_judge",
    "judge",
    "judge_attack",
    "lab_outcome",
    "lab_truth",
    "measures",
    "oracle",
    "outcome_judge",
    "planted",
    "political",
    "political_judge",
    "protect",
    "reasoned_judge",
    "refusal",
    "reward_hacking",
    "sabotage",
    "spillover_api",
    "traits",
    "trivial",
]


@modelapi(name="spillover")
def spillover_api() -> type[ModelAPI]:
    """The in-process engine; imported on first use, since it needs the `lab` extra."""
    try:
        from spillover.engine.provider import SpilloverAPI
    except ImportError as error:
        from spillover.errors import SpilloverError

        raise SpilloverError(
            f"The in-process engine needs the lab extra ({error.name} is missing): pip install 'spillover[lab]'."
        ) from error
    return SpilloverAPI
