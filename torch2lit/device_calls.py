"""Which calls move a tensor to the device that the script trains on."""

from __future__ import annotations

import ast

from .program import Site

_PASSED_ON = {"non_blocking"}


def moved(node: ast.AST, site: Site) -> ast.expr | None:
    """What ``x.to(device)`` or ``x.cuda()`` moves; None for a call that does anything else, too."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    keywords = [k for k in node.keywords if k.arg not in _PASSED_ON]
    if node.func.attr == "cuda":
        return node.func.value if not keywords and len(node.args) <= 2 else None
    if node.func.attr != "to" or len(node.args) + len(keywords) != 1:
        return None
    target = node.args[0] if node.args else keywords[0].value
    if keywords and keywords[0].arg != "device":
        return None
    if isinstance(target, ast.Constant) and isinstance(target.value, str):
        return node.func.value if target.value.startswith(("cuda", "cpu")) else None
    return node.func.value if site.role(target) == "device" else None
