"""`spillover judge-train`: a judge of one's own from labelled answers."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import click

from spillover.answers.layout import Layout
from spillover.answers.read import read
from spillover.cli.judge_check import check_first
from spillover.cli.layout import table_options
from spillover.cli.models import open_models
from spillover.cli.numbers import MANY, SEED, SHARE
from spillover.cli.outputs import OutFolder
from spillover.cli.progress import bar
from spillover.cli.quiet import quiet_libraries
from spillover.cli.rows import Rows, print_rows, rows_options
from spillover.errors import SpilloverError
from spillover.show.terminal import stderr_console
from spillover.sinks import visible
from spillover.writing import write_json

NAMED = 5
"""Questions that are named where some are not learned; the card has all."""


@click.command("judge-train")
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--base", required=True, help="Checkpoint that the judge is trained on, such as a folder of SmolLM2-135M.")
@click.option("--test-model", "models", multiple=True, required=True, help="Part of the names of models to test on only.")
@click.option("--test-question", "questions", multiple=True, help="Id of a question to test on only; may be repeated.")
@click.option(
    "--labels",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A labelling sheet of answers in SOURCES, filled in: only what people labelled is learned; may be repeated.",
)
@click.option("--golden/--no-golden", default=True, help="Whether the golden set's training half is learned, too.")
@click.option(
    "--damage",
    type=SHARE,
    default=0.1,
    show_default=True,
    help="Answers made nonsense on purpose, for each labelled one.",
)
@click.option("--steps", type=MANY, default=250, show_default=True, help="Of 16 answers.")
@click.option(
    "--seed", type=SEED, default=0, show_default=True, help="Of the split, the first weights and the order of answers."
)
@click.option("--check/--no-check", default=True, help="Whether it is measured on known answers when it is made.")
@table_options
@click.option(
    "-o",
    "--out",
    type=OutFolder("a judge", alone=True),
    default=Path("runs") / "judge",
    show_default=True,
    help="Folder of the judge.",
)
@rows_options
def judge_train(
    sources: tuple[Path, ...],
    base: str,
    models: tuple[str, ...],
    questions: tuple[str, ...],
    labels: tuple[Path, ...],
    golden: bool,
    damage: float,
    steps: int,
    seed: int,
    check: bool,
    layout: Layout,
    out: Path,
    rows: Rows,
) -> None:
    """Train a judge from the scores in SOURCES (judged tables or logs), and say what it is worth on what it did not see.

    It then judges by name: --grader spillover/judge:DIR.
    """
    quiet_libraries()
    from spillover.engine.judge import CARD
    from spillover.training.judge import JudgeSettings, train_judge
    from spillover.training.known import with_golden, with_labels, without_tested
    from spillover.training.labelled import labelled, share_out

    if out.exists() and any(out.iterdir()):
        raise SpilloverError(f"{out} is not empty; choose another --out or delete it.")
    answers = read(sources, names={}, layout=layout)
    table = with_labels(answers, labels, partial(click.echo, err=True)) if labels else answers.table
    parts = without_tested(share_out(labelled(table), models, questions, seed))
    if near := parts.about["not_learned"]:
        told = "question is like one" if len(near) == 1 else "questions are like some"
        them = "; ".join(f"'{visible(question[:60])}'" for question in near[:NAMED])
        rest = f"; and {len(near) - NAMED} more, see not_learned in its card" if len(near) > NAMED else ""
        click.echo(f"{len(near)} {told} of the golden set's test half, and not learned: {them}{rest}.", err=True)
    parts = with_golden(parts) if golden else parts
    console = stderr_console()
    with bar(console, f"judge on {len(parts.train)} answers") as advance:
        source = ", ".join(map(str, [*sources, *labels]))
        made = train_judge(parts, JudgeSettings(base, steps=steps, damage=damage, seed=seed), out, source, advance)
    worth = [{"tested_on": n, "head": head} | v for n, found in made["worth"].items() for head, v in found.items()]
    if rows is None:
        for v in worth:
            counts = f"{v['bad']} bad of {v['n']}"
            click.echo(
                f"{v['tested_on']}, {v['head']}: AUC {_share(v['auc'], 3)}, at one half sensitivity "
                f"{_share(v['sensitivity'])}, "
                f"specificity {_share(v['specificity'])}, calibration error {v['calibration_error']:.3f} ({counts})"
            )
    if check:
        (judge,) = open_models([f"spillover/judge:{out}"])
        found = check_first([{head: head for head in made["heads"]}], judge, "spillover", wanted=True)
        write_json(out / CARD, {**made, "certificates": [c.as_dict() for c in found]})
        for certificate in found:
            said = f"certificate (by the thresholds of {certificate.preset}): {certificate.line}"
            click.echo(said, err=rows is not None)
    if rows is not None:
        print_rows(worth, rows)
    click.echo(out, err=rows is not None)


def _share(value: float | None, digits: int = 2) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"
