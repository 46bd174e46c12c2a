"""Lines as Python's tokenizer counts them: only LF, CR and CRLF end one, a form feed does not."""

from __future__ import annotations

import itertools
import re

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_NEWLINE = re.compile(r"\r\n|\r|\n")


def split_lines(text: str) -> list[str]:
    """The lines of a text with their own newlines; joined they are the text again."""
    return _LINE.findall(text)


def starts_in_bytes(text: str) -> list[int]:
    """Where each line begins among the bytes of a text in UTF-8, and where the last one ends: what the columns of a tree count from."""
    return [0, *itertools.accumulate(len(line.encode()) for line in split_lines(text))]


def newline_of(line: str) -> str:
    """The newline that ends a line, "" when there is none."""
    if line.endswith("\r\n"):
        return "\r\n"
    return line[-1] if line.endswith(("\n", "\r")) else ""


def dominant_newline(text: str) -> str:
    """The newline that most lines of a text end in; the first one met wins a draw, LF when there is none."""
    seen = _NEWLINE.findall(text)
    return max(dict.fromkeys(seen), key=seen.count) if seen else "\n"


def with_newlines(text: str, newline: str) -> str:
    """The text with each of its newlines replaced."""
    return _NEWLINE.sub(newline, text)
