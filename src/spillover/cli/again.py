"""The command line that does the same again, from what was given to this one."""

from __future__ import annotations

import shlex

import click
from click.core import ParameterSource

from spillover.redaction import redact
from spillover.sinks import visible

NOT_AGAIN = ("as_json", "as_csv", "dry_run")
"""What changes how it is told, and not what is done."""


def command_again(context: click.Context) -> str:
    """Every argument, and every option that was given on the command line or in a file of options; keys are masked."""
    arguments, words = [], []
    for parameter in context.command.params:
        name, value = str(parameter.name), context.params.get(str(parameter.name))
        if name in NOT_AGAIN or value is None or context.get_parameter_source(name) is ParameterSource.DEFAULT:
            continue
        many = value if isinstance(value, list | tuple) else [value]
        if isinstance(parameter, click.Argument):
            arguments += [str(one) for one in many]
        elif isinstance(value, bool):
            words += parameter.opts[:1] if value else parameter.secondary_opts[:1]
        else:
            option = max(parameter.opts, key=len)
            words += [word for one in many for word in (option, str(one))]
    return redact(shlex.join(visible(word) for word in ("spillover", str(context.info_name), *arguments, *words)))
