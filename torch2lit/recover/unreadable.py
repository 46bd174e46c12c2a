"""Calls of an entry script that lead into project files which do not parse: their training cannot be looked at."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from ..files.old_python import old_syntax
from ..memory import tree_of
from .neighbours import Neighbours
from .roles import Roles
from .syntax import Source, dotted

_DEFINES = re.compile(r"(?:def|class)\s+(\w+)\b")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A call that may train, and the place in another file at which reading ends."""

    call: ast.Call
    file: Path
    line: int
    why: str


def unreadable_training(source: Source, roles: Roles, neighbours: Neighbours) -> Unreadable | None:
    """The first call of something that a file defines which has the words of a training loop and does not parse."""
    for call in source.calls:
        module, _, name = roles.full_name(call.func).rpartition(".")
        if not module or dotted(call.func).partition(".")[0] not in roles.origins:
            continue
        file = neighbours.file(module)
        if file is None or neighbours.tree(file) is not None:
            continue
        text = neighbours.text(file)
        if "backward(" not in text or "step(" not in text or not _may_run_backward(_blocks(text), name):
            continue
        try:
            tree_of(text)
        except SyntaxError as error:
            line, why = old_syntax(text, error) or (error.lineno or 1, error.msg or "invalid syntax")
            return Unreadable(call, file, line, why)
        except (ValueError, RecursionError):
            continue
    return None


def _blocks(text: str) -> dict[str, str]:
    """The functions and classes at module level, by name, as far as lines that begin at the margin tell."""
    parts = re.split(r"^(?=\S)", text, flags=re.MULTILINE)
    found = ((match, part) for part in parts if (match := _DEFINES.match(part)) is not None)
    return {match.group(1): part for match, part in found}


def _may_run_backward(blocks: dict[str, str], name: str) -> bool:
    """Whether the text of a definition runs backward, or names one that does."""
    waiting, seen = [name], {name}
    while waiting:
        block = blocks.get(waiting.pop(), "")
        if "backward(" in block:
            return True
        named = [n for n in re.findall(r"\w+", block) if n in blocks and n not in seen]
        seen.update(named)
        waiting += named
    return False
