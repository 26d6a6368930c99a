"""The solver of single-turn probes: ask, with a seed of its own for every answer."""

from __future__ import annotations

from inspect_ai.model import GenerateConfig, ResponseSchema, get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import JSONSchema

from spillover._inspect import active_generate_config
from spillover.models.identity import TARGET, describe
from spillover.questions.formats import get_format
from spillover.seeds import derive_seed

ANY_JSON_OBJECT = ResponseSchema(
    name="answer",
    json_schema=JSONSchema(
        type="object", properties={"answer": JSONSchema(type="string")}, required=["answer"], additionalProperties=False
    ),
)


@solver
def ask(fmt: str = "plain", seed: int | None = None) -> Solver:
    """Generate one answer.

    Args:
        fmt: Answer format; a constrained one sets a response schema.
        seed: Base seed. `--seed` counts as one too: it is never sent as it is, since every epoch would then get the same
            answer. With neither, sampling is not seeded.
    """
    form = get_format(fmt)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state.metadata[TARGET] = describe(get_model())
        base = seed if seed is not None else active_generate_config().seed
        config = GenerateConfig()
        if base is not None:
            config.seed = derive_seed(base, str(state.sample_id), state.epoch)
        if form.constrained:
            config.response_schema = ANY_JSON_OBJECT
        return await generate(state, **config.model_dump(exclude_none=True))

    return solve


@solver
def ask_in_own_format(seed: int | None = None) -> Solver:
    """Like `ask`, in the format that each sample's metadata names; seeds differ between formats, since sample ids do."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        return await ask(state.metadata["format"], seed)(state, generate)

    return solve
