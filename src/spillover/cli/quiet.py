"""Keep third-party chatter out of our own output; errors still come through."""

from __future__ import annotations

import logging
import os
import warnings
from importlib import import_module
from importlib.util import find_spec


def quiet_libraries() -> None:
    """Silence progress bars and advice of transformers, datasets and TRL. Call before they are imported."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"(torch|peft|trl|transformers)\b.*")
    for name in ("transformers", "peft", "trl", "accelerate", "datasets"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for module, package in (("datasets.utils.logging", "datasets"), ("transformers.utils.logging", "transformers")):
        if find_spec(package) is not None:
            import_module(module).disable_progress_bar()
