"""IPython's own syntax in a cell: replaced by Python of the same line count, and put back."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable

from .lines import newline_of, split_lines

PYTHON_CELL_MAGICS = frozenset({"capture", "prun", "pypy", "python", "python3", "time", "timeit"})

_AUTOMATIC = r"(?:bash|cat|cd|conda|cp|ls|mkdir|mv|pip|pip3|rm)[ \t]+(?![=(,])"
_LINE_MAGIC = re.compile(rf"[ \t]*(?:[%!?]|{_AUTOMATIC}|[\w.*]+\?{{1,2}}[ \t]*[\r\n]*\Z)")
_ASSIGNED_MAGIC = re.compile(r"(?P<indent>[ \t]*)(?P<names>[A-Za-z_][\w \t,.]*?)[ \t]*=[ \t]*[%!](?!=)")
_HELP_SUFFIX = re.compile(r"[^#'\"]*\?{1,2}[ \t]*[\r\n]*\Z")
_CELL_MAGIC = re.compile(r"\s*%%(\w+)")
_PLACEHOLDER = re.compile(r"^[ \t]*(?:\w[\w \t,.]* = None|pass)?[ \t]*# t2l-magic-(\d+):.*(?:\n|\Z)", re.MULTILINE)


class Magics:
    """The lines of a notebook that were replaced, by number.

    A placeholder carries its number, so that it can be found again wherever the conversion moved it.
    """

    def __init__(self) -> None:
        self._originals: list[str] = []

    def hide(self, cell: str) -> str | None:
        """The cell as Python of the same line count; None when it is no Python even so."""
        lines = split_lines(cell)
        body_is_python = True
        if magic := _CELL_MAGIC.match(cell):
            body_is_python = magic.group(1) in PYTHON_CELL_MAGICS
            first = cell[: magic.start(1)].replace("\r\n", "\n").replace("\r", "\n").count("\n")
            lines[first] = self._placeholder(lines[first], "")
        if not body_is_python:
            return None
        return self._without_line_magics(lines)

    def hide_all(self, cell: str) -> str:
        """The cell as comment lines, for a cell that is no Python."""
        return "".join(self._placeholder(line, "") for line in split_lines(cell))

    def restore(self, text: str) -> str:
        """The text with each placeholder line replaced by what stood there, indented as the placeholder."""

        def original(found: re.Match[str]) -> str:
            number = int(found.group(1))
            if number >= len(self._originals):
                return found.group()
            line = self._originals[number]
            placeholder = found.group()
            indent = placeholder[: len(placeholder) - len(placeholder.lstrip(" \t"))]
            content = line.lstrip(" \t")
            if not newline_of(line) and placeholder.endswith("\n"):
                content += "\n"
            return (indent if content.strip() else line[: len(line) - len(content)]) + content

        return _PLACEHOLDER.sub(original, text)

    def _without_line_magics(self, lines: list[str]) -> str | None:
        if not any(map(_may_be_magic, lines)):
            return "".join(lines) if parses("".join(lines)) else None
        # Only the parser knows which line that begins with % continues an expression: hide the line that it
        # stops at.
        attempt = list(lines)
        tried: set[int] = set()
        while (stop := syntax_error_line("".join(attempt))) is not None:
            if stop in tried or not 0 <= stop < len(lines) or not _may_be_magic(lines[stop]):
                break
            tried.add(stop)
            self._hide_at(lines, attempt, stop)
        else:
            return "".join(attempt)
        attempt = list(lines)
        for number, line in enumerate(lines):
            if _may_be_magic(line) and attempt[number] is line:
                self._hide_at(lines, attempt, number)
        return "".join(attempt) if parses("".join(attempt)) else None

    def _hide_at(self, lines: list[str], attempt: list[str], number: int) -> None:
        line = lines[number]
        assigned = _ASSIGNED_MAGIC.match(line)
        attempt[number] = self._placeholder(line, f"{assigned['names'].strip()} = None  " if assigned else "pass  ")
        while lines[number].rstrip("\r\n").endswith("\\") and number + 1 < len(lines):
            number += 1
            attempt[number] = self._placeholder(lines[number], "")

    def _placeholder(self, line: str, code: str) -> str:
        newline = newline_of(line)
        content = line[: len(line) - len(newline)]
        indent = content[: len(content) - len(content.lstrip(" \t"))]
        self._originals.append(line)
        return f"{indent}{code}# t2l-magic-{len(self._originals) - 1}: {content.strip()}{newline}"


def parses(text: str) -> bool:
    """Whether a text is Python."""
    return syntax_error_line(text) is None


def syntax_error_line(text: str) -> int | None:
    """The line, counted from 0, at which the parser stops; None when it does not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # A cell may await at its top level, as IPython lets it.
            compile(text, "<cell>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as error:
        return (error.lineno or 1) - 1
    except (ValueError, RecursionError, MemoryError):
        return -1
    return None


def _may_be_magic(line: str) -> bool:
    tests: tuple[Callable[[str], object], ...] = (
        _LINE_MAGIC.match,
        _ASSIGNED_MAGIC.match,
        _HELP_SUFFIX.match,
    )
    return any(test(line) for test in tests)
