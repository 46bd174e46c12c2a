"""Skip comments that keep nothing from being converted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from .comments import comments
from .files.lines import split_lines
from .findings import finding
from .program import Conversion, Outcome

_SKIP = re.compile(r"#\s*torch2lit:\s*skip(-file)?\b")
_NO_SKIP = "kept"  # as long as the word that it stands for, so that no line changes its length


def with_unused_skips(text: str, conversion: Conversion, again: Callable[[str], Conversion]) -> Conversion:
    """The conversion with a finding for each skip comment without which it would be the same.

    ``again`` converts another text in place of this one.
    """
    if conversion.outcome is Outcome.FAILED:
        return conversion
    from . import catalogue as catalogue

    unused = [
        finding("unused-skip", line, "this comment keeps nothing from being converted")
        for line, other in _texts_without_one(text)
        if _same(conversion, again(other))
    ]
    return replace(conversion, findings=tuple(sorted({*conversion.findings, *unused}))) if unused else conversion


def _texts_without_one(text: str) -> Iterator[tuple[int, str]]:
    """For each skip comment its line, and the text without that word in it."""
    lines = split_lines(text)
    for line, comment in comments(text):
        if _SKIP.match(comment):
            content = lines[line - 1]
            start = content.rindex(comment)
            other = content[:start] + content[start:].replace("skip", _NO_SKIP, 1)
            yield line, "".join([*lines[: line - 1], other, *lines[line:]])


def _same(one: Conversion, other: Conversion) -> bool:
    if one.outcome is Outcome.CONVERTED:
        return other.outcome is one.outcome and other.after.replace(_NO_SKIP, "skip") == one.after.replace(
            _NO_SKIP, "skip"
        )
    return other.outcome is Outcome.UNCHANGED
