"""A notebook as the program that running all its cells would be. Runs in the child too: plain Python only."""

from __future__ import annotations
import __future__

import ast
import json
import re
from types import CodeType
from typing import Any

_CELL_MAGICS_OVER_PYTHON = ("time", "capture", "prun")
_LINE_MAGIC = re.compile(r"^(\s*)([%!?].*)$")
_TIMED = re.compile(r"^(\s*(?:[A-Za-z_][\w.,\s]*=\s*)?)%time\s+(.+)$")
_RUN = re.compile(r"^(\s*)%run\s+(?:-i\s+)?([\w./-]+\.py)\s*$")
_CAPTURED = re.compile(r"^%%capture\s+(?:--\S+\s+)*([A-Za-z_]\w*)\s*$")
_ASSIGNED_MAGIC = re.compile(r"^(\s*[\w.,\s]+=\s*)([%!].*)$")
_HELP = re.compile(r"^(\s*)([\w.]+\?{1,2})\s*$")
_FUTURE = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)


class Shell:
    """What ``get_ipython()`` gives: everything can be asked of it and nothing happens."""

    def __getattr__(self, name: str) -> Any:
        return Shell()

    def __call__(self, *arguments: Any, **named: Any) -> Shell:
        return self

    def __str__(self) -> str:
        return ""


def code_of(notebook: str) -> str:
    """The code cells of a notebook (nbformat 3 or 4, JSON) one after the other, magics turned to comments.

    Raises ValueError when the text is no notebook.
    """
    return "\n\n".join(_cells(notebook)) + "\n"


def compiled(notebook: str, name: str) -> list[CodeType]:
    """The code cells one by one, as a kernel compiles them: ``from __future__`` may stand in any and holds from there on."""
    found = []
    flags, line = 0, 0
    for cell in _cells(notebook):
        code = compile("\n" * line + cell, name, "exec", flags, dont_inherit=True)
        flags |= code.co_flags & _FUTURE
        line += cell.count("\n") + 2
        found.append(code)
    return found


def _cells(notebook: str) -> list[str]:
    data = json.loads(notebook)
    if not isinstance(data, dict):
        raise ValueError("not a notebook: the JSON holds no object")
    cells = data.get("cells") or [cell for sheet in data.get("worksheets", ()) for cell in sheet.get("cells", ())]
    return [_cell(_source(cell)) for cell in cells if cell.get("cell_type") == "code"]


def _source(cell: Any) -> str:
    source = cell.get("source", cell.get("input", ""))
    return source if isinstance(source, str) else "".join(source)


def _cell(source: str) -> str:
    if _is_python(source):
        return source
    lines = source.splitlines()
    first = next((line for line in lines if line.strip()), "")
    if not first.startswith("%%") or re.split(r"\W", first[2:])[0] in _CELL_MAGICS_OVER_PYTHON:
        code = "\n".join(_line(line) for line in lines)
        if _is_python(code):
            return code
    return "\n".join(f"# {line}" for line in lines)  # a kernel tells of an error there, and nothing of it runs


def _is_python(source: str) -> bool:
    try:
        compile(source, "cell", "exec", flags=ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError):
        return False
    return True


def _line(line: str) -> str:
    if match := _CAPTURED.match(line):
        return f"{match[1]} = get_ipython()  # {line}"
    if match := _RUN.match(line):
        return f'{match[1]}exec(compile(open("{match[2]}").read(), "{match[2]}", "exec"))'
    if match := _TIMED.match(line):
        return f"{match[1]}{match[2]}"
    if match := _LINE_MAGIC.match(line) or _HELP.match(line):
        return f"{match[1]}pass  # {match[2]}"
    if match := _ASSIGNED_MAGIC.match(line):
        return f"{match[1]}[]  # {match[2]}"
    return line
