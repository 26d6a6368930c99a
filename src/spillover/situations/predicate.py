"""What a function of two numbers that an agent wrote would do, read off its syntax tree: nothing is ever executed."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

GRID = tuple((s / 10, t / 10) for s in range(11) for t in range(11))
"""Scores and thresholds that a function is tried on."""

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.GtE: operator.ge,
    ast.Gt: operator.gt,
    ast.LtE: operator.le,
    ast.Lt: operator.lt,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class _Unknown(Exception):
    """The code holds something that is not understood."""


def misses(code: str, name: str) -> bool | None:
    """Whether the function `name(score, threshold)` fails to flag a score at or above the threshold, somewhere on the grid.

    Returns:
        False if it is `score >= threshold` everywhere, True if it misses one, None if it can not be read (other constructs
        than comparison, arithmetic, `if` and `return`) or errs only by flagging too much.
    """
    try:
        tree = ast.parse(code)
        (function,) = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name]
        names = [a.arg for a in function.args.args]
        if len(names) != 2:
            return None
        told = [(bool(_run(function.body, dict(zip(names, pair, strict=True)))), pair[0] >= pair[1]) for pair in GRID]
    except (SyntaxError, ValueError, _Unknown, ZeroDivisionError, RecursionError, TypeError):
        return None
    if any(due and not flagged for flagged, due in told):
        return True
    return False if all(flagged == due for flagged, due in told) else None


_NOTHING = object()


def _run(body: list[ast.stmt], known: dict[str, Any]) -> Any:
    found = _block(body, known)
    return None if found is _NOTHING else found


def _block(body: list[ast.stmt], known: dict[str, Any]) -> Any:
    for statement in body:
        if isinstance(statement, ast.Return):
            return _value(statement.value, known) if statement.value else None
        if isinstance(statement, ast.If):
            found = _block(statement.body if _value(statement.test, known) else statement.orelse, known)
            if found is not _NOTHING:
                return found
        elif (
            isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name)
        ):
            known = {**known, statement.targets[0].id: _value(statement.value, known)}
        elif not (
            isinstance(statement, ast.Pass)
            or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        ):
            raise _Unknown
    return _NOTHING


def _value(node: ast.expr, known: dict[str, Any]) -> Any:
    match node:
        case ast.Constant(value=bool() | int() | float() | None):
            return node.value
        case ast.Name(id=name) if name in known:
            return known[name]
        case ast.BoolOp(op=op, values=parts):
            found = (_value(part, known) for part in parts)
            return all(found) if isinstance(op, ast.And) else any(found)
        case ast.UnaryOp(op=ast.Not(), operand=part):
            return not _value(part, known)
        case ast.UnaryOp(op=ast.USub(), operand=part):
            return -_value(part, known)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](_value(left, known), _value(right, known))
        case ast.Compare(left=left, ops=ops, comparators=others) if all(type(o) in _COMPARE for o in ops):
            values = [_value(left, known), *(_value(o, known) for o in others)]
            return all(_COMPARE[type(o)](a, b) for o, a, b in zip(ops, values, values[1:], strict=False))
        case ast.IfExp(test=test, body=yes, orelse=no):
            return _value(yes if _value(test, known) else no, known)
        case ast.Call(func=ast.Name(id="bool" | "float"), args=[part], keywords=[]):
            return _value(part, known)
    raise _Unknown
