"""Marks of the tests that need a GPU."""

import os

import pytest
import torch

REHEARSED = os.environ.get("SPILLOVER_GPU_TIER") == "cpu"
"""Whether the tier is tried where there is none."""


def marks():
    """For a module's `pytestmark`."""
    missing = not (torch.cuda.is_available() or REHEARSED)
    return [pytest.mark.gpu, pytest.mark.skipif(missing, reason="there is no GPU here")]
