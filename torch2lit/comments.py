"""The comments of a text: what must not get lost."""

from __future__ import annotations

import io
import tokenize
from collections import Counter

_SKIP = "# torch2lit: skip"


def comments(text: str) -> list[tuple[int, str]]:
    """Every comment with its line, counted from 1."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n")).readline))
    except (tokenize.TokenError, SyntaxError):
        return []
    return [(t.start[0], t.string.rstrip()) for t in tokens if t.type == tokenize.COMMENT]


def lost_comments(before: str, after: str) -> list[tuple[int, str]]:
    """The comments of ``before`` that ``after`` does not hold as often."""
    left = Counter(text for _, text in comments(after))
    lost = []
    for line, text in comments(before):
        if left[text]:
            left[text] -= 1
        else:
            lost.append((line, text))
    return lost


def skip_lines(text: str) -> set[int]:
    """The lines with a ``# torch2lit: skip`` comment."""
    if _SKIP not in text:
        return set()
    return {
        line for line, comment in comments(text) if comment.startswith(_SKIP) and not comment.startswith(_SKIP + "-")
    }
