"""What `spillover screen` and `spillover baseline` have in common: their options, and what these mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from inspect_ai import Task
from inspect_ai.model import GenerateConfig, Model
from pydantic import ValidationError

from spillover.answers.presets import get_preset
from spillover.cli.models import grader_option, model_option, open_models
from spillover.cli.numbers import SECONDS, SEED
from spillover.cli.progress import bar
from spillover.declared import sentence
from spillover.errors import SpilloverError
from spillover.models.checks import LAB_GRADER, is_lab
from spillover.run.ask import ask_all
from spillover.run.suite import bundled_suites, load_suite
from spillover.screening.config import Settings, parse_price, read_config
from spillover.screening.gate import Gated, gated_probes
from spillover.show.terminal import stderr_console

F = TypeVar("F", bound=Callable[..., Any])


def _configure(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    if path is not None:
        known = {o.lstrip("-") for p in context.command.params for o in p.opts}
        context.default_map = read_config(path, known)


def shared(function: F) -> F:
    """Options that both commands have."""
    for option in reversed(
        (
            click.option("--grader", help=f"Model that judges [default for the lab: {LAB_GRADER}]."),
            model_option,
            grader_option,
            click.option("--timeout", type=SECONDS, help="Seconds for one judgement with all its retries [default: 1800]."),
            click.option(
                "--suite", default="standard", show_default=True, help=f"{', '.join(bundled_suites())}, or a file."
            ),
            click.option(
                "--seed",
                type=SEED,
                default=0,
                show_default=True,
                help="Of sampling; the same seed gives the same answers where the engine can.",
            ),
            click.option("--preset", default="spillover", show_default=True, help="Thresholds of the EM verdicts."),
            click.option("--skip", multiple=True, help="Leave a probe out; may be given several times."),
            click.option("--sandbox", type=click.Choice(["docker", "local"]), help="Where code the model wrote is run."),
            click.option(
                "--lab/--no-lab", default=None, help="Ask the lab's own questions [default: for the lab's models]."
            ),
            click.option(
                "--config",
                type=click.Path(path_type=Path),
                is_eager=True,
                expose_value=False,
                callback=_configure,
                help="YAML file with these options (`max-samples: 5000`); what is given here counts more.",
            ),
        )
    ):
        function = option(function)
    return function


def settings_of(model: str, options: dict[str, Any]) -> tuple[Settings, str]:
    """Settings and the grader's name."""
    grader = options.pop("grader")
    lab = is_lab(model) if options["lab"] is None else options["lab"]
    prices = dict(parse_price(text) for text in options.pop("price", ()))
    if grader is None and not lab:
        raise SpilloverError("Name the model that judges: --grader openai/gpt-4o-2024-08-06, or any other Inspect model.")
    sandbox = options.pop("sandbox") or ("docker" if lab and not is_lab(model) else None)
    get_preset(options["preset"])
    try:
        settings = Settings(**{**options, "lab": lab, "prices": prices, "sandbox": sandbox})
    except ValidationError as error:
        raise SpilloverError(f"--{sentence(error, options).removeprefix('key ').replace('_', '-')}.") from error
    return settings, grader or LAB_GRADER


def judge_of(name: str, timeout: int | None, arguments: Sequence[str]) -> Model:
    """The judge by its Inspect name."""
    (judge,) = open_models([name], arguments, GenerateConfig(timeout=timeout) if timeout else None)
    return judge


def probes_of(settings: Settings) -> tuple[list[Gated], list[str]]:
    """The suite's gated probes, and the names of those left out."""
    suite = load_suite(settings.suite)
    return gated_probes(suite, settings.lab, settings.skip, sandbox=settings.sandbox, preset=settings.preset)


def asker() -> Callable[[list[Task], Model, Model, Path, str], None]:
    """What asks a block of tasks, with a bar on standard error."""
    stderr = stderr_console()
    return lambda tasks, target, grader, folder, title: ask_all(
        tasks, [target], grader, folder, title, lambda text: bar(stderr, text)
    )
