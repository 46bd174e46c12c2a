"""What is found out once per run: texts are parsed and read once, however many ways to see a program hold them.

Answers are kept while one file is converted and forgotten with it, so that memory stays bounded. Only what never changes is
kept here; a caller outside of a run gets a fresh answer each time.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, TypeVar

Answer = TypeVar("Answer")
_OF_TEXT = ("tree", "source")
_KEPT: ContextVar[dict[Hashable, Any] | None] = ContextVar("answers of this run", default=None)


@contextlib.contextmanager
def remembering() -> Iterator[None]:
    """Keep answers until the end of the block; within another such block it adds nothing."""
    if _KEPT.get() is not None:
        yield
        return
    token = _KEPT.set({})
    try:
        yield
    finally:
        _KEPT.reset(token)


@contextlib.contextmanager
def looking_ahead(answers: Mapping[Hashable, Any]) -> Iterator[None]:
    """Look at what will be: a memory of its own that knows these answers, and of the others those that hold of a text wherever it stands."""
    kept = _KEPT.get() or {}
    known: dict[Hashable, Any] = dict(answers)
    known |= {asked: kept[asked] for asked in kept if isinstance(asked, tuple) and asked[0] in _OF_TEXT}
    token = _KEPT.set(known)
    try:
        yield
    finally:
        _KEPT.reset(token)


def once(question: Hashable, find: Callable[[], Answer]) -> Answer:
    """The answer that the run knows already, otherwise the one that is found now."""
    kept = _KEPT.get()
    if kept is None:
        return find()
    if question not in kept:
        kept[question] = find()
    answer: Answer = kept[question]
    return answer


def tree_of(text: str) -> ast.Module:
    """The tree of a text, which nobody changes. Raises SyntaxError when the text is not Python."""
    return once(("tree", text), lambda: ast.parse(text))


def is_python(text: str) -> bool:
    """Whether a text can be parsed."""
    try:
        tree_of(text)
    except SyntaxError:
        return False
    return True
