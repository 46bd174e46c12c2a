"""The comments of a text: what must not get lost."""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections import Counter
from typing import TYPE_CHECKING

from .memory import tree_of
from .trees import all_of

if TYPE_CHECKING:
    from .findings import Finding

_SHOWN = 80
_STRING_OR_COMMENT = re.compile(
    r"""
    '''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''  | \"\"\"[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*\"\"\"
    | '[^'\\\n]*(?:\\.[^'\\\n]*)*'              | "[^"\\\n]*(?:\\.[^"\\\n]*)*"
    | (?P<comment>\#[^\n]*)
    """,
    re.DOTALL | re.VERBOSE,
)
_NESTED = re.compile(r"""\b(?:[fFtT][rR]?|[rR][fFtT])["']""") if sys.version_info >= (3, 12) else None
"""What may hold the quotes that are around it: since Python 3.12 a string in such a string is any other."""
_SKIP = "# torch2lit: skip"


def comments(text: str) -> list[tuple[int, str]]:
    """Every comment with its line, counted from 1."""
    if "#" not in text:
        return []
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _parses(text) and (_NESTED is None or _NESTED.search(text) is None):
        return _between_strings(text)
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return []
    return [(t.start[0], t.string.rstrip()) for t in tokens if t.type == tokenize.COMMENT]


def _between_strings(text: str) -> list[tuple[int, str]]:
    """The comments of Python that parses, a tenth of the time that its tokens take."""
    found: list[tuple[int, str]] = []
    line, place = 1, 0
    for match in _STRING_OR_COMMENT.finditer(text):
        if comment := match["comment"]:
            line, place = line + text.count("\n", place, match.start()), match.start()
            found.append((line, comment.rstrip()))
    return found


def lost_comments(before: str, after: str) -> list[tuple[int, str]]:
    """The comments of ``before`` that ``after`` does not hold as often, whatever blank black has put after the ``#``."""
    left = Counter(said(text) for _, text in comments(after))
    lost = []
    for line, text in comments(before):
        if left[said(text)]:
            left[said(text)] -= 1
        else:
            lost.append((line, text))
    return lost


def said(comment: str) -> str:
    """What a comment says, without its sign and the blanks around."""
    return comment.lstrip("#").strip()


def lost_docstrings(before: str, after: str) -> list[tuple[int, str, str]]:
    """The docstrings of ``before`` that ``after`` does not hold as often: line, name of the owner, text."""
    left = Counter(text for _, _, text in _docstrings(after))
    lost = []
    for line, name, text in _docstrings(before):
        if left[text]:
            left[text] -= 1
        else:
            lost.append((line, name, text))
    return lost


def _parses(text: str) -> bool:
    try:
        tree_of(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _docstrings(text: str) -> list[tuple[int, str, str]]:
    if not _parses(text):
        return []
    tree = tree_of(text)
    owners: list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef] = []
    owners += [*all_of(tree, ast.FunctionDef), *all_of(tree, ast.AsyncFunctionDef), *all_of(tree, ast.ClassDef)]
    found = [(n.body[0].lineno, n.name, " ".join(d.split())) for n in owners if (d := ast.get_docstring(n))]
    return sorted(found)


def lost_notes(before: str, after: str) -> list[Finding]:
    """A finding for every comment and docstring that a conversion has no place for."""
    from .findings import finding

    notes = [
        finding("comment-removed", line, f"gone with its statement: {text}")
        for line, text in lost_comments(before, after)
    ]
    notes += [
        finding("comment-removed", line, f"the docstring of `{name}` has no place left: {_short(text)}")
        for line, name, text in lost_docstrings(before, after)
    ]
    return notes


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def skip_lines(text: str) -> set[int]:
    """The lines with a ``# torch2lit: skip`` comment."""
    if _SKIP not in text:
        return set()
    return {
        line for line, comment in comments(text) if comment.startswith(_SKIP) and not comment.startswith(_SKIP + "-")
    }
