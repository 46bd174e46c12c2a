"""A bar that counts turns by itself: ``tqdm.trange(n)`` as ``tqdm.tqdm(...)`` around what is handed over in each turn."""

from __future__ import annotations

import ast

from ..recover.loops import Loop
from ..recover.roles import Roles
from ..recover.syntax import Source, dotted

_WITH_BOTH = ("tqdm", "tqdm.auto", "tqdm.notebook", "tqdm.std")


def bar_of_turns(head: ast.expr, described: Loop, roles: Roles) -> str | None:
    """What the bar is called that takes any iterable, where a head is a bar over numbers; None for any other one."""
    if not isinstance(head, ast.Call) or not isinstance(described.base, ast.Call) or len(head.args) > 3:
        return None
    if head.args != described.base.args or any(k.arg is None for k in head.keywords):
        return None
    package, _, last = roles.full_name(head.func).rpartition(".")
    if last != "trange" or package not in _WITH_BOTH:
        return None
    if isinstance(head.func, ast.Attribute):
        return f"{dotted(head.func.value)}.tqdm"
    if roles.full_name(ast.Name("tqdm", ast.Load())) in [f"{p}.tqdm" for p in _WITH_BOTH]:
        return "tqdm"
    return "tqdm" if trange_imported(roles.source) is not None else None


def trange_imported(source: Source) -> ast.alias | None:
    """The one word of an import that brings ``trange`` alone, beside which ``tqdm`` may stand: nothing else is called so."""
    if "tqdm" in source.names:
        return None
    found = [
        alias
        for node in source.tree.body
        if isinstance(node, ast.ImportFrom) and node.module in _WITH_BOTH
        for alias in node.names
        if alias.name == "trange" and alias.asname is None
    ]
    return found[0] if len(found) == 1 else None
