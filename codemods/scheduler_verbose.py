"""A scheduler's ``verbose`` is gone: it only made the scheduler print when it changed the learning rate.

    ReduceLROnPlateau(optimizer, "min", verbose=True)   →   ReduceLROnPlateau(optimizer, "min")

Source: https://docs.pytorch.org/docs/stable/optim.html (verbose deprecated in 2.2, removed since).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..program import Modernisation, Piece, Script, at, end_of, left

_SCHEDULER = re.compile(r"torch\.optim\.lr_scheduler\.\w+")


@dataclass(frozen=True, slots=True)
class SchedulerVerbose:
    """Drops the argument ``verbose`` of torch's schedulers."""

    name: str = "scheduler_verbose"
    words: tuple[str, ...] = ("verbose",)

    def modernise(self, script: Script) -> Iterable[Modernisation]:
        """The keyword with the comma before or after it, when nothing else happens in its value."""
        for call in script.all(ast.Call):
            if not _SCHEDULER.fullmatch(script.full_name(call.func)):
                continue
            for keyword in call.keywords:
                if keyword.arg != "verbose":
                    continue
                plain = isinstance(keyword.value, ast.Constant | ast.Name | ast.Attribute)
                if not plain or (piece := _with_comma(call, keyword, script)) is None:
                    yield left(
                        call, "`verbose` stays, and torch's schedulers have no such argument any more: take it away"
                    )
                else:
                    printed = not (isinstance(keyword.value, ast.Constant) and not keyword.value.value)
                    gone = "; the line that the scheduler printed at each change is gone" if printed else ""
                    meaning = f"torch's schedulers have no `verbose` any more{gone}"
                    yield Modernisation(keyword.lineno, end_of(keyword)[0], (piece,), meaning)


def _with_comma(call: ast.Call, keyword: ast.keyword, script: Script) -> Piece | None:
    """The argument and one comma, when both stand on one line."""
    others = [*call.args, *(k for k in call.keywords if k is not keyword)]
    earlier = [o for o in others if end_of(o) <= at(keyword)]
    later = [o for o in others if at(o) >= end_of(keyword)]
    if earlier:
        last = max(earlier, key=end_of)
        between = script.before(keyword, call)[len(script.before(last, call)) + len(script.text(last)) :]
        if between.strip() == "," and end_of(last)[0] == keyword.lineno:
            return Piece(end_of(last), end_of(keyword), "")
        if between.count(",") != 1 or "#" in between:
            return None
    if later:
        first = min(later, key=at)
        return (
            Piece(at(keyword), at(first), "") if at(first)[0] == keyword.lineno else _up_to_comma(call, keyword, script)
        )
    return _up_to_comma(call, keyword, script)


def _up_to_comma(call: ast.Call, keyword: ast.keyword, script: Script) -> Piece:
    """The argument at the end of its line, with the comma that follows; a comma may end the arguments."""
    line, column = end_of(keyword)
    rest = script.rest(keyword, call).partition("\n")[0]
    comma = len(rest) - len(rest.lstrip()) + 1 if rest.lstrip().startswith(",") else 0
    return Piece(at(keyword), (line, column + comma), "")


MODERNIZER = SchedulerVerbose()
