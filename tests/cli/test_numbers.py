"""Every number of every command has limits, and what lies outside of them is refused before anything is loaded."""

import click
import pytest

from spillover.cli.main import COMMANDS, cli
from spillover.cli.numbers import Real
from tests.command import spillover

WRONG = {click.IntRange: ("-7", "1.5", "abc", "1" + "0" * 30, "nan"), Real: ("nan", "inf", "-inf", "abc", "1e300")}


def commands(group, path=()):
    """Every command with the words that call it."""
    for name in group.list_commands(None):
        found = group.get_command(None, name)
        if isinstance(found, click.Group):
            yield from commands(found, (*path, name))
        else:
            yield (*path, name), found


OPTIONS = [
    (path, option)
    for path, command in commands(cli)
    for option in command.params
    if isinstance(option.type, click.types.IntParamType | click.types.FloatParamType)
]


def test_every_number_has_limits():
    loose = [
        f"{' '.join(path)} {option.opts[0]}"
        for path, option in OPTIONS
        if not isinstance(option.type, click.IntRange | Real) or None in (option.type.min, option.type.max)
    ]
    assert loose == []
    assert len(OPTIONS) > 30
    assert len(COMMANDS) > 20


@pytest.mark.parametrize(("path", "option"), OPTIONS, ids=[f"{' '.join(path)} {option.opts[0]}" for path, option in OPTIONS])
def test_what_lies_outside_is_refused(path, option):
    kind = Real if isinstance(option.type, Real) else click.IntRange
    for value in WRONG[kind]:
        if value.startswith("-") and option.type.min <= -7:
            continue
        done = spillover(*path, option.opts[0], value)
        assert done.returncode == 2, (value, done.stderr)
        assert option.opts[0] in done.stderr
        assert "Traceback" not in done.stderr
