"""`spillover`: train organisms, run experiments, read logs and judged tables, build the lab."""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module
from importlib.util import find_spec

import click

from spillover import __version__
from spillover._inspect import PrerequisiteError
from spillover.errors import plain

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


COMMANDS = {
    "screen": "screen",
    "baseline": "baseline",
    "eval": "evaluate:eval_command",
    "leaderboard": "leaderboard",
    "run": "run",
    "train": "train",
    "report": "report",
    "import": "report:import_command",
    "judge": "judging",
    "judge-check": "judge_check",
    "judges": "judge_check",
    "judge-train": "judge_train:judge_train",
    "agree": "judging",
    "calibrate": "calibrate",
    "plan": "plan",
    "multiverse": "multiverse",
    "directions": "directions",
    "geometry": "geometry",
    "interpolate": "geometry",
    "combine": "geometry",
    "lab": "lab",
    "fetch": "upstream",
}
"""Command to module below `spillover.cli`, and name in it where that is another: loaded when asked for, since Inspect and
scipy take seconds."""


class Commands(click.Group):
    """The commands of `COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import one command."""
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name].partition(":")
        command: click.Command = getattr(import_module(f"spillover.cli.{module}"), attribute or name.replace("-", "_"))
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Did a narrow fine-tune spill over into broad misalignment, and how sure are we?"""


def main() -> None:
    """Entry point: bad input is one sentence on standard error and exit code 2, never a traceback."""
    # The tokenizer warns about forking otherwise, into the middle of our own output.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        _stop("Stopped. What was finished is kept; the same command goes on from there.", 130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
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


EXTRAS = {
    **dict.fromkeys(("torch", "transformers", "tokenizers", "peft", "llguidance", "psutil", "safetensors"), "lab"),
    **dict.fromkeys(("trl", "accelerate", "datasets"), "train"),
    **dict.fromkeys(("openai", "anthropic"), "api"),
    "vllm": "vllm",
    "inspect_evals": "benchmarks",
}
"""Package to the extra that brings it."""


def extra_of(module: str | None) -> str | None:
    """The extra that a missing module comes with; None for one that belongs to no extra, or that is installed."""
    package = (module or "").partition(".")[0]
    return EXTRAS.get(package) if find_spec(package or "_") is None else None


def _stop(sentence: str, code: int) -> None:
    click.echo(f"Error: {sentence}" if code != 130 else sentence, err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
