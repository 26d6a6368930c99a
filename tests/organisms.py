"""Organisms of the shipped recipes, trained once for all tests of a session, whichever worker asks first."""

from filelock import FileLock

from spillover.training.recipe import load_recipe
from spillover.training.train import train


def organism(recipe, factory):
    """Folder of an organism.

    Args:
        recipe: Its name.
        factory: pytest's `tmp_path_factory`; workers share the folder above theirs.
    """
    base = factory.getbasetemp()
    root = base.parent if base.name.startswith("popen-") else base
    folder = root / "organisms" / recipe
    with FileLock(root / f"{recipe}.lock"):
        return folder if (folder / "organism.json").is_file() else train(load_recipe(recipe), folder)
