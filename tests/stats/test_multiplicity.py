"""Holm's correction rejects the same by intervals as by p values."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spillover.stats.multiplicity import holm, step_down

P = st.floats(0.0001, 1.0)


@given(st.lists(P, max_size=12, unique=True))
def test_intervals_step_down_as_p_values_do(p_values):
    assume(all(abs(adjusted - 0.05) > 1e-9 for adjusted in holm(p_values)))
    told = step_down(p_values, lambda p, level: p < 1 - level, len(p_values))
    assert told == [p for p, adjusted in zip(p_values, holm(p_values), strict=True) if adjusted < 0.05]


def test_what_is_left_out_of_the_items_still_counts():
    assert step_down([0.01], lambda p, level: p < 1 - level, 4) == [0.01]
    assert step_down([0.01], lambda p, level: p < 1 - level, 6) == []
    with pytest.raises(ValueError, match="at least as large"):
        step_down([0.01, 0.02], lambda p, level: True, 1)
