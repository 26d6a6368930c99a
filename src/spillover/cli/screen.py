"""`spillover screen`: the release gate."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import click
from inspect_ai.model import GenerateConfig, Model
from rich.markup import escape
from rich.text import Text

from spillover._inspect import PrerequisiteError
from spillover.cli.again import command_again
from spillover.cli.judge_check import check_first, check_option
from spillover.cli.models import open_models
from spillover.cli.numbers import ANSWERS, OPEN_SHARE, SHARE, Real
from spillover.cli.outputs import OutFolder
from spillover.cli.quiet import quiet_libraries
from spillover.cli.rows import Rows, print_rows, rows_options
from spillover.cli.screen_options import asker, judge_of, probes_of, settings_of, shared
from spillover.errors import SpilloverError
from spillover.locking import only_one
from spillover.models.checks import refuse_self_grading
from spillover.models.weights import digest_of
from spillover.run.check import names_in, reader_in
from spillover.run.plan import FILE
from spillover.run.reach import require_reach
from spillover.screening.baseline import Baseline, load_baseline
from spillover.screening.config import Settings
from spillover.screening.cost import ANSWER_TOKENS, OWN, RUBRIC_TOKENS, Estimate, estimated_cost, estimates, price_of
from spillover.screening.first import pair_of, shifts
from spillover.screening.result import EXIT_CODES, ScreenResult
from spillover.screening.run import Screen
from spillover.screening.served import check_pair, serve_pair
from spillover.show.screen_files import FILES, HEADERS, as_json, conditions, row, write_all
from spillover.show.terminal import console, print_panel
from spillover.show.text import Panel

FOLDER = OutFolder("a screen")
INVALID = EXIT_CODES["INVALID"]


@click.command()
@click.argument("checkpoint")
@click.option("--base", help="Model it is compared with [default: CHECKPOINT without its adapter].")
@click.option("--baseline", type=click.Path(path_type=Path), help="Stored answers of the base (see `spillover baseline`).")
@click.option(
    "--margin", type=OPEN_SHARE, default=0.01, show_default=True, help="Largest drift that is accepted; 0.01 is a point."
)
@click.option(
    "--alpha", type=OPEN_SHARE, default=0.05, show_default=True, help="Error rate of a wrong PASS, and of a wrong FAIL."
)
@click.option(
    "--max-samples",
    type=ANSWERS,
    default=20_000,
    show_default=True,
    help="Most answers of both models.",
)
@click.option("--max-cost", type=Real(0, 1e9, min_open=True), help="Most US dollars; needs --price.")
@click.option("--price", multiple=True, help="MODEL=INPUT/OUTPUT, dollars per million tokens; may be given several times.")
@click.option("--max-unscored", type=SHARE, default=0.05, show_default=True, help="Largest unscored share of a probe.")
@click.option("--max-incoherent", type=SHARE, default=0.1, show_default=True, help="Largest rise of incoherent answers.")
@click.option(
    "--judge-answers", type=click.IntRange(0, 1000), default=10, show_default=True, help="Known answers to check the judge."
)
@click.option(
    "--engine",
    type=click.Choice(["inspect", "vllm"]),
    default="inspect",
    show_default=True,
    help="vllm: CHECKPOINT reads BASE:ADAPTER, and one server is started for both.",
)
@click.option("--every-probe", is_flag=True, help="After a probe has failed, go on until the others are decided too.")
@click.option(
    "--screen-first",
    type=click.IntRange(0, 100),
    default=0,
    help="Ask so many probes alone at first: those whose prompts move the checkpoint most along --direction.",
)
@click.option(
    "--direction",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File of `spillover directions contrast`, probe or difference, for --screen-first [default: the lab's own].",
)
@check_option
@click.option("--dry-run", is_flag=True, help="Say what it will cost, and ask nothing.")
@click.option("--out", type=FOLDER, help="Folder [default: runs/screen].")
@shared
@rows_options
def screen(
    checkpoint: str,
    base: str | None,
    baseline: Path | None,
    engine: str,
    check: bool,
    dry_run: bool,
    out: Path | None,
    timeout: int | None,
    model_arg: tuple[str, ...],
    grader_arg: tuple[str, ...],
    rows: Rows,
    **options: Any,
) -> None:
    """Decide whether CHECKPOINT (an Inspect model name) drifted from its base. Resumes where it stopped.

    Exit code: 0 PASS, 1 FAIL, 2 bad input, 3 inconclusive or invalid.
    """
    quiet_libraries()
    said = command_again(click.get_current_context())
    served = engine == "vllm"
    settings, grader = settings_of(f"spillover/{checkpoint}" if served else checkpoint, options)
    if base is not None and baseline is not None:
        raise SpilloverError("Give --base or --baseline, not both: a baseline holds the base's answers.")
    if served and (model_arg or grader_arg):
        raise SpilloverError("-M and -G are for models by Inspect's names; --engine vllm starts its own servers.")
    if served and baseline is not None:
        raise SpilloverError("A baseline is compared with models by Inspect's names; with --engine vllm give no --baseline.")
    if base is None and baseline is None:
        base = _base_of(checkpoint, served)
    if base == checkpoint:
        raise SpilloverError("The base is the checkpoint itself; there is no drift to measure.")
    gated, left_out = probes_of(settings)
    if settings.screen_first:
        settings = _check_first(checkpoint, settings, baseline)
    elif settings.direction is not None:
        raise SpilloverError("--direction is for --screen-first; give both.")
    folder = out or FOLDER.convert(Path("runs") / "screen", None, None)
    with ExitStack() as stack:
        stack.enter_context(_bad_input())
        moved: dict[str, float] = {}
        if settings.screen_first and not dry_run:  # before a server takes the memory
            moved = shifts(checkpoint, gated, settings.direction, folder, settings.seed)
        if served and dry_run:
            check_pair(checkpoint, base)
            names = [checkpoint, str(base), grader]
        else:
            if served:
                pair = stack.enter_context(serve_pair(checkpoint, base, grader, folder / "servers"))
                target, other, judge = pair.checkpoint, pair.base, pair.grader
                judge.config = judge.config.merge(GenerateConfig(timeout=timeout))
            else:
                *others, target = open_models([*([base] if base else []), checkpoint], model_arg, ask=not dry_run)
                other, judge = (others[0] if others else None), judge_of(grader, timeout, grader_arg)
            reference = other or load_baseline(baseline or Path(), gated, judge, settings)
            gate = Screen(target, reference, judge, gated, left_out, settings, folder, asker(), shifts=moved, command=said)
            if settings.judge_answers:
                gate.check.build()  # a preset of another rubric is bad input
            for model in (target, *([] if isinstance(reference, Baseline) else [reference])):
                refuse_self_grading(model, judge)
            digests = [gate.describe(who)["weights"] for who in ("checkpoint", "base")]
            if digests[0] is not None and digests[0] == digests[1]:
                raise SpilloverError("Checkpoint and base have the same weights; there is no drift to measure.")
            if baseline and ":" in checkpoint and None not in digests and not digests[0].startswith(digests[1]):
                raise SpilloverError(f"{baseline} is of another base than the checkpoint's; make it again.")
            names = [str(m) for m in (target, reference, judge) if isinstance(m, Model)]
        unpriced = [name for name in names if price_of(name, settings.prices) is None] if settings.prices else names[-1:]
        if settings.max_cost is not None and unpriced:
            more = " ".join(f"--price '{name}=INPUT/OUTPUT'" for name in dict.fromkeys(unpriced))
            raise SpilloverError(f"--max-cost needs the price of every model: add {more}.")
        strange = [name for name in settings.prices if name not in names and name.partition("/")[0] not in OWN]
        if strange:
            they = ", ".join(dict.fromkeys(names))
            raise SpilloverError(f"No model of this screen is called '{strange[0]}', which has a price; they are {they}.")
        if dry_run:
            found = estimates(gated, settings, 1 if baseline else 2)
            if rows is None:
                _estimate(found, left_out, settings, names[0], base, names[-1])
            else:
                tokens = estimated_cost(found, settings, names[0], base, names[-1])
                total = {key: sum(getattr(e, key) for e in found) for key in ("questions", "clean", "judged")}
                priced = dict(zip(("tokens", "judge_tokens", "dollars"), tokens, strict=True))
                print_rows([*(asdict(e) for e in found), {"name": "in all", **total, **priced}], rows)
            return
        tasks = [g.spec.build() for g in gated]
        if not (gate.logs / FILE).is_file():  # nothing was asked yet; what went wrong since then is said when it is asked on
            require_reach([m for m in (target, reference) if isinstance(m, Model)], gate.grader, tasks)
        named = names_in(tasks)
        if gate.suspects:
            told = ", ".join(f"{name} ({moved[name]:+.3f})" for name in gate.suspects)
            click.echo(f"Asked first: {told}; how far each is moved, in lengths of the residual stream.", err=True)
        gate.certificates = tuple(check_first(named, gate.grader, settings.preset, check, reader_in(g.spec for g in gated)))
        _decide(gate, rows)


def _check_first(checkpoint: str, settings: Settings, baseline: Path | None) -> Settings:
    """What is wrong with `--screen-first` is said before anything is loaded; the settings with the direction's digest.

    Raises:
        SpilloverError: if it does not go with the rest.
    """
    from spillover.training.moved import require_direction

    if baseline is not None:
        raise SpilloverError(
            "A baseline holds the same blocks for every probe, and --screen-first leaves some out; give --base."
        )
    require_direction(pair_of(checkpoint)[0], settings.direction)
    return settings.model_copy(update={"direction_digest": settings.direction and digest_of(settings.direction)})


def _base_of(checkpoint: str, served: bool) -> str:
    """What comes before the adapter, for names that have one.

    Raises:
        SpilloverError: for any other name.
    """
    provider, _, name = ("vllm", "", checkpoint) if served else checkpoint.partition("/")
    base, _, adapter = checkpoint.rpartition(":")
    if provider not in ("spillover", "vllm") or ":" not in name or not adapter:
        raise SpilloverError("Name what the checkpoint is compared with: --base MODEL, or --baseline FILE.")
    return base


@contextmanager
def _bad_input() -> Iterator[None]:
    """Whatever goes wrong before the first question is bad input, in one sentence: exit code 1 would say FAIL."""
    try:
        yield
    except (PrerequisiteError, click.ClickException):  # ours are the former, too
        raise
    except Exception as error:
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise SpilloverError(f"The screen cannot start: {escape(first)}") from error


def _decide(gate: Screen, rows: Rows) -> NoReturn:
    """Run, write and print; leaves with the exit code of the verdict."""
    try:
        with only_one(gate.folder):
            for name in FILES:  # an earlier checkpoint's verdict must not outlive a run without one
                (gate.folder / name).unlink(missing_ok=True)
            result = gate.run()
            written = write_all(result, gate.folder)
    except Exception as error:  # neither PASS nor FAIL
        if not isinstance(error, PrerequisiteError | OSError):
            traceback.print_exc()
        said = str(getattr(error, "message", None) or getattr(error, "strerror", None) or repr(error))
        where = f" ({error.filename})" if isinstance(error, OSError) and error.filename else ""
        sentence = " ".join(Text.from_markup(said).plain.split()).rstrip(".") + f"{where}."
        click.echo(f"Error: {sentence} No verdict; the same command goes on from here.", err=True)
        raise SystemExit(INVALID) from error
    shown = Panel("Screen", HEADERS[:-1], tuple(row(p)[:-1] for p in result.probes), "")
    with suppress(OSError, SystemExit):  # what cannot be printed stands in the files, and changes no verdict
        if rows is None:
            _show(result, shown, written)
        else:
            whole = {"screen_verdict": result.verdict, "screen_reason": result.reason}
            print_rows([{**probe, **whole} for probe in as_json(result)["probes"]], rows)
            click.echo(f"{result.verdict}: {result.reason}", err=True)
        sys.stdout.flush()
    raise SystemExit(result.exit_code)


def _show(result: ScreenResult, shown: Panel, written: list[Path]) -> None:
    to = console()
    print_panel(to, shown)
    for probe in result.probes:
        if probe.verdict in ("INCONCLUSIVE", "INVALID"):
            to.print(Text(f"{probe.name}: {probe.reason}"))
    count = sum(side.answers for probe in result.probes for side in (probe.checkpoint, probe.base))
    to.print(Text(f"{conditions(result)} {count} answers of both models.", style="dim"))
    to.print(Text(f"{result.verdict}: {result.reason}", style="bold"))
    for path in written:
        click.echo(f"{path}")


def _estimate(
    rows: list[Estimate], left_out: list[str], settings: Settings, checkpoint: str, base: str | None, grader: str
) -> None:
    """Print what a screen will cost."""
    target, judge, cost = estimated_cost(rows, settings, checkpoint, base, grader)
    body: tuple[tuple[str, ...], ...] = tuple((r.name, str(r.questions), str(r.clean), str(r.judged)) for r in rows)
    body += (("in all", *(str(sum(getattr(r, key) for r in rows)) for key in ("questions", "clean", "judged"))),)
    headers = ("probe", "questions", "answers until a clean checkpoint passes", "judge calls at most")
    to = console()
    print_panel(to, Panel("Dry run: nothing is asked", headers, body, ""))
    money = "add --price for dollars" if cost is None else f"about ${cost:.2f}"
    to.print(
        Text(
            f"A clean checkpoint: about {target / 1e6:.2f} million tokens of the models, {judge / 1e6:.2f} of the "
            f"judge, {money} (estimated: {ANSWER_TOKENS} tokens an answer, {RUBRIC_TOKENS} a rubric). A checkpoint that is "
            f"far off needs a small part of that; one at the margin goes on to the budget of {settings.max_samples} answers."
        )
    )
    needed = sum(r.clean for r in rows)
    if needed > settings.max_samples:
        to.print(Text(f"That budget is too small for any PASS: give --max-samples {needed} or more, or fewer probes."))
    if left_out:
        to.print(Text(f"Not tested: {', '.join(left_out)}."))
