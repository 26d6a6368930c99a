"""Damaged bytes: every reader answers in one sentence, or reads them. `benchmarks/fuzz.py` goes on for hours."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spillover.errors import SpilloverError
from tests.fuzz.damage import damage
from tests.fuzz.targets import targets

SLOW = {"log", "json log", "parquet", "excel", "judge's reply", "csv", "json lines", "study", "recipe"}


@pytest.mark.parametrize("name", targets())
def test_the_undamaged_input_is_read(name):
    """Else the damage would test nothing but the first check."""
    read = targets()[name]
    try:
        read(read.seed())
    except SpilloverError as error:
        pytest.fail(f"what nobody damaged is refused: {error}")


@pytest.mark.parametrize("name", targets())
def test_damage_is_one_sentence(name):
    read, seen = targets()[name], []

    @settings(max_examples=15 if name in SLOW else 60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=32))
    def holds(drawn):
        seen.append(drawn)
        with contextlib.suppress(SpilloverError):  # anything else fails
            read(damage(read.seed(), drawn))

    holds()
    assert seen  # damaged inputs were tried
