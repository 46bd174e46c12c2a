"""Which lines of a text begin inside a string, so that their indentation is part of it."""

from __future__ import annotations

import io
import tokenize


def lines_in_strings(text: str) -> set[int]:
    """The lines that begin inside a string."""
    found: set[int] = set()
    starts: list[int] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        kind = tokenize.tok_name[token.type]
        if kind == "STRING":
            found |= {*range(token.start[0] + 1, token.end[0] + 1)}
        elif kind == "FSTRING_START":
            starts.append(token.start[0])
        elif kind == "FSTRING_END":
            found |= {*range(starts.pop() + 1, token.end[0] + 1)}
    return found
