"""Find the files of `tasks/`, bundled ones and those of extensions, and import each once."""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from spillover.errors import SpilloverError
from spillover.paths import data_files


@cache
def task_modules() -> tuple[ModuleType, ...]:
    """Modules below `spillover.tasks`, by file name; an extension's come last."""
    paths = [path for path in data_files("tasks", "[!_]*.py")]
    names = [path.stem for path in paths]
    for name in names:
        if names.count(name) > 1:
            raise SpilloverError(f"Two files declare the probe '{name}'; an extension's file needs a name of its own.")
    return tuple(map(_load, paths))


def _load(path: Path) -> ModuleType:
    name = f"spillover.tasks.{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    home = Path(import_module("spillover.tasks").__path__[0]).resolve()
    if path.resolve().parent == home:
        return import_module(name)
    # Below our package too: Inspect takes a task's package from its module's name.
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SpilloverError(f"{path} can not be imported.")
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
