"""JSON schemas of the declared file formats, for editors that complete and check YAML.

python -m spillover.file_formats FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from spillover.declared import json_schema
from spillover.environments.environment import environment_kinds
from spillover.figures.calibration import Calibration
from spillover.judging.attacks import AttackFile
from spillover.judging.rubric import Rubric
from spillover.questions.formats import FormatFile
from spillover.questions.model import QuestionSet
from spillover.questions.upstream import UpstreamFile
from spillover.questions.wraps import WrapFile
from spillover.run.plan import Plan
from spillover.run.study import Study
from spillover.run.suite import Suite
from spillover.screening.config import ConfigFile
from spillover.show.results import Results
from spillover.situations.scenario import ScenarioSet
from spillover.training.documents import Documents
from spillover.training.recipe import Recipe
from spillover.writing import write_json

MODELS: dict[str, type[BaseModel]] = {
    "questions": QuestionSet,
    "scenarios": ScenarioSet,
    "rubric": Rubric,
    "formats": FormatFile,
    "wraps": WrapFile,
    "upstream": UpstreamFile,
    "attacks": AttackFile,
    "recipe": Recipe,
    **{f"environment_{kind}": model for kind, model in environment_kinds().items()},
    "documents": Documents,
    "study": Study,
    "suite": Suite,
    "screen": ConfigFile,
    "calibration": Calibration,
    "plan": Plan,
    "results": Results,
}
"""Name of a format to what a file of it must be."""


def schemas() -> dict[str, dict[str, Any]]:
    """JSON schema of every format by its name (`questions` for `questions.yaml`)."""
    found = {name: json_schema(model) for name, model in MODELS.items()}
    models = found["study"]["$defs"]["ModelSpec"]["properties"]  # an entry may stand for a grid of models
    models |= {"each": {"type": "object", "additionalProperties": {"type": "array"}}}
    text, parts = {"type": "string"}, found["recipe"]["$defs"]  # and a recipe names others
    parts["Recipe"]["properties"] |= {"extends": text, "start": text}
    parts["Lora"]["properties"] |= {"preset": text}
    found["recipe"] = _partial(found["recipe"])  # what it does not say comes from the recipe that it extends
    return found


def _partial(node: Any) -> Any:
    """The schema without `required`, wherever a schema has it."""
    if isinstance(node, list):
        return [_partial(value) for value in node]
    if not isinstance(node, dict):
        return node
    return {k: _partial(v) for k, v in node.items() if not (k == "required" and isinstance(v, list))}


def main(folder: Path) -> None:
    """Write `NAME.schema.json` for every format."""
    for name, schema in schemas().items():
        write_json(folder / f"{name}.schema.json", schema)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("Name the folder to write the schemas to: python -m spillover.file_formats FOLDER")
    main(Path(sys.argv[1]))
