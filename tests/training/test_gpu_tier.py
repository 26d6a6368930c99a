"""The tier that runs on a GPU leaves no kind out: what is added to recipes is added there."""

import json

import pytest

from spillover.training.directions import DirectionSource
from spillover.training.interventions.base import Settings
from spillover.training.kinds import load_plugins
from spillover.training.objectives import Objective
from tests.gpu import test_card, test_sampling


@pytest.mark.parametrize(("family", "key"), [(Settings, "kind"), (Objective, "kind"), (DirectionSource, "from")])
def test_every_kind_is_trained_there(family, key):
    load_plugins()
    assert family.kinds
    ways = json.dumps(test_card.WAYS) + json.dumps(test_sampling.OBJECTIVE)
    apart = {"sft"} | {"file", "sae"}  # the plain way; and a test of their own
    missing = [kind for kind in family.kinds if kind not in apart and f'"{key}": "{kind}"' not in ways]
    assert missing == []
