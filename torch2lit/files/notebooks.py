"""Notebooks: the code cells as one program, and the converted program back in its cells."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..program import Edit
from . import json_spans
from .edits import apply_edits, ordered
from .errors import SourceError
from .json_spans import Value
from .lines import newline_of, split_lines
from .magics import Magics, parses

_COMPACT_LIST = ("", ", ", "")


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

    ``number`` counts all cells of the notebook from 1, as its reader does.
    """

    number: int
    members: dict[str, Value]
    source: str
    start: int
    end: int


class NotebookSource:
    """A notebook as one program.

    ``text`` is the code of all code cells in their order, each on its own lines; ``boundaries`` are the
    lines, counted from 0, at which they begin; ``unread`` the cells that are no Python.
    """

    def __init__(self, notebook: str) -> None:
        """Read the JSON text of a notebook of format 4. Raises SourceError when it is none."""
        self._json = notebook
        self._magics = Magics()
        self.unread: list[UnreadCell] = []
        self._cells: list[Cell] = []
        top = self._read()
        pieces: list[str] = []
        line = 0
        self.is_python = "python" in (_language(top) or "python")
        for number, fields in self._code_cells(top) if self.is_python else ():
            source = _joined(fields["source"].value)
            piece = self._as_python(number, fields["source"], source)
            if piece and not newline_of(piece):
                piece += "\n"
            pieces.append(piece)
            height = len(split_lines(piece))
            self._cells.append(Cell(number, fields, source, line, line + height))
            line += height
        self.text = "".join(pieces)
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
        source = cell.members["source"]
        holders = list(json_spans.items(self._json, source)) if isinstance(source.value, list) else [source]
        for holder in holders:
            lines = split_lines(str(holder.value))
            if inside < len(lines):
                prefix = "".join(lines[:inside]) + lines[inside][: column - 1]
                offset = holder.start + 1 + len(self._dump(prefix)) - 2
                return self._json.count("\n", 0, offset) + 1, offset - self._json.rfind("\n", 0, offset)
            inside -= len(lines)
        return self._json.count("\n", 0, source.start) + 1, 1

    def replace(self, edits: Iterable[Edit]) -> str:
        """The JSON text after edits of ``text``: only cells whose code changed differ, without their outputs.

        An edit belongs to the cell that holds its first line; lines that it removes from later cells go as
        well. Raises ValueError for edits that overlap or leave the text.
        """
        changed: list[tuple[Value, str]] = []
        for cell, cell_edits in self._by_cell(ordered(edits, len(split_lines(self.text)))):
            source = self._edited(cell, cell_edits)
            if source == cell.source:
                continue
            changed.append((cell.members["source"], self._render(cell.members["source"], source)))
            if "outputs" in cell.members:
                changed.append((cell.members["outputs"], "[]"))
            if "execution_count" in cell.members:
                changed.append((cell.members["execution_count"], "null"))
        result = self._json
        for value, text in sorted(changed, key=lambda change: -change[0].start):
            result = result[: value.start] + text + result[value.end :]
        return result

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

    def _as_python(self, number: int, value: Value, source: str) -> str:
        if parses(source) or _parses_repaired(source):
            return source
        if (hidden := self._magics.hide(source)) is not None:
            return hidden
        line = self._json.count("\n", 0, value.start) + 1
        first = next((line for line in source.splitlines() if line.strip()), "")
        self.unread.append(UnreadCell(number, line, first.strip(), "backward" in source))
        return self._magics.hide_all(source)

    def _holder(self, line: int) -> Cell:
        for cell in self._cells:
            if cell.start <= line < cell.end:
                return cell
        filled = [cell for cell in self._cells if cell.start < cell.end]
        return filled[-1] if filled else self._cells[-1]

    def _by_cell(self, edits: list[Edit]) -> Iterator[tuple[Cell, list[Edit]]]:
        for cell in self._cells:
            mine: list[Edit] = []
            for edit in edits:
                if not self._cells or (edit.start >= cell.end and self._holder(edit.start) is not cell):
                    continue
                owns = self._holder(edit.start) is cell
                start, end = max(edit.start, cell.start), min(edit.end, cell.end)
                if owns or start < end:
                    start = min(start, cell.end) - cell.start
                    mine.append(Edit(start, max(end - cell.start, start), edit.text if owns else ""))
            if mine:
                yield cell, mine

    def _edited(self, cell: Cell, edits: list[Edit]) -> str:
        # Untouched lines come from the cell itself, so that its magics never pass through a placeholder.
        lines = split_lines(cell.source)
        unfinished = bool(lines) and not newline_of(lines[-1])
        if unfinished:
            lines[-1] += "\n"
        text = apply_edits(lines, [Edit(e.start, e.end, self._magics.restore(e.text)) for e in edits])
        return text[: len(text) - len(newline_of(text))] if unfinished else text

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
        escaped = self._json.isascii() and "\\u" in self._json
        return json.dumps(text, ensure_ascii=escaped)


def _parses_repaired(source: str) -> bool:
    """Whether a cell for an older Python becomes Python once the whole program is repaired."""
    from ..legacy.modernise import repaired

    return repaired(source) is not None


def _language(top: Value) -> str:
    metadata = top.value.get("metadata") if isinstance(top.value, dict) else None
    for section, key in (("language_info", "name"), ("kernelspec", "language")):
        named = metadata.get(section) if isinstance(metadata, dict) else None
        if isinstance(named, dict) and isinstance(named.get(key), str):
            return str(named[key]).lower()
    return ""


def _joined(source: object) -> str:
    return "".join(map(str, source)) if isinstance(source, list) else str(source)
