"""Why a file does not parse: it is written for an older Python."""

from __future__ import annotations

import re

from .lines import split_lines

_PYTHON_2 = (
    (re.compile(r"^\s*(?:.*[:;]\s*)?print\s+[^\s(=.,)\]]"), "a print statement"),
    (re.compile(r"^\s*except\b[^:(]+,\s*\w+\s*:"), "`except X, e`"),
    (re.compile(r"^\s*raise\s+\w[\w.]*\s*,"), "`raise X, value`"),
    (re.compile(r"^\s*exec\s+[^\s(=.,]"), "an exec statement"),
    (re.compile(r"\w\s*<>\s*\w"), "`<>`"),
    (re.compile(r"^\s*def\s+\w+\s*\([^)]*\(\s*\w+\s*,"), "a tuple as a parameter"),
)
_MESSAGES = (
    ("Missing parentheses in call to 'print'", "a print statement"),
    ("Missing parentheses in call to 'exec'", "an exec statement"),
    ("multiple exception types must be parenthesized", "`except X, e`"),
    ("leading zeros in decimal integer literals", "a number as Python 2 writes it"),
)
_ASYNC = re.compile(r"\basync\b(?!\s+(?:def|for|with)\b)")


def old_syntax(text: str, error: SyntaxError) -> tuple[int, str] | None:
    """The line and a message when the parser stopped at something that an older Python took; None otherwise."""
    lines = split_lines(text)
    number = error.lineno or 0
    if not 1 <= number <= len(lines):
        return None
    line = lines[number - 1].rstrip()
    found = next((what for words, what in _MESSAGES if words in (error.msg or "")), "")
    found = found or next((what for pattern, what in _PYTHON_2 if pattern.search(line)), "")
    if not found and line[(error.offset or 1) - 1 :].startswith("`"):
        found = "backticks for repr"
    if found:
        return number, f"this is Python 2 ({found}); run a 2-to-3 tool first"
    if _ASYNC.search(line):
        return number, "`async` is used as a name, and is a keyword since Python 3.7; rename it first"
    return None
