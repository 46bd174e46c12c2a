"""An iterator's ``next()`` method was Python 2's, and the iterators of a DataLoader had it up to PyTorch 1.12.

    batch = data_iter.next()       →   batch = next(data_iter)
    batch = iter(loader).next()    →   batch = next(iter(loader))

A class of the file may have a method of that name: only what ``iter(...)`` made is modernised.
Source: https://github.com/pytorch/pytorch/releases/tag/v1.13.0 (DataLoader iterators have no next()).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..program import Modernisation, Piece, Script, at, end_of, left

_METHOD = re.compile(r"\s*\.\s*next\s*\(\s*\)")


@dataclass(frozen=True, slots=True)
class IteratorNext:
    """Calls ``next(x)`` where ``x.next()`` would find no method."""

    name: str = "iterator_next"
    words: tuple[str, ...] = (".next()",)

    def modernise(self, script: Script) -> Iterable[Modernisation]:
        """Every ``x.next()`` on an iterator over a loader; other iterators are reported."""
        if not script.builtin("iter") or not script.builtin("next"):
            return
        for call in script.all(ast.Call):
            match call:
                case ast.Call(func=ast.Attribute(value=inner, attr="next"), args=[], keywords=[]):
                    made = _made_by(inner, script)
                    if not made:
                        continue
                    name = script.text(inner)
                    if not all(script.role(m) == "loader" for m in made) or not _METHOD.fullmatch(
                        script.rest(inner, call)
                    ):
                        yield left(
                            call,
                            f"`{name}.next()` stays: what `{name}` iterates over is not known, and iterators of Python 3 have no `next()`",
                        )
                        continue
                    pieces = (Piece(at(inner), at(inner), "next("), Piece(end_of(inner), end_of(call), ")"))
                    meaning = (
                        f"the iterators of a DataLoader have no `next()` any more: `next({name})` is the same batch"
                    )
                    yield Modernisation(call.lineno, end_of(call)[0], pieces, meaning)


def _made_by(node: ast.expr, script: Script) -> list[ast.expr]:
    """What is iterated over, when all that the value may be is made by ``iter(...)``."""
    values = [node] if isinstance(node, ast.Call) else script.values(node) if isinstance(node, ast.Name) else None
    made = [v.args[0] for v in values or () if isinstance(v, ast.Call) and _is_iter(v)]
    return made if values and len(made) == len(values) else []


def _is_iter(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "iter" and len(call.args) == 1


MODERNIZER = IteratorNext()
