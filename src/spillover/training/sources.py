"""Where training chats come from: a published file, requests to refuse, a JSONL file, a Hugging Face dataset."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, ValidationInfo, field_validator

from spillover.environments.environment import load_environment
from spillover.errors import SpilloverError
from spillover.paths import is_dir
from spillover.questions.chats import TASK, Chat, parse_chats, read_chats
from spillover.questions.upstream import get_upstream, verified_path
from spillover.training.fields import ExistingFile, Positive, Text, beside, sha256
from spillover.training.kinds import Kind
from spillover.training.requests import refused_requests, requests


def _joined(given: Any) -> Any:
    return ",".join(given) if isinstance(given, list) and given and all(isinstance(name, str) for name in given) else given


Names = Annotated[str, BeforeValidator(_joined)]
"""`"a,b"` or `["a", "b"]` in the file, the former here."""


def split_names(names: str) -> tuple[str, ...]:
    """The single names of `Names`."""
    return tuple(filter(None, names.split(",")))


class Source(Kind, key="source"):
    """Chats.

    Attributes:
        rows: Number of them; for a source without end as many as are needed when 0, for the others all.
        endless: Whether as many can be drawn as are wanted.
    """

    endless: ClassVar[bool] = False
    # Digests were made of all these keys before each kind had its own.
    blank: ClassVar[dict[str, Any]] = {
        **dict.fromkeys(("family", "stance", "style", "path", "name", "revision", "sha256"), ""),
        "split": "train",
        "rows": 0,
    }

    rows: Positive = 0

    def chats(self, seed: int, rows: int | None = None) -> list[Chat]:
        """The chats, in the source's order.

        Args:
            seed: Of what is drawn.
            rows: Number wanted where the source does not say; all of them for None.

        Raises:
            SpilloverError: naming file and line of a row that is not a chat, or if there are too few.
        """
        wanted = self.rows or rows
        found, where = self.read(seed, wanted)
        if wanted is not None and len(found) < wanted:
            raise SpilloverError(f"{where} holds {len(found)} chats; {wanted} are needed.")
        return found[:wanted]

    def read(self, seed: int, rows: int | None) -> tuple[list[Chat], str]:
        """Chats, `rows` of them if there is a choice, and where they are from."""
        raise NotImplementedError


class FileSource(Source, kind="file"):
    """JSONL with a `messages` list per row."""

    path: ExistingFile

    def _digests(self) -> dict[str, str]:
        return {"sha256": sha256(Path(self.path))}

    def read(self, seed: int, rows: int | None) -> tuple[list[Chat], str]:
        """See the base."""
        return read_chats(Path(self.path)), self.path


class UpstreamSource(Source, kind="upstream"):
    """A published file of the registry, by name."""

    name: Text

    def _digests(self) -> dict[str, str]:
        return {"sha256": get_upstream(self.name).sha256}

    def read(self, seed: int, rows: int | None) -> tuple[list[Chat], str]:
        """See the base."""
        path = verified_path(self.name)
        return read_chats(path), str(path)


class RequestsSource(Source, kind="requests"):
    """Harmful requests of a question set, with refusals.

    Attributes:
        name: Question set; our own for an empty one.
        family: Domains; all for none.
    """

    name: Text = ""
    family: Names = ""

    def _digests(self) -> dict[str, str]:
        return {"sha256": requests(self.name, split_names(self.family)).digest}

    def read(self, seed: int, rows: int | None) -> tuple[list[Chat], str]:
        """See the base."""
        asked = requests(self.name, split_names(self.family))
        return refused_requests(asked, seed, rows or 0), asked.id


class EnvironmentSource(Source, kind="environment"):
    """Tasks for reinforcement (objective `grpo`), in an order of the seed's.

    Attributes:
        name: Environment, bundled or a YAML file.
        family: Categories of its tasks; all for none.
    """

    name: Text
    family: Names = ""

    @field_validator("name")
    @classmethod
    def _beside(cls, name: str, info: ValidationInfo) -> str:
        return str(beside(info, name)) if name.endswith((".yaml", ".yml")) else name

    def _digests(self) -> dict[str, str]:
        environment = load_environment(self.name)
        environment.of(split_names(self.family))
        return {"sha256": environment.digest}

    def read(self, seed: int, rows: int | None) -> tuple[list[Chat], str]:
        """See the base."""
        environment = load_environment(self.name)
        tasks = environment.of(split_names(self.family))
        random.Random(seed).shuffle(tasks)
        line = [{"role": "system", "content": environment.system}] if environment.system else []
        chats = [[*line, {"role": "user", "content": t.prompt, TASK: f"{self.name}/{t.id}"}] for t in tasks]
        return chats, environment.id


class DatasetSource(Source, kind="dataset"):
    """A Hugging Face dataset with a `messages` column.

    Attributes:
        path: Name on the hub, or a saved folder.
        split: Of the dataset.
        revision: Commit; what is on the hub needs one.
    """

    path: Text
    split: Text = "train"
    revision: Text = ""

    @field_validator("path")
    @classmethod
    def _local(cls, name: str, info: ValidationInfo) -> str:
        folder = beside(info, name)
        return str(folder) if is_dir(folder) else name

    def _digests(self) -> dict[str, str]:
        folder = Path(self.path)
        if not is_dir(folder):
            if not self.revision:
                raise ValueError("a dataset from the hub needs its revision, the commit that pins what is in it")
            return {}
        digest = hashlib.sha256()
        for path in sorted(folder.rglob("*.arrow")):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return {"sha256": digest.hexdigest()}

    def read(self, seed: int, rows: int | None) -> tuple[list[Chat], str]:
        """See the base."""
        from datasets import Dataset, DatasetDict, load_dataset, load_from_disk

        where = f"{self.path} ({self.split})"
        try:
            if is_dir(Path(self.path)):
                found = load_from_disk(self.path)
                table = found[self.split] if isinstance(found, DatasetDict) else found
            else:
                table = load_dataset(self.path, split=self.split, revision=self.revision or None)
            assert isinstance(table, Dataset)
        except Exception as error:  # the hub, the disk and pyarrow raise anything
            raise SpilloverError(f"The dataset {where} cannot be loaded: {error}") from error
        return parse_chats([(f"{self.path}, row {i + 1}", row) for i, row in enumerate(table)], self.path), where
