"""The text of a program in which those who call a function make what it handed back."""

from __future__ import annotations

import ast

from ..files.lines import dominant_newline, starts_in_bytes
from ..recover.syntax import Source
from .returned import Call, Returned
from .reworded import reworded
from .text import Made, Piece, joined


def made_by_callers(source: Source, returned: Returned) -> Made | None:
    """The text; None when other code or a comment shares the lines."""
    writer = _Writer(source)
    writer.first = writer.with_comments(returned)
    pieces = [writer.without(returned.made), writer.shorter(returned.handed.value, returned.place)]
    for call in returned.calls:
        pieces += [writer.shorter(call.statement.targets[0], returned.place), writer.making(returned.made, call)]
    found = [piece for piece in pieces if piece is not None]
    return joined(source.text, found) if len(found) == len(pieces) else None


class _Writer:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.raw = source.text.encode()
        self.starts = starts_in_bytes(source.text)
        self.first = 0
        """Where the making begins, with its comments."""

    def with_comments(self, returned: Returned) -> int:
        """The first line of the making with the comments that speak of nothing but it."""
        first, behind = returned.made.lineno, (returned.made.end_lineno or returned.made.lineno) + 1
        if behind != returned.handed.lineno and self.source.lines[behind - 1].strip():
            return first
        while self.source.lines[first - 2].strip().startswith("#"):
            first -= 1
        return first

    def without(self, made: ast.Assign) -> Piece | None:
        """The whole lines of a statement, when nothing else stands on them."""
        start, end = self.starts[made.lineno - 1], self.starts[made.end_lineno or made.lineno]
        own_start, own_end = self._span(made)
        if self.raw[start:own_start].strip() or self.raw[own_end:end].strip():
            return None
        return Piece(self.starts[self.first - 1], end, "")

    def shorter(self, listed: ast.expr | None, place: int) -> Piece | None:
        """Several things without the one at a place; the last of two stands alone."""
        assert isinstance(listed, ast.Tuple)
        start, end = self._span(listed)
        old = self.raw[start:end].decode()
        if "#" in old or "\n" in old:
            return None
        left = [self.source.segment(part) for n, part in enumerate(listed.elts) if n != place]
        new = ", ".join(left)
        return Piece(start, end, f"({new})" if old.startswith("(") and old.endswith(")") and len(left) > 1 else new)

    def making(self, made: ast.Assign, call: Call) -> Piece | None:
        """The statement behind a call that makes the same."""
        statement = call.statement
        last = statement.end_lineno or statement.lineno
        start, end = self._span(statement)
        before = self.raw[self.starts[statement.lineno - 1] : start].decode()
        behind = self.raw[end : self.starts[last]].decode().strip()
        if (
            before.strip()
            or (behind and not behind.startswith("#"))
            or not self.raw[: self.starts[last]].endswith(b"\n")
        ):
            return None
        own = self.source.lines[made.lineno - 1][: made.col_offset]
        newline = dominant_newline(self.source.text)
        text = [line.strip() for line in self.source.lines[self.first - 1 : made.lineno - 1]]
        text += reworded(self.source, made, call.words).replace("\r\n", "\n").split("\n")
        lines = "".join(f"{before}{line.removeprefix(own)}{newline}" for line in text)
        return Piece(self.starts[last], self.starts[last], lines, self.first, made.lineno - self.first)

    def _span(self, node: ast.stmt | ast.expr) -> tuple[int, int]:
        start = self.starts[node.lineno - 1] + node.col_offset
        return start, self.starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
