"""`spillover push` and `pull`: organisms to and from the Hugging Face hub."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from spillover.cli.outputs import OutFolder
from spillover.cli.quiet import quiet_libraries
from spillover.errors import SpilloverError
from spillover.exchange.hub import Hub, prepare, receive, send
from spillover.redaction import redact

T = TypeVar("T")


@click.command()
@click.argument("organism")
@click.argument("repository")
@click.option("--base-model", help="The base as others find it: OWNER/NAME.")
@click.option("--public", is_flag=True, help="A new repository is open to everybody [default: private].")
@click.option("--dry-run", is_flag=True, help="Write what would be sent to --out, and send nothing.")
@click.option("--out", type=OutFolder("an organism", alone=True), help="Keep what is sent in this new folder.")
def push(organism: str, repository: str, base_model: str | None, public: bool, dry_run: bool, out: Path | None) -> None:
    """Send ORGANISM, a folder of `spillover train`, to the hub as REPOSITORY (OWNER/NAME), with a model card.

    Without checkpoints on the way and without paths of this machine. The hub's own login (HF_TOKEN) is used.
    """
    if dry_run and out is None:
        raise SpilloverError("A dry run writes what would be sent: give --out FOLDER.")
    with tempfile.TemporaryDirectory() as scratch:
        folder = out or Path(scratch) / "organism"
        for path in prepare(organism, repository, base_model, folder):
            click.echo(f"{path.stat().st_size:>12}  {path.name}")
        if dry_run:
            click.echo(f"Nothing was sent. What would be: {folder}")
            return
        _calling(lambda hub: send(hub, folder, repository, public))
    click.echo(f"https://huggingface.co/{repository}")


@click.command()
@click.argument("repository")
@click.option("--revision", help="Commit, tag or branch [default: the newest].")
@click.option("--out", type=OutFolder("an organism", alone=True), required=True, help="New folder.")
def pull(repository: str, revision: str | None, out: Path) -> None:
    """Fetch an organism from the hub, and hold it against its card, if it has one."""
    if not _calling(lambda hub: receive(hub, repository, revision, out)):
        click.echo("It has no card (organism.json), so there was nothing to hold it against.", err=True)
    click.echo(out)


def _calling(work: Callable[[Hub], T]) -> T:
    """With the hub's client; what it refuses is one sentence."""
    quiet_libraries()
    from huggingface_hub import HfApi
    from huggingface_hub import errors as hub_errors

    refused = (hub_errors.HfHubHTTPError, hub_errors.HFValidationError, hub_errors.LocalTokenNotFoundError)
    try:
        return work(HfApi())
    except Exception as error:
        said = redact(" ".join(str(error).split()))[:300]
        if isinstance(error, refused):
            raise SpilloverError(
                f"The hub does not take it ({said}); is the name right, and are you logged in (HF_TOKEN)?"
            ) from error
        # The client's own errors of the network are httpx's or httpx2's, as its version has it; of a download it says
        # that nothing lies here.
        if isinstance(error, ConnectionError | hub_errors.LocalEntryNotFoundError) or _of_httpx(error):
            said = said.partition(" An error happened")[0]
            raise SpilloverError(f"The hub cannot be reached ({said}); try again when the network is there.") from error
        raise


def _of_httpx(error: Exception) -> bool:
    return any(kind.__module__.partition(".")[0] in ("httpx", "httpx2") for kind in type(error).__mro__)
