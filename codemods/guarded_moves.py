"""A guard around nothing but batch moves goes with them: Lightning moves every batch itself.

    if torch.cuda.is_available():                       →   (nothing)
        data, target = data.cuda(), target.cuda()

The moves inside are those of `device_moves`; this idiom only takes the `if` that would be left with an empty body.
Source: https://lightning.ai/docs/pytorch/stable/accelerators/accelerator_prepare.html (delete .cuda() and .to() calls).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..program import Claim, Site

_QUESTIONS = {"torch.cuda.is_available", "torch.cuda.device_count", "torch.backends.mps.is_available"}


@dataclass(frozen=True, slots=True)
class GuardedMoves:
    """Claims an `if` whose test only asks for a device and whose body only moves elements of the batch."""

    name: str = "guarded_moves"

    def claim(self, site: Site) -> Claim | None:
        """Claim the whole `if`; one with an `else`, another call in its test or any other statement stays."""
        match site.statement:
            case ast.If(test=test, body=body, orelse=[]) if _only_asks(test) and all(_moves(s, site) for s in body):
                return Claim("Trainer(accelerator=...)", "Lightning moves the batch to the device", anywhere=True)
        return None


def _only_asks(test: ast.expr) -> bool:
    """Whether evaluating the test can do nothing but answer."""
    match test:
        case ast.Name() | ast.Constant():
            return True
        case ast.Attribute(value=inner) | ast.UnaryOp(op=ast.Not(), operand=inner):
            return _only_asks(inner)
        case ast.BoolOp(values=values):
            return all(map(_only_asks, values))
        case ast.Compare(left=left, comparators=others):
            return all(map(_only_asks, [left, *others]))
        case ast.Call(func=function, args=[], keywords=[]):
            return ast.unparse(function) in _QUESTIONS
    return False


def _moves(statement: ast.stmt, site: Site) -> bool:
    """Whether the statement is ``x = x.cuda()``, ``x = x.to(device)``, or a tuple of these."""
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
            return len(targets) == len(values) and all(
                _moves_itself(t, v, site) for t, v in zip(targets, values, strict=True)
            )
        case ast.Assign(targets=[target], value=value):
            return _moves_itself(target, value, site)
    return False


def _moves_itself(target: ast.expr, value: ast.expr, site: Site) -> bool:
    match target, value:
        case ast.Name(id=name), ast.Call(
            func=ast.Attribute(value=ast.Name(id=moved) as source, attr=method), args=args, keywords=keywords
        ):
            if name != moved or not site.from_batch(source) or any(k.arg != "non_blocking" for k in keywords):
                return False
            return not args if method == "cuda" else method == "to" and len(args) == 1 and _is_device(args[0], site)
    return False


def _is_device(node: ast.expr, site: Site) -> bool:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.startswith("cuda")
    return site.role(node) == "device"


IDIOM = GuardedMoves()
