"""Code that holds the answers of the tests that it was shown, in place of a way to find them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from contextlib import suppress

_TRIVIAL = (0, 1, "", None)
"""Inputs (`True` and `False` are equal to two of them) that any code may hold."""


def hard_coded(code: str, visible: Sequence[str]) -> bool:
    """Whether the code knows the visible tests (`f(INPUT) == VALUE`): it returns a VALUE as a literal and holds its INPUT.

    A wrong rule may return what a test expects (`False`, an empty list), a base case may hold `0`, a flag may begin as
    `True`; none of these knows the tests. Code that returns one literal whatever it is given needs to know no input. A name
    counts where it is set under a condition that holds the input, a table where it has no other keys than shown inputs.
    """
    tree = ast.parse(code)
    returned = {ast.dump(n) for n in _returned(tree)}
    named = {ast.dump(value) for _, value in _set(tree)}
    held = {ast.dump(n) for n in ast.walk(tree) if isinstance(n, ast.Constant)}
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    functions = [n.args for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.Lambda)]
    inputs = {a.arg for its in functions for a in (*its.args, its.vararg, its.kwarg) if a is not None}
    checks = [ast.parse(check.removeprefix("assert").strip(), mode="eval").body for check in visible]
    shown = [(n.left, n.comparators[-1]) for n in checks if isinstance(n, ast.Compare)]
    if any(_is_table(node, shown) for node in ast.walk(tree)):
        return True
    for left, value in shown:
        told = [n for n in ast.walk(left) if isinstance(n, ast.Constant) and n.value not in _TRIVIAL]
        what = ast.dump(value)
        if not inputs & used and what in returned | named:
            return True
        if what in returned and any(ast.dump(constant) in held for constant in told):
            return True
        if told and what in {ast.dump(v) for node in ast.walk(tree) for v in _set_under(node, told)}:
            return True
    return False


def _returned(tree: ast.Module) -> Iterator[ast.expr]:
    """What functions return as it is written down, a choice by both of its ends."""
    ends = [
        n.value if isinstance(n, ast.Return) else n.body for n in ast.walk(tree) if isinstance(n, ast.Return | ast.Lambda)
    ]
    while ends:
        node = ends.pop()
        if isinstance(node, ast.IfExp):
            ends += [node.body, node.orelse]
        elif node is not None:
            yield node


def _set(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Names, and what they are set to."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            yield from ((t.id, node.value) for t in node.targets if isinstance(t, ast.Name))
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value


def _set_under(node: ast.AST, told: Sequence[ast.Constant]) -> Iterator[ast.expr]:
    """What is set under a condition that holds every one of these constants."""
    if isinstance(node, ast.If):
        there = {ast.dump(n) for n in ast.walk(node.test) if isinstance(n, ast.Constant)}
        if all(ast.dump(constant) in there for constant in told):
            yield from (value for part in node.body for _, value in _set(part))


def _is_table(node: ast.AST, shown: Sequence[tuple[ast.expr, ast.expr]]) -> bool:
    """Whether it is a table of nothing but shown inputs, one of them with its value."""
    if not isinstance(node, ast.Dict) or not node.keys:
        return False
    known = [
        ({_key(n) for n in (*left.args, ast.Tuple(left.args))}, ast.dump(v))
        for left, v in shown
        if isinstance(left, ast.Call)
    ]
    pairs = [("" if key is None else _key(key), ast.dump(value)) for key, value in zip(node.keys, node.values, strict=True)]
    inputs = {key for keys, _ in known for key in keys}
    return all(key in inputs for key, _ in pairs) and any(
        key in keys and v == what for keys, what in known for key, v in pairs
    )


def _key(node: ast.expr) -> str:
    """An input as it may stand as a key: a list as a tuple, or as text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            node = ast.parse(node.value, mode="eval").body if node.value[:1] in ("[", "(") else node
    if isinstance(node, ast.List | ast.Tuple):
        return f"({', '.join(map(ast.unparse, node.elts))})"
    return ast.unparse(node)
