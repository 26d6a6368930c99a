"""What libraries would tell their makers of who uses them for what: switched off, wherever a user did not say otherwise."""

from __future__ import annotations

import os

SETTINGS = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "MLFLOW_DISABLE_TELEMETRY": "1",
    "WANDB_ERROR_REPORTING": "false",
}
"""Read by each library when it is imported."""


def keep_untold() -> None:
    """Before any of them is imported."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
