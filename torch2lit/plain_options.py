"""What features ask about a script's options: may a file that holds them be loaded without trusting it?"""

from __future__ import annotations

import ast

from .feature import Training

_PLAIN = {"int", "float", "str"}


def has_plain_options(training: Training) -> bool:
    """Whether the script's options are texts and numbers, which torch loads without being told to trust the file."""
    for call in training.all(ast.Call):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "add_argument":
            for keyword in call.keywords:
                if keyword.arg == "type" and training.full_name(keyword.value) not in _PLAIN:
                    return False
                if keyword.arg == "default" and not _is_plain(keyword.value):
                    return False
    return not any(
        isinstance(a.ctx, ast.Store) and isinstance(a.value, ast.Name) and a.value.id != "self"
        for a in training.all(ast.Attribute)
    )


def _is_plain(node: ast.expr) -> bool:
    match node:
        case ast.UnaryOp(operand=inner):
            return _is_plain(inner)
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return all(map(_is_plain, elements))
    return isinstance(node, ast.Constant)
