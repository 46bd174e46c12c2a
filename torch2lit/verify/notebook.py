"""A notebook as the program that running all its cells would be. Runs in the child too: plain Python only."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

_CELL_MAGICS_OVER_PYTHON = ("time", "timeit", "capture", "prun")
_LINE_MAGIC = re.compile(r"^(\s*)([%!?].*)$")
_ASSIGNED_MAGIC = re.compile(r"^(\s*[\w.,\s]+=\s*)([%!].*)$")
_HELP = re.compile(r"^(\s*)([\w.]+\?{1,2})\s*$")


def code_of(notebook: str) -> str:
    """The code cells of a notebook (nbformat 3 or 4, JSON) one after the other, magics turned to comments.

    Raises ValueError when the text is no notebook.
    """
    data = json.loads(notebook)
    if not isinstance(data, dict):
        raise ValueError("not a notebook: the JSON holds no object")
    cells = data.get("cells") or [cell for sheet in data.get("worksheets", ()) for cell in sheet.get("cells", ())]
    return "\n\n".join(_cell(_source(cell)) for cell in cells if cell.get("cell_type") == "code") + "\n"


def _source(cell: Any) -> str:
    source = cell.get("source", cell.get("input", ""))
    return source if isinstance(source, str) else "".join(source)


def _cell(source: str) -> str:
    if _is_python(source):
        return source
    lines = source.splitlines()
    first = next((line for line in lines if line.strip()), "")
    if first.startswith("%%") and not first[2:].split(" ")[0].startswith(_CELL_MAGICS_OVER_PYTHON):
        return "\n".join(f"# {line}" for line in lines)
    return "\n".join(_line(line) for line in lines)


def _is_python(source: str) -> bool:
    try:
        compile(source, "cell", "exec", flags=ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError):
        return False
    return True


def _line(line: str) -> str:
    if match := _LINE_MAGIC.match(line) or _HELP.match(line):
        return f"{match[1]}pass  # {match[2]}"
    if match := _ASSIGNED_MAGIC.match(line):
        return f"{match[1]}[]  # {match[2]}"
    return line
