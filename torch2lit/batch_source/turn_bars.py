"""A bar that counts turns by itself: ``tqdm.trange(n)`` as ``tqdm.tqdm(...)`` around what is handed over in each turn."""

from __future__ import annotations

import ast

from ..recover.loops import Loop
from ..recover.roles import Roles
from ..recover.syntax import dotted

_WITH_BOTH = ("tqdm", "tqdm.auto", "tqdm.notebook", "tqdm.std")


def bar_of_turns(loop: ast.For, described: Loop, roles: Roles) -> str | None:
    """What the bar is called that takes any iterable, where the loop's head is a bar over numbers; None for any other head."""
    head = loop.iter
    if not isinstance(head, ast.Call) or not isinstance(described.base, ast.Call) or len(head.args) > 3:
        return None
    if head.args != described.base.args or any(k.arg is None for k in head.keywords):
        return None
    package, _, last = roles.full_name(head.func).rpartition(".")
    if last != "trange" or package not in _WITH_BOTH:
        return None
    if isinstance(head.func, ast.Attribute):
        return f"{dotted(head.func.value)}.tqdm"
    return "tqdm" if roles.full_name(ast.Name("tqdm", ast.Load())) in [f"{p}.tqdm" for p in _WITH_BOTH] else None
