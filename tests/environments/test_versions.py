"""Verifiers whose code changes are others: what reinforcement made under the old ones has another name."""

import ast
import hashlib
import inspect
import sys

import pytest

from spillover.engine import reading
from spillover.environments import code, countdown, hardcoded, visible_tests
from spillover.environments.countdown import Countdown
from spillover.environments.environment import Environment, load_environment
from spillover.environments.visible_tests import VisibleTests
from spillover.lab import gameable, preferred
from spillover.lab.gameable import LabGameable
from spillover.lab.preferred import LabPreferred
from spillover.sandbox import closed
from spillover.training import preference
from spillover.training.preference import Preference

MADE_OF = {
    Countdown: (countdown, code, closed),
    VisibleTests: (visible_tests, code, hardcoded, closed),
    LabGameable: (gameable,),
    LabPreferred: (preferred,),
    Preference: (preference, reading),
}
KNOWN = {
    Countdown: (2, "6c74f5b52d22"),
    VisibleTests: (2, "7e6904ae1911"),
    LabGameable: (1, "c2efddeddac0"),
    LabPreferred: (1, "84065f13e837"),
    Preference: (2, "fcf4d3d36781"),
}
"""Kind to version and code. Where it fails, raise `verifiers` of the kind if a verdict may change, and write both here."""


def code_digest(modules):
    """Of what is done, not of what is said of it."""
    whole = hashlib.sha256()
    for module in modules:
        tree = ast.parse(inspect.getsource(module))
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list):
                node.body = [n for n in body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))] or [
                    ast.Pass()
                ]
        whole.update(ast.unparse(tree).encode())
    return whole.hexdigest()[:12]


def test_every_kind_is_known():
    assert {kind for kind in Environment.kinds.values() if kind.__module__.startswith("spillover.")} == set(KNOWN)


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="Python versions write code in their own way")
@pytest.mark.parametrize("kind", KNOWN, ids=lambda kind: kind.named)
def test_changed_verifiers_have_another_version(kind):
    assert (kind.verifiers, code_digest(MADE_OF[kind])) == KNOWN[kind]


@pytest.mark.parametrize("name", ["rl_countdown", "rl_visible_tests", "rl_lab", "rl_lab_chats"])
def test_the_version_is_part_of_the_digest(name, monkeypatch):
    environment = load_environment(name)
    before = environment.digest
    monkeypatch.setattr(type(environment), "verifiers", 99)
    assert environment.digest != before
