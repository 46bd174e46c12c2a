"""IPython's own syntax in a cell: replaced by Python of the same line count, and put back."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from ..memory import tree_of
from .lines import newline_of, split_lines

PYTHON_CELL_MAGICS = frozenset({"capture", "prun", "time"})
"""Cell magics that run their cell once, as Python, with the notebook's own variables."""

FOREIGN_CELL_MAGICS = frozenset(
    {
        "bash",
        "bigquery",
        "cmd",
        "file",
        "html",
        "javascript",
        "js",
        "latex",
        "markdown",
        "perl",
        "pypy",
        "python",
        "python2",
        "python3",
        "ruby",
        "script",
        "sh",
        "sql",
        "svg",
        "writefile",
    }
)
"""Cell magics that hand their cell to something that does not see the notebook's variables."""

_AUTOMATIC = r"(?:bash|cat|cd|conda|cp|ls|mkdir|mv|pip|pip3|rm)[ \t]+(?![=(,])"
_LINE_MAGIC = re.compile(rf"[ \t]*(?:[%!?]|{_AUTOMATIC}|[\w.*]+\?{{1,2}}[ \t]*[\r\n]*\Z)")
_ASSIGNED_MAGIC = re.compile(r"(?P<indent>[ \t]*)(?P<names>[A-Za-z_][\w \t,.]*?)[ \t]*=[ \t]*[%!](?!=)")
_TIMED = re.compile(r"(?:(?P<names>[A-Za-z_][\w \t,.]*?)[ \t]*=[ \t]*)?%time[ \t]+(?P<code>.+)")
_HELP_SUFFIX = re.compile(r"[^#'\"]*\?{1,2}[ \t]*[\r\n]*\Z")
_CELL_MAGIC = re.compile(r"\s*%%(\w+)")
_PYTHON_LINE_MAGICS = frozenset({"debug", "lprun", "memit", "mprun", "prun", "psource", "store", "time", "timeit"})
_FILLED_IN = re.compile(r"\{[^{}]*\}|\$[A-Za-z_]\w*")
_WORD = re.compile(r"\b[A-Za-z_]\w*")
_SIMPLE = (ast.Expr, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return)
_PLACEHOLDER = re.compile(r"^([ \t]*)(.*?)[ \t]*# t2l-magic-(\d+)[ \t]*(\r\n|\r|\n|\Z)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Hidden:
    """A line of the notebook, and the code of which its placeholder consists."""

    line: str
    indent: str
    code: str


class Magics:
    """The lines of a notebook that were replaced, by number.

    A placeholder carries its number, so that it can be found again wherever the conversion moved it. It reads the variables that
    the line mentions, so that nothing takes them for unused.
    """

    def __init__(self) -> None:
        self._hidden: list[_Hidden] = []
        self._names: set[str] = set()

    def know(self, names: set[str]) -> None:
        """Take note of names that the cells so far bind: only these can be mentioned from here on."""
        self._names |= names

    def hide(self, cell: str) -> str | None:
        """The cell as Python of the same line count; None when it is no Python even so."""
        lines = split_lines(cell)
        if magic := _CELL_MAGIC.match(cell):
            if magic.group(1) not in PYTHON_CELL_MAGICS:
                return None
            first = cell[: magic.start(1)].replace("\r\n", "\n").replace("\r", "\n").count("\n")
            lines[first] = self._placeholder(lines[first], "pass")
        return self._without_line_magics(lines)

    def hide_all(self, cell: str) -> str:
        """The cell as lines that do nothing, for a cell that is no Python."""
        magic = _CELL_MAGIC.match(cell)
        foreign = magic is not None and magic.group(1) in FOREIGN_CELL_MAGICS
        reading = "pass" if foreign else self._reading(cell)
        lines = split_lines(cell)
        return "".join(self._placeholder(line, "pass" if n else reading, "") for n, line in enumerate(lines))

    def restore(self, text: str) -> str:
        """The text with each placeholder line replaced by what stood there, indented as the placeholder."""

        def original(found: re.Match[str]) -> str:
            indent, code, number, newline = found.groups()
            if int(number) >= len(self._hidden):
                return found.group()
            hidden = self._hidden[int(number)]
            end = newline_of(hidden.line) or newline
            if code and code != hidden.code:
                return f"{indent}{_timed_again(hidden.line.strip(), code)}{end}"
            content = hidden.line[: len(hidden.line) - len(newline_of(hidden.line))]
            if not code:
                return f"{indent}# {content.strip()}{end}"
            return (content if indent == hidden.indent else indent + content.lstrip(" \t")) + end

        return _PLACEHOLDER.sub(original, _on_one_line(text))

    def changed(self, text: str) -> list[str]:
        """The lines whose placeholders read other variables now than they did: what they mean is no longer sure."""
        found = []
        for _indent, code, number, _newline in _PLACEHOLDER.findall(text):
            if int(number) < len(self._hidden) and code:
                hidden = self._hidden[int(number)]
                if code != hidden.code and not _TIMED.fullmatch(hidden.line.strip()):
                    found.append(hidden.line.strip())
        return found

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
        whole = line
        last = number
        while lines[last].rstrip("\r\n").endswith("\\") and last + 1 < len(lines):
            last += 1
            whole += lines[last]
        attempt[number] = self._placeholder(line, self._code(line, whole))
        indent = _indent_of(line)
        for following in range(number + 1, last + 1):
            attempt[following] = self._placeholder(lines[following], "pass", indent)

    def _code(self, line: str, whole: str) -> str:
        """Python that reads, binds and may do what the line does."""
        timed = _TIMED.fullmatch(line.strip()) if whole == line else None
        if timed is not None:
            code = f"{timed['names']} = {timed['code']}" if timed["names"] else timed["code"]
            if "#" not in code and parses(code):
                return code
        call = f"get_ipython({', '.join(self._mentioned(_seen_by(whole)))})"
        if assigned := _ASSIGNED_MAGIC.match(line):
            return f"{assigned['names'].strip()} = {call}"
        # In a loop or a function its effects have a place among those of its neighbours.
        return call if _indent_of(line) else self._reading(_seen_by(whole))

    def _mentioned(self, text: str) -> list[str]:
        return sorted(self._names & set(_WORD.findall(text)))

    def _reading(self, text: str) -> str:
        names = self._mentioned(text)
        return f"({', '.join(names)},)" if names else "pass"

    def _placeholder(self, line: str, code: str, indent: str | None = None) -> str:
        newline = newline_of(line)
        before = _indent_of(line) if indent is None else indent
        self._hidden.append(_Hidden(line, before, code))
        return f"{before}{code}  # t2l-magic-{len(self._hidden) - 1}{newline}"


def _on_one_line(text: str) -> str:
    """The text with each placeholder that was laid out over several lines on one line again: a magic has just one."""
    if not _PLACEHOLDER.search(text):
        return text
    try:
        tree = tree_of(text)
    except SyntaxError:
        return text
    lines = split_lines(text)
    for statement in ast.walk(tree):
        first, last = (statement.lineno, statement.end_lineno or 0) if isinstance(statement, _SIMPLE) else (0, 0)
        if first < last and (found := _PLACEHOLDER.match(lines[last - 1])):
            comment = lines[last - 1][found.start(3) - len("# t2l-magic-") :]
            lines[first - 1] = f"{_indent_of(lines[first - 1])}{ast.unparse(statement)}  {comment}"
            lines[first:last] = [""] * (last - first)
    return "".join(lines)


def _seen_by(line: str) -> str:
    """The part of a line that may name variables: all of it for a magic that runs Python, else what is filled in."""
    magic = re.match(r"[ \t]*(?:[\w \t,.]+=[ \t]*)?%(\w+)", line)
    if magic is not None and magic.group(1) in _PYTHON_LINE_MAGICS:
        return line
    return " ".join(_FILLED_IN.findall(line))


def _timed_again(line: str, code: str) -> str:
    """A statement that stood behind ``%time`` and was rewritten."""
    timed = _TIMED.fullmatch(line)
    if timed is None:
        return code
    names = timed["names"]
    if names and code.startswith(f"{names} = "):
        return f"{names} = %time {code.removeprefix(f'{names} = ')}"
    return code if names else f"%time {code}"


def _indent_of(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def bound_names(text: str) -> set[str]:
    """The names that the code of a cell binds."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.alias(name=name, asname=asname):
                found.add((asname or name).split(".")[0])
    return found


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
