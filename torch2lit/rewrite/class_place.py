"""Where the module's class stands: in the place of a function that became it, but never below the code that makes it.

def main(): train(...)        class LitNet(L.LightningModule): ...
def train(...): ...           def main(): ...
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ..memory import tree_of
from ..recover.names import flow
from ..recover.syntax import Source, walk


def place_of_class(
    source: Source, removed: Sequence[ast.FunctionDef], use: ast.stmt, code: str
) -> ast.FunctionDef | None:
    """The function of the file's top level whose place the class takes; None where it goes above its use.

    A comment above a function heads whatever follows it, so a function with one gives its place to the class.
    """
    top = [f for f in removed if source.parents[f] is source.tree]
    if not top:
        return None
    place = top[0]
    if place.lineno < use.lineno or _has_comment_above(source, place) or not _may_stand_above(source, use, place, code):
        return place
    return None


def _has_comment_above(source: Source, function: ast.FunctionDef) -> bool:
    first = min([function.lineno, *(d.lineno for d in function.decorator_list)])
    return first > 1 and source.lines[first - 2].lstrip().startswith("#")


def _may_stand_above(source: Source, use: ast.stmt, place: ast.stmt, code: str) -> bool:
    """Whether all that the class asks for when it is defined is there above its use already."""
    body = source.tree.body
    between = body[body.index(use) : body.index(place)]
    asked = {n.id for node in _run_when_defined(tree_of(code).body) for n in walk(node) if isinstance(n, ast.Name)}
    return not asked & flow(between).written


def _run_when_defined(statements: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    for statement in statements:
        match statement:
            case ast.ClassDef(bases=bases, keywords=keywords, decorator_list=decorators, body=body):
                yield from (*bases, *keywords, *decorators)
                yield from _run_when_defined(body)
            case ast.FunctionDef(args=arguments, decorator_list=decorators, returns=returns):
                yield from (arguments, *decorators)
                if returns is not None:
                    yield returns
            case _:
                yield statement
