"""Whether an expression surely gives a text."""

from __future__ import annotations

import ast

from .feature import Training, Value


def bound(value: Value) -> list[ast.Name]:
    """The places that give a variable its values."""
    return [n for n in value.mentions if not isinstance(n.ctx, ast.Load)]


def is_text(training: Training, node: ast.expr) -> bool:
    """Whether an expression surely gives a text."""
    match node:
        case ast.Constant():
            return isinstance(node.value, str)
        case ast.JoinedStr():
            return True
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return is_text(training, left) or is_text(training, right)
        case ast.BinOp(left=left, op=ast.Mod()):
            return is_text(training, left)
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str()), attr="format")):
            return True
        case ast.Call(func=function):
            return training.full_name(function) in ("os.path.join", "str", "pathlib.Path")
        case ast.Name():
            value = training.value(node)
            if value is None or value.hidden or len(bound(value)) != 1:
                return False
            given = (a.value for a in training.all(ast.Assign) if a.targets == bound(value))
            return any(is_text(training, one) for one in given)
        case ast.Attribute(attr=attribute):
            return _is_text_option(training, attribute)
    return False


def _is_text_option(training: Training, attribute: str) -> bool:
    """Whether an option of that name is a text in any case: it has one by default, and nothing else gives it a value."""
    if any(a.attr == attribute and not isinstance(a.ctx, ast.Load) for a in training.all(ast.Attribute)):
        return False
    for call in training.all(ast.Call):
        match call:
            case ast.Call(func=ast.Attribute(attr="add_argument"), args=args, keywords=keywords):
                named = [a.value for a in args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
                told = {k.arg: k.value for k in keywords}
                if any(n.lstrip("-").replace("-", "_") == attribute for n in named) and "dest" not in told:
                    default, kind = told.get("default"), told.get("type")
                    plain = kind is None or training.full_name(kind) == "str"
                    return (
                        plain
                        and isinstance(default, ast.Constant)
                        and isinstance(default.value, str)
                        and not {"nargs", "action"} & set(told)
                    )
    return False
