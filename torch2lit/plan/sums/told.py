"""How the places that tell a sum, or its mean, are written when Lightning keeps it."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from ...recover.syntax import blocks
from ..draft import Draft
from .meters import Meter
from .uses import Use

_SCOPES = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.ListComp, ast.GeneratorExp, ast.DictComp, ast.SetComp,
)  # fmt: skip
NUMBER = "{number}"
"""What a text holds in the place of Lightning's number."""


@dataclass
class Told:
    """The expressions that tell it, and as what. ``names`` are those of the counts that the mean is divided by, ``own`` its own ones."""

    mean: bool = True
    plain: list[ast.AST] = field(default_factory=list)
    """Expressions whose text a whole number and its double do not share."""
    texts: dict[ast.AST, str] = field(default_factory=dict)
    names: list[ast.Name] = field(default_factory=list)
    own: list[ast.Name] = field(default_factory=list)
    called: list[ast.Name] = field(default_factory=list)
    holders: list[ast.Name] = field(default_factory=list)


def told_by(
    draft: Draft, name: str, ends: list[Use], meter: Meter | None, divides: Callable[[ast.expr], bool]
) -> Told | str:
    """What becomes of every place that tells it before it gets another value; why one of them cannot."""
    read = _before_another(ends)
    if any(u.item.kind not in ("statement", "result", "bind") or u.item.inner is not None for u in read):
        return "a call of the script's own is given it"
    if any(not _is_plain(draft, u) for u in read):
        return "a condition asks for it"
    if meter is not None:
        return _of_meter(draft, read, meter)
    means = [_mean(draft, u, divides) for u in read]
    found = Told(own=[u.name for u in read])
    if read and all(m is not None for m in means):
        for use, mean in zip(read, means, strict=True):
            assert mean is not None
            found.texts[mean[0]] = NUMBER
            found.names += [n for n in ast.walk(mean[1]) if isinstance(n, ast.Name)]
            _call(draft, found, use, mean[0])
        return found
    found.mean = False
    for use in read:
        statement = draft.source.statement_of(use.name)
        if isinstance(statement, ast.AugAssign) and statement.target is use.name:
            found.texts[statement] = f"{NUMBER} {_SIGNS[type(statement.op)]} {_source(draft, statement.value)}"
            found.plain += [] if isinstance(statement.op, ast.Div) else [statement]
        else:
            found.texts[use.name] = NUMBER
            found.plain += [] if is_divided(draft, use.name) else [use.name]
    return found


_SIGNS: dict[type[ast.operator], str] = {ast.Div: "/", ast.Mult: "*"}


def _source(draft: Draft, node: ast.expr) -> str:
    text = draft.source.segment(node)
    plain = isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Constant | ast.Subscript)
    return text if plain and "\n" not in text else f"({ast.unparse(node)})"


def _before_another(ends: list[Use]) -> list[Use]:
    """The uses up to the statement that gives the variable another value; that one's own target is none, unless its old value counts."""
    found: list[Use] = []
    for use in ends:
        node = use.item.node
        mine = [u for u in ends if u.item is use.item]
        if isinstance(node, ast.AugAssign) and use.item.kind == "statement" and node.target is use.name:
            return [*(u for u in ends if u.place < use.place), *mine]
        if isinstance(use.name.ctx, ast.Store) and use.item.kind == "statement" and isinstance(node, ast.Assign):
            return [u for u in ends if u.place <= use.place and isinstance(u.name.ctx, ast.Load)]
        found.append(use)
    return found


def _is_plain(draft: Draft, use: Use) -> bool:
    """Whether the name is read in a statement without blocks, or in one that may be rewritten as a whole."""
    if isinstance(use.name.ctx, ast.Store):
        node = use.item.node
        return isinstance(node, ast.AugAssign) and node.target is use.name and type(node.op) in _SIGNS
    if use.item.kind in ("result", "bind"):
        return isinstance(use.name.ctx, ast.Load)
    if not isinstance(use.name.ctx, ast.Load):
        return False
    inside = itertools.takewhile(lambda a: a is not use.item.node, draft.source.ancestors(use.name))
    own = any(isinstance(a, _SCOPES) for a in inside)
    return not own and not list(blocks(draft.source.statement_of(use.name)))


def _of_meter(draft: Draft, read: list[Use], meter: Meter) -> Told | str:
    found = Told(own=[u.name for u in read])
    for use in read:
        parent = draft.source.parents[use.name]
        if not isinstance(parent, ast.Attribute) or parent.attr != meter.mean or not isinstance(parent.ctx, ast.Load):
            return "more than its mean is told"
        found.texts[parent] = NUMBER
        _call(draft, found, use, parent)
    return found


def _mean(draft: Draft, use: Use, divides: Callable[[ast.expr], bool]) -> tuple[ast.AST, ast.expr] | None:
    """The quotient that is the mean, and what it is divided by."""
    parent = draft.source.parents[use.name]
    match parent:
        case ast.BinOp(left=left, op=ast.Div(), right=right) if left is use.name and divides(right):
            return parent, right
        case ast.AugAssign(target=target, op=ast.Div(), value=right) if target is use.name and divides(right):
            return parent, right
    return None


def is_divided(draft: Draft, name: ast.Name) -> bool:
    """Whether a quotient, or a text with decimals, is all that is made of it: a whole number and its double give the same."""
    node: ast.AST = name
    while True:
        parent = draft.source.parents[node]
        match parent:
            case ast.BinOp(op=ast.Div()):
                return True
            case ast.BinOp(left=left, op=ast.Mult(), right=right) if isinstance(
                right if left is node else left, ast.Constant
            ):
                node = parent
            case ast.FormattedValue(format_spec=ast.JoinedStr(values=[ast.Constant(value=str(form))])):
                return form.endswith(("f", "e", "%"))
            case _:
                return False


def _call(draft: Draft, found: Told, use: Use, node: ast.AST) -> None:
    """Note the variable that the mean is given to."""
    if isinstance(node, ast.AugAssign):
        target: ast.AST | None = node.target
    elif use.item.kind == "result" and isinstance(use.item.node, ast.Assign) and use.item.node.value is use.item.call:
        target = _opposite(use.item.node.targets, use.item.value, node)
    else:
        statement = draft.source.statement_of(use.name)
        target = _opposite(statement.targets, statement.value, node) if isinstance(statement, ast.Assign) else None
    if isinstance(target, ast.Name):
        found.called.append(target)
        found.holders.append(target)


def _opposite(targets: list[ast.expr], value: ast.expr | None, node: ast.AST) -> ast.expr | None:
    match targets, value:
        case [target], _ if value is node:
            return target
        case [ast.Tuple(elts=names)], ast.Tuple(elts=values) if len(names) == len(values) and node in values:
            return names[values.index(node)]
    return None
