"""Notebooks: the code cells as one program, and the converted program back in its cells."""

from __future__ import annotations

import ast
import json
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from . import json_spans
from .errors import SourceError
from .json_spans import Value
from .lines import dominant_newline, newline_of, split_lines
from .magics import Magics, bound_names, parses

_COMPACT_LIST = ("", ", ", "")
_BETWEEN = "pass  # t2l-cell-"
_BLANK_BELOW_MAGIC = re.compile(r"\A(\s*%%[^\r\n]*(?:\r\n|\r|\n))[\r\n]+")
_SEPARATOR = re.compile(rf"^{_BETWEEN}(\d+)(?:\r\n|\r|\n|\Z)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class UnreadCell:
    """A code cell that is no Python and takes no part. ``line`` is its first in the file."""

    number: int
    line: int
    first_line: str
    may_train: bool

    @property
    def is_foreign(self) -> bool:
        """Whether a cell magic says that it is another language or a file, so that this is no surprise."""
        return self.first_line.startswith("%%")


@dataclass(frozen=True, slots=True)
class Cell:
    """A code cell: its members in the file, its own text, and its span of lines in the program's text.

    ``number`` counts all cells of the notebook from 1, as its reader does. ``code`` is its part of the program.
    """

    number: int
    members: dict[str, Value]
    source: str
    code: str
    start: int
    end: int


class NotebookSource:
    """A notebook as one program.

    ``text`` is the code of all code cells in their order, each on its own lines, with a line of nothing between two of them: so a comment
    at a cell's end is no comment of the next one, and new code has a cell. ``boundaries`` are the lines, counted from 0, at which cells
    begin; ``unread`` the cells that are no Python.
    """

    def __init__(self, notebook: str, *, repairs: Callable[[str], bool] = lambda _code: False) -> None:
        """Read the JSON text of a notebook of format 4. Raises SourceError when it is none.

        ``repairs``: whether a cell for an older Python becomes Python once the whole program is repaired.
        """
        self._json = notebook
        self._repairs = repairs
        self._magics = Magics()
        self.unread: list[UnreadCell] = []
        self._cells: list[Cell] = []
        self._known_places: dict[int, list[tuple[int, str]]] = {}
        top = self._read()
        self.is_python = "python" in (_language(top) or "python")
        found = list(self._code_cells(top)) if self.is_python else []
        sources = [_joined(fields["source"].value) for _number, fields in found]
        self._newline = dominant_newline("".join(sources))
        pieces: list[str] = []
        line = 0
        for (number, fields), source, code in zip(found, sources, self._as_python(found, sources), strict=True):
            piece = code
            if piece and not newline_of(piece):
                piece += self._newline
            height = len(split_lines(piece))
            self._cells.append(Cell(number, fields, source, piece, line, line + height))
            line += height + 1
            pieces.append(piece)
        self.text = "".join(
            piece + (f"{_BETWEEN}{n}{self._newline}" if n < len(pieces) else "") for n, piece in enumerate(pieces, 1)
        )
        self._ends = [cell.end for cell in self._cells]
        self.boundaries = tuple(cell.start for cell in self._cells)

    def cell_at(self, line: int) -> int:
        """The number, counted from 1, of the cell that holds a line of ``text``, counted from 0."""
        return self._holder(line).number

    def restore_magics(self, text: str) -> str:
        """A piece of the program's text with the notebook's own lines in place of their placeholders."""
        return self._magics.restore(text)

    def place_in_file(self, line: int, column: int = 1) -> tuple[int, int]:
        """Where a line and column of ``text`` (counted from 1) stand in the JSON file (counted from 1)."""
        if not self._cells:
            return 1, 1
        cell = self._holder(line - 1)
        inside = min(max(line - 1 - cell.start, 0), max(cell.end - cell.start - 1, 0))
        places = self._places(cell)
        if inside >= len(places):
            return self._line_at(cell.members["source"].start), 1
        start, content = places[inside]
        offset = start + len(self._dump(content[: column - 1])) - 2
        return self._line_at(offset), offset - self._json.rfind("\n", 0, offset)

    def _places(self, cell: Cell) -> list[tuple[int, str]]:
        """Where each line of a cell begins in the JSON text, with the line itself."""
        if cell.number not in self._known_places:
            source = cell.members["source"]
            holders = json_spans.items(self._json, source) if isinstance(source.value, list) else [source]
            places = self._known_places[cell.number] = []
            for holder in holders:
                offset = holder.start + 1
                for line in split_lines(str(holder.value)):
                    places.append((offset, line))
                    offset += len(self._dump(line)) - 2
        return self._known_places[cell.number]

    def with_code(self, after: str) -> str | None:
        """The JSON text with this converted ``text`` in its cells; None when it does not fit into them.

        Only the sources of cells whose code changed differ; outputs stay, as with any tool that only formats or rewrites code.
        """
        pieces = self._apart(after)
        if pieces is None:
            return None
        changed = []
        for cell, piece in zip(self._cells, pieces, strict=True):
            if piece != cell.code:
                source = cell.members["source"]
                changed.append((source, self._render(source, self._edited(cell, piece))))
        result = self._json
        for value, text in sorted(changed, key=lambda change: -change[0].start):
            result = result[: value.start] + text + result[value.end :]
        return result

    def changed_magics(self, after: str) -> list[str]:
        """Lines in IPython's own syntax that no longer mean the same in the converted ``text``."""
        return self._magics.changed(after)

    def _apart(self, after: str) -> list[str] | None:
        parts = _SEPARATOR.split(after)
        numbers = [int(number) for number in parts[1::2]]
        if not self._cells or numbers != list(range(1, len(self._cells))):
            return None
        return parts[::2]

    def _edited(self, cell: Cell, piece: str) -> str:
        text = self._magics.restore(piece)
        if not _begins_blank(cell.code):
            text = text.lstrip("\r\n")
        if not _BLANK_BELOW_MAGIC.match(cell.source):
            text = _BLANK_BELOW_MAGIC.sub(r"\1", text)
        if not _ends_blank(cell.code):
            text = text.rstrip("\r\n") + newline_of(text)
        unfinished = not newline_of(cell.source)
        if _shows_something_else(cell.code, piece):
            shown = text.rstrip()  # blank lines may follow
            text = shown + ";" + text[len(shown) :]
        return text[: len(text) - len(newline_of(text))] if unfinished else text

    def _read(self) -> Value:
        try:
            top = json_spans.root(self._json)
        except json.JSONDecodeError as error:
            raise SourceError(f"not a notebook: {error.msg}", error.lineno, error.colno) from error
        except RecursionError as error:
            raise SourceError("not a notebook: the JSON is nested too deeply") from error
        if not isinstance(top.value, dict):
            raise SourceError("not a notebook: the JSON is not an object", 1, 1)
        if top.value.get("nbformat") != 4 or not isinstance(top.value.get("cells"), list):
            raise SourceError(
                "not a notebook of format 4; `jupyter nbconvert --to notebook` brings older ones up to date"
            )
        return top

    def _code_cells(self, top: Value) -> Iterator[tuple[int, dict[str, Value]]]:
        cells = json_spans.members(self._json, top)["cells"]
        for number, cell in enumerate(json_spans.items(self._json, cells), 1):
            if isinstance(cell.value, dict) and cell.value.get("cell_type") == "code" and "source" in cell.value:
                yield number, json_spans.members(self._json, cell)

    def _as_python(self, found: list[tuple[int, dict[str, Value]]], sources: list[str]) -> list[str]:
        """The cells as Python, as far as they are; what is hidden reads the names of those before it that it mentions."""
        plain = [source if parses(source) or self._repairs(source) else None for source in sources]
        codes = []
        for (number, fields), source, code in zip(found, sources, plain, strict=True):
            readable = code if code is not None else Magics().hide(source)
            if readable is not None and parses(readable):
                self._magics.know(bound_names(readable))
            codes.append(code if code is not None else self._hidden(number, fields["source"], source))
        return codes

    def _hidden(self, number: int, value: Value, source: str) -> str:
        if (hidden := self._magics.hide(source)) is not None:
            return hidden
        line = self._line_at(value.start)
        first = next((line for line in source.splitlines() if line.strip()), "")
        self.unread.append(UnreadCell(number, line, first.strip(), "backward" in source))
        return self._magics.hide_all(source)

    def _holder(self, line: int) -> Cell:
        """The cell of a line; the line between two cells is the first one's."""
        return self._cells[min(bisect_left(self._ends, line), len(self._cells) - 1)]

    def _render(self, old: Value, source: str) -> str:
        if not isinstance(old.value, list):
            return self._dump(source)
        raw = {item.value: self._json[item.start : item.end] for item in json_spans.items(self._json, old)}
        head, between, tail = self._list_style(old)
        return "[" + head + between.join(raw.get(line) or self._dump(line) for line in split_lines(source)) + tail + "]"

    def _list_style(self, old: Value) -> tuple[str, str, str]:
        spans = list(json_spans.items(self._json, old))
        if not spans:
            return _COMPACT_LIST
        head = self._json[old.start + 1 : spans[0].start]
        tail = self._json[spans[-1].end : old.end - 1]
        between = self._json[spans[0].end : spans[1].start] if len(spans) > 1 else "," + (head or " ")
        return head, between, tail

    def _dump(self, text: str) -> str:
        return json.dumps(text, ensure_ascii=self._escaped)

    @cached_property
    def _escaped(self) -> bool:
        return self._json.isascii() and "\\u" in self._json

    @cached_property
    def _newlines(self) -> list[int]:
        return [found.start() for found in re.finditer("\n", self._json)]

    def _line_at(self, offset: int) -> int:
        return bisect_left(self._newlines, offset) + 1


def _language(top: Value) -> str:
    metadata = top.value.get("metadata") if isinstance(top.value, dict) else None
    for section, key in (("language_info", "name"), ("kernelspec", "language")):
        named = metadata.get(section) if isinstance(metadata, dict) else None
        if isinstance(named, dict) and isinstance(named.get(key), str):
            return str(named[key]).lower()
    return ""


def _joined(source: object) -> str:
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def _begins_blank(code: str) -> bool:
    return not next(iter(split_lines(code)), "").strip()


def _ends_blank(code: str) -> bool:
    return not (split_lines(code) or [""])[-1].strip()


def _shows_something_else(before: str, after: str) -> bool:
    """Whether a cell would now display the value of a new last line: a kernel shows that of an expression without a semicolon."""
    old, new = _last_expression(before), _last_expression(after)
    if new is None or (old is not None and ast.dump(old) == ast.dump(new)):
        return False
    shown = isinstance(new, ast.Call) and isinstance(new.func, ast.Attribute) and new.func.attr in _MOVES
    return shown and after.rstrip().endswith(")")


_MOVES = {"to", "cuda", "cpu", "eval", "train"}
"""Methods that give their module back, and with which a conversion may end a cell."""


def _last_expression(code: str) -> ast.expr | None:
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError):
        return None
    last = body[-1] if body else None
    return last.value if isinstance(last, ast.Expr) else None
