"""Things that are found instead of listed: every module of a package, and the files of extensions that go with them."""

from __future__ import annotations

import pkgutil
import sys
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from spillover.errors import SpilloverError
from spillover.paths import extensions


def modules_of(package: str, folder: str) -> tuple[ModuleType, ...]:
    """Every module of a package by name, then those in a folder of that name in each extension; each imported once.

    Args:
        package: Whose modules; those of extensions are imported below it, too, since Inspect takes a task's package from
            its module's name.
        folder: Of extensions.

    Raises:
        SpilloverError: for an extension that is not there, or a file with the name of one that is known.
    """
    return _modules(package, folder, tuple(extensions()))


@cache
def _modules(package: str, folder: str, roots: tuple[Path, ...]) -> tuple[ModuleType, ...]:
    paths = import_module(package).__path__
    bundled = sorted(m.name for m in pkgutil.iter_modules(paths) if not m.name.startswith("_"))
    found = [import_module(f"{package}.{name}") for name in bundled]
    known = set(bundled)
    for path in (path for root in roots for path in sorted((root / folder).glob("[!_]*.py"))):
        if path.stem in known:
            raise SpilloverError(f"{path}: something in {folder}/ is called {path.stem} already; take another name.")
        known.add(path.stem)
        found.append(_load(f"{package}.{path.stem}", path))
    return tuple(found)


def _load(name: str, path: Path) -> ModuleType:
    known = sys.modules.get(name)
    if known is not None and known.__file__ == str(path):  # another extension's file may have had this name
        return known
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
