"""Modernise a text on the way: line by line, so that the lines of the raw file stay right."""

from __future__ import annotations

import ast
import contextlib
import io
import re
import tokenize
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..comments import skip_lines
from ..files.lines import split_lines
from ..installed import modernizers, repairs
from ..memory import is_python
from ..program import Edit, Modernisation, Piece
from ..recover.roles import Roles, roles_of
from ..recover.syntax import Source, source_of
from .script import SourceScript

_NEWLINE = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Modernised:
    """A text after its modernisation, with what was done by which codemod."""

    before: str
    after: str
    done: tuple[tuple[str, Modernisation], ...]
    only_told: tuple[tuple[str, Modernisation], ...]


def modernised(source: Source, roles: Roles) -> Modernised:
    """The text without the constructs that a current torch does not run. It has the same lines, by number."""
    asked = [m for m in modernizers() if any(word in source.text for word in m.words)]
    if not asked:
        return Modernised(source.text, source.text, (), ())
    script = SourceScript(source, roles)
    found = [(m.name, one) for m in asked for one in m.modernise(script)]
    skipped = _skipped(source)
    found = [(name, one) for name, one in found if not any(a <= one.line <= b for a, b in skipped)]
    return performed(source.text, found)


def repaired(text: str) -> Modernised | None:
    """A text that does not parse, without the constructs that keep it from parsing; None when it does not parse even so."""
    asked = [r for r in repairs() if any(word in text for word in r.words)]
    if not asked:
        return None
    tokens = _tokens(text)
    result = performed(text, [(r.name, _in_bytes(one, text)) for r in asked for one in r.repair(tokens)])
    return result if result.done and is_python(result.after) else None


def modern_text(text: str) -> str:
    """A Python file as it stands after its modernisation alone. Raises SyntaxError when it is not Python even so."""
    repair = None if is_python(text) else repaired(text)
    source = source_of(repair.after if repair is not None else text)
    return modernised(source, roles_of(source)).after


def performed(text: str, found: Iterable[tuple[str, Modernisation]]) -> Modernised:
    """Apply all that do not overlap and keep the number of lines; the first one by place wins."""
    lines = [line.encode() for line in split_lines(text)]
    done: list[tuple[str, Modernisation]] = []
    only_told: list[tuple[str, Modernisation]] = []
    pieces: list[Piece] = []
    for name, one in sorted(found, key=lambda f: (f[1].line, f[0], f[1].pieces and f[1].pieces[0].start)):
        if not one.pieces:
            only_told.append((name, one))
        elif all(_keeps_lines(lines, p) for p in one.pieces) and not _overlap(pieces, one.pieces):
            done.append((name, one))
            pieces += one.pieces
    for piece in sorted(pieces, key=lambda p: p.start, reverse=True):
        _replace(lines, piece)
    return Modernised(text, b"".join(lines).decode(), tuple(done), tuple(only_told))


def _keeps_lines(lines: Sequence[bytes], piece: Piece) -> bool:
    return piece.start[0] == piece.end[0] <= len(lines) and not _NEWLINE.search(piece.text)


def _overlap(known: Sequence[Piece], new: Sequence[Piece]) -> bool:
    return any(a.start < b.end and b.start < a.end for a in known for b in new)


def _replace(lines: list[bytes], piece: Piece) -> None:
    line = lines[piece.start[0] - 1]
    lines[piece.start[0] - 1] = line[: piece.start[1]] + piece.text.encode() + line[piece.end[1] :]


def _tokens(text: str) -> list[tokenize.TokenInfo]:
    """The tokens of a text, as far as it can be read."""
    tokens: list[tokenize.TokenInfo] = []
    with contextlib.suppress(tokenize.TokenError, SyntaxError):
        tokens.extend(tokenize.generate_tokens(io.StringIO(text, newline=None).readline))
    return tokens


def _in_bytes(one: Modernisation, text: str) -> Modernisation:
    lines = split_lines(text)

    def place(where: tuple[int, int]) -> tuple[int, int]:
        return where[0], len(lines[where[0] - 1][: where[1]].encode())

    return replace(one, pieces=tuple(replace(p, start=place(p.start), end=place(p.end)) for p in one.pieces))


def _skipped(source: Source) -> list[tuple[int, int]]:
    """The line ranges of the statements on which a ``# torch2lit: skip`` stands."""
    lines = skip_lines(source.text)
    if not lines:
        return []
    statements = (n for kind in (ast.For, ast.While, ast.FunctionDef, ast.ClassDef) for n in source.all(kind))
    return sorted((s.lineno, s.end_lineno or s.lineno) for s in statements if s.lineno in lines)


def edits_of_lines(modern: Modernised, edits: tuple[Edit, ...]) -> list[Edit]:
    """The modernised lines that the conversion leaves where they are; a line of which nothing is left goes."""
    before, after = split_lines(modern.before), split_lines(modern.after)
    return [
        Edit(n, n + 1, new.rstrip("\r\n") + "\n" if new.strip() else "")
        for n, (old, new) in enumerate(zip(before, after, strict=True))
        if old != new and not any(e.start <= n < e.end for e in edits)
    ]
