"""Marks of single cases."""

import pytest


def long(*values):
    """A case of a parametrised test for `make test-long`."""
    return pytest.param(*values, marks=pytest.mark.long)
