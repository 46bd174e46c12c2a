"""The text of a program in which a training function makes its optimizer itself."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from ..files.lines import dominant_newline, split_lines, starts_in_bytes
from ..recover.syntax import Source
from .given import Given
from .reworded import reworded


@dataclass(frozen=True, slots=True)
class Made:
    """The new text; for each of its lines the raw one, both counted from 1; the new lines on which something is made.

    ``gone``: the first and last raw line of each making that the new one stands for, too.
    """

    text: str
    lines: dict[int, int]
    made: tuple[int, ...]
    gone: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of the text that become others, those of raw lines from ``line`` on if it says so.

    ``skipped``: so many of its lines are comments above a statement.
    """

    start: int
    end: int
    new: str
    line: int = 0
    skipped: int = 0


def made_inside(source: Source, given: Given) -> Made | None:
    """The text in which the parameter is a variable of the function; None when a comment stands in the way."""
    pieces = _Writer(source, given).pieces()
    if pieces is None:
        return None
    gone = tuple((c.made.lineno, c.made.end_lineno or c.made.lineno) for c in given.calls[1:])
    return replace(joined(source.text, pieces), gone=gone)


class _Writer:
    def __init__(self, source: Source, given: Given) -> None:
        self.source = source
        self.given = given
        self.raw = source.text.encode()
        self.starts = starts_in_bytes(source.text)
        args = given.function.args
        defaults = [*args.defaults, *(d for d in args.kw_defaults if d is not None)]
        having = [*args.args[len(args.args) - len(args.defaults) :]]
        having += [a for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True) if d is not None]
        self.defaults: dict[ast.AST, ast.expr] = dict(zip(having, defaults, strict=True))

    def pieces(self) -> list[Piece] | None:
        given = self.given
        making = self._making()
        parameters: list[ast.AST] = [*given.function.args.args, *given.function.args.kwonlyargs]
        found = [making, *(self._without(one.made) for one in given.calls)]
        if given.function.args.kwonlyargs == [given.parameter] and not given.new:
            return None  # a bare `*` would be left
        if given.parameter is not None:
            found.append(self._listed(parameters, given.parameter, list(given.new)))
        for one in given.calls:
            if one.argument is None:
                continue
            passed: list[ast.AST] = [*one.call.args, *one.call.keywords]
            itself = next(p for p in passed if one.argument in (p, getattr(p, "value", None)))
            name = "{}={}" if isinstance(itself, ast.keyword) else "{1}"
            values = [name.format(n, self.source.segment(v)) for n, v in zip(given.new, one.values, strict=True)]
            found.append(self._listed(passed, itself, values))
        pieces = [piece for piece in found if piece is not None]
        return pieces if len(pieces) == len(found) else None

    def _listed(self, parts: list[ast.AST], part: ast.AST, new: list[str]) -> Piece | None:
        """One of several things with commas between them, replaced by others or left out."""
        start, end = self._span(part)
        if not new and (own := self._own_lines(start, end, part)) is not None:
            return own
        if not new:
            place = parts.index(part)
            if place:
                start = self._span(parts[place - 1])[1]
            elif len(parts) > 1:
                end = self._span(parts[1])[0]
        gone = self.raw[start:end].decode()
        return None if "#" in gone or "*" in gone else Piece(start, end, ", ".join(new))

    def _own_lines(self, start: int, end: int, part: ast.AST) -> Piece | None:
        """The whole lines of a thing with its comma, when nothing else stands on them."""
        first = self.starts[part.lineno - 1]  # type: ignore[attr-defined]
        behind = self.starts[self.defaults.get(part, part).end_lineno]  # type: ignore[attr-defined]
        alone = not self.raw[first:start].strip() and self.raw[end:behind].strip() == b","
        gone = self.raw[start:end].decode()
        return Piece(first, behind, "") if alone and "#" not in gone and "*" not in gone else None

    def _span(self, node: ast.AST) -> tuple[int, int]:
        start = self.starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        node = self.defaults.get(node, node)
        return start, self.starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]

    def _line(self, number: int) -> str:
        """A line by its number from 1, "" outside of the text, without what is around it."""
        return self.source.lines[number - 1].strip() if 0 < number <= len(self.source.lines) else ""

    def _without(self, made: ast.Assign) -> Piece | None:
        """The whole lines of a statement, when nothing else stands on them."""
        last = made.end_lineno or made.lineno
        start, _ = self._span(made)
        first = self._with_comments(made) if made is self.given.calls[0].made else made.lineno
        if self.raw[self.starts[made.lineno - 1] : start].strip() or self._behind(made).startswith((";", "\\")):
            return None
        if self._behind(made) not in ("", self._behind(self.given.calls[0].made)):
            return None
        if not self._line(first - 1) and not self._line(last + 1) and last < len(self.source.lines) - 1:
            last += 1
        return Piece(self.starts[first - 1], self.starts[last], "")

    def _behind(self, made: ast.Assign) -> str:
        """What stands behind a statement on its last line."""
        last = made.end_lineno or made.lineno
        return self.raw[self._span(made)[1] : self.starts[last]].decode().strip()

    def _with_comments(self, made: ast.Assign) -> int:
        """The first line of a statement with the comments that speak of nothing but it."""
        first, last = made.lineno, made.end_lineno or made.lineno
        if self._line(last + 1):
            return first
        while self._line(first - 1).startswith("#"):
            first -= 1
        return first

    def _making(self) -> Piece | None:
        """The statement at the start of the function, below its docstring."""
        given, newline = self.given, dominant_newline(self.source.text)
        made = given.calls[0].made
        body = given.function.body
        has_docstring = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) and len(body) > 1
        head, first = (body[0].end_lineno or 0, body[1]) if has_docstring else (0, body[0])
        if first.lineno <= max(head, given.function.lineno):
            return None
        indent = self.source.lines[first.lineno - 1][: first.col_offset]
        value = reworded(self.source, made.value, given.words)
        own = self.source.lines[made.lineno - 1][: made.col_offset]
        above = self._with_comments(made)
        lines = [line.strip() for line in self.source.lines[above - 1 : made.lineno - 1]]
        lines += f"{given.name} = {value}".replace("\r\n", "\n").split("\n")
        if behind := self._behind(made):
            lines[-1] += f"  {behind}"
        text = "".join(f"{indent}{line.removeprefix(own)}{newline}" for line in lines)
        while not has_docstring and self._line(first.lineno - 1 - head).startswith("#"):
            head += 1
        place = self.starts[head if has_docstring else first.lineno - 1 - head]
        return Piece(place, place, text, above, made.lineno - above)


def joined(text: str, pieces: list[Piece]) -> Made:
    """The text with the pieces in it, and which raw line each of its lines is."""
    raw, out = text.encode(), b""
    numbers: list[int] = []
    """For each new byte the raw line."""
    made: list[int] = []
    place, line = 0, 1
    for piece in [*sorted(pieces, key=lambda p: (p.start, p.end)), Piece(len(raw), len(raw), "")]:
        new = piece.new.encode()
        for part, number, is_new in ((raw[place : piece.start], line, False), (new, piece.line, True)):
            at = number or line
            if number and is_new:
                made.append(len(split_lines(out.decode())) + piece.skipped + 1)
            for byte in part:
                numbers.append(at)
                at += byte == ord("\n")
            line = line if is_new else at
            out += part
        line += raw[piece.start : piece.end].count(b"\n")
        place = piece.end
    lines: dict[int, int] = {}
    at = 0
    for number, content in enumerate(split_lines(out.decode()), start=1):
        lines[number] = numbers[at]
        at += len(content.encode())
    return Made(out.decode(), lines, tuple(made))
