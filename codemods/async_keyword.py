"""The argument ``async`` of a copy is ``non_blocking`` now: `async` is a keyword since Python 3.7.

    target.cuda(async=True)   →   target.cuda(non_blocking=True)

Only the copies of tensors had it; a file with any other argument of that name does not become Python by this.
Source: https://github.com/pytorch/pytorch/releases/tag/v0.4.0 (async renamed to non_blocking).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from tokenize import COMMENT, NAME, NL, OP, TokenInfo

from ..program import Modernisation, Piece

_COPIES = {"cuda", "to", "copy_", "type", "cpu"}
_MEANING = "`async` was the name of `non_blocking` up to PyTorch 0.4, and is a keyword of Python since 3.7"


@dataclass(frozen=True, slots=True)
class AsyncKeyword:
    """Renames the keyword argument ``async`` of calls of ``cuda``, ``to``, ``copy_``, ``type`` and ``cpu``."""

    name: str = "async_keyword"
    words: tuple[str, ...] = ("async",)

    def repair(self, tokens: Sequence[TokenInfo]) -> Iterable[Modernisation]:
        """Every ``async =`` that stands directly within the parentheses of such a call."""
        code = [t for t in tokens if t.type not in (COMMENT, NL)]
        open_calls: list[str] = []
        for index, token in enumerate(code):
            if token.type == OP and token.string in "([{":
                open_calls.append(_called(code, index) if token.string == "(" else "")
            elif token.type == OP and token.string in ")]}" and open_calls:
                open_calls.pop()
            elif (
                token.string == "async"
                and open_calls
                and open_calls[-1] in _COPIES
                and code[index - 1].string in "(,"
                and index + 1 < len(code)
                and code[index + 1].string == "="
            ):
                piece = Piece(token.start, token.end, "non_blocking")
                yield Modernisation(token.start[0], token.end[0], (piece,), _MEANING)


def _called(code: Sequence[TokenInfo], index: int) -> str:
    """The method that the parenthesis calls, "" when it calls none."""
    if index >= 2 and code[index - 1].type == NAME and code[index - 2].string == ".":
        return code[index - 1].string
    return ""


REPAIR = AsyncKeyword()
