"""`spillover`: train organisms, run experiments, read logs and judged tables, build the lab."""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

import click

from spillover import __version__
from spillover._inspect import PrerequisiteError
from spillover.cli.examples import epilog
from spillover.cli.pipe import lasting
from spillover.errors import plain
from spillover.sinks import visible
from spillover.untold import keep_untold

BAD_INPUT = 2
WRONG_PLACE = (
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENAMETOOLONG,
)
"""What the same command would meet again."""


class Entry(NamedTuple):
    """A command: where it is below `spillover.cli` (`module`, or `module:name`), and what it is for."""

    place: str
    what: str


GROUPS: dict[str, dict[str, Entry]] = {
    "Measure a model": {
        "eval": Entry("evaluate:eval_command", "Ask a model every probe of a suite and report what it answered."),
        "run": Entry("run", "Run a study: train its organisms, ask, judge, and compare with the published figures."),
        "report": Entry("report", "Show rates, intervals and drift of judged answers, on the terminal and as a page."),
        "import": Entry("report:import_command", "Report on judged answers that another tool wrote (CSV, JSON, Excel)."),
        "multiverse": Entry("multiverse", "Show whether a conclusion hangs on one threshold or denominator."),
    },
    "Decide": {
        "screen": Entry("screen", "Decide whether a checkpoint drifted from its base, with an exit code for CI."),
        "baseline": Entry("baseline", "Keep a base's answers, so that later screens need not ask it again."),
        "plan": Entry("plan", "Say how many answers a claim needs."),
    },
    "Know the judge": {
        "judge": Entry("judging", "Judge answers that were given earlier or elsewhere, or judge them again."),
        "judge-check": Entry("judge_check", "Measure a grader on answers whose outcome is known."),
        "judges": Entry("judge_check", "Compare the graders that were measured here."),
        "judge-train": Entry("judge_train", "Train a small judge of your own on labelled answers."),
        "agree": Entry("judging", "Say how far judges agree, and on which answers they do not."),
        "calibrate": Entry("calibrate", "Correct a rate by labels from people or from the lab's truth."),
    },
    "Train": {
        "train": Entry("train", "Train the organism of a recipe."),
        "lab": Entry("lab", "Build the bundled synthetic world, or show what it does."),
        "fetch": Entry("upstream", "Fetch published data sets and questions from their sources."),
    },
    "Understand": {
        "directions": Entry("directions", "Find directions in a model and keep them in a file."),
        "sae": Entry("sae", "Train a sparse autoencoder, and rank its latents by what organisms move."),
        "geometry": Entry("geometry", "Say how alike the updates of organisms are, against what chance makes."),
        "interpolate": Entry("interpolate", "Write the adapters between two adapters, and measure the loss on the way."),
        "combine": Entry("geometry", "Write a weighted sum of adapters as one adapter."),
    },
    "Share": {
        "push": Entry("hub", "Send an organism to the Hugging Face hub, with a model card."),
        "pull": Entry("hub", "Fetch an organism from the hub."),
        "leaderboard": Entry("leaderboard", "Make a static site of models, and files for other registers."),
    },
}
COMMANDS: dict[str, Entry] = {name: entry for group in GROUPS.values() for name, entry in group.items()}
"""Loaded when asked for, since Inspect and scipy take seconds."""


class Commands(click.Group):
    """The commands of `GROUPS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import one command."""
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name].place.partition(":")
        command: click.Command = getattr(import_module(f"spillover.cli.{module}"), attribute or name.replace("-", "_"))
        command.epilog = epilog(name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """By what they are for, without loading any."""
        for title, group in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.what) for name, entry in group.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Did a narrow fine-tune spill over into broad misalignment, and how sure are we?"""


def main() -> None:
    """Entry point: bad input is one sentence on standard error and exit code 2, never a traceback."""
    # The tokenizer warns about forking otherwise, into the middle of our own output.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    keep_untold()
    with lasting():
        _main()


def _main() -> None:
    try:
        code = cli.main(standalone_mode=False)  # what a command left with, as click has it: returned and not raised
        if isinstance(code, int) and code:
            sys.exit(code)
    except click.exceptions.Abort:
        _stop("Stopped. What was finished is kept; the same command goes on from there.", 130)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _stop(usage(error), error.exit_code)
    except PrerequisiteError as error:  # ours, or one of Inspect's own, such as a missing API key
        _stop(plain(error), BAD_INPUT)
    except ImportError as error:
        extra = extra_of(error.name)
        if extra is None:  # no package of an extra is missing: this is a fault of the code, and its trace says where
            raise
        _stop(f"{error.name} is not installed; this command needs: pip install 'spillover[{extra}]'.", BAD_INPUT)
    except KeyboardInterrupt:
        _stop("Stopped. What was finished is kept; the same command goes on from there.", 130)
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        if error.errno in WRONG_PLACE:
            _stop(f"{error.strerror}{place}; name another file or folder.", BAD_INPUT)
        _stop(f"{error.strerror or error}{place}. What was finished is kept; the same command goes on from there.", 1)


def usage(error: click.ClickException) -> str:
    """What is wrong with the words of a command, and where it says which it takes."""
    said = " ".join(error.format_message().split())
    context = getattr(error, "ctx", None)
    if context is None or "--help" in said:
        return said
    return f"{said.removesuffix('.')}; `{context.command_path} --help` says what it takes."


EXTRAS = {
    **dict.fromkeys(
        ("torch", "transformers", "tokenizers", "peft", "llguidance", "psutil", "safetensors", "huggingface_hub"), "lab"
    ),
    **dict.fromkeys(("trl", "accelerate", "datasets"), "train"),
    **dict.fromkeys(("openai", "anthropic"), "api"),
    **dict.fromkeys(("wandb", "mlflow"), "trackers"),
    "vllm": "vllm",
    "inspect_evals": "benchmarks",
}
"""Package to the extra that brings it."""


def extra_of(module: str | None) -> str | None:
    """The extra that a missing module comes with; None for one that belongs to no extra, or that is installed."""
    package = (module or "").partition(".")[0]
    return EXTRAS.get(package) if find_spec(package or "_") is None else None


def _stop(sentence: str, code: int) -> None:
    click.echo(visible(f"Error: {sentence}" if code != 130 else sentence), err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
