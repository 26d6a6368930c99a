"""Everything Spillover uses from Inspect's private modules, in one place.

Each name has a contract test in `tests/contract`, so an Inspect release that moves one fails there with a clear name.
"""

from inspect_ai._util.error import PrerequisiteError
from inspect_ai.model._generate_config import active_generate_config
from inspect_ai.model._model import active_model

__all__ = ["PrerequisiteError", "active_generate_config", "active_model"]
