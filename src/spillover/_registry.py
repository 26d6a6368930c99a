"""What Inspect finds through the `inspect_ai` entry point. Nothing here may import torch, vllm or matplotlib.

Tasks, solvers and scorers register themselves as their modules are imported: every file of `tasks/` is found, and what it
uses comes with it.
"""

from inspect_ai.model import ModelAPI, modelapi

from spillover.discovery import modules_of
from spillover.probes import baselines as baselines
from spillover.probes import imported as imported
from spillover.situations import tools as tools

modules_of("spillover.tasks", "tasks")


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
