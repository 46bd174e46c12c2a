"""Line edits: the one way from the text before to the text after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..program import Edit
from .lines import dominant_newline, newline_of, split_lines, with_newlines


def ordered(edits: Iterable[Edit], line_count: int) -> list[Edit]:
    """The edits in the order of their lines. Raises ValueError when they overlap or leave the text."""
    result = sorted(edits, key=lambda edit: (edit.start, edit.end))
    reached = 0
    for edit in result:
        if not reached <= edit.start <= edit.end <= line_count:
            raise ValueError(f"edit of lines {edit.start} to {edit.end} overlaps another or leaves the text")
        if edit.text and not edit.text.endswith("\n"):
            raise ValueError(f"edit of lines {edit.start} to {edit.end} does not end in a newline")
        reached = edit.end
    return result


def apply_edits(lines: Sequence[str], edits: Iterable[Edit]) -> str:
    """The text after the edits; new text gets the newline style of the file.

    A last line without a newline gets one only when text follows it; a replaced last line stays without.
    Raises ValueError for edits that overlap, leave the text or hold an incomplete line.
    """
    changes = ordered(edits, len(lines))
    if not changes:
        return "".join(lines)
    newline = dominant_newline("".join(lines))
    result: list[str] = []
    reached = 0
    for edit in changes:
        result += lines[reached : edit.start]
        if edit.text:
            if result and not newline_of(result[-1]):
                result[-1] += newline
            result.append(with_newlines(edit.text, newline))
        reached = edit.end
    result += lines[reached:]
    unfinished = bool(lines) and not newline_of(lines[-1])
    if unfinished and reached == len(lines) and changes[-1].start < changes[-1].end and result:
        result[-1] = result[-1].removesuffix(newline)
    return "".join(result)


def edits_between(before: str, after: str) -> tuple[Edit, ...]:
    """Edits that lead from one text to another, found by comparing lines."""
    from difflib import SequenceMatcher

    old, new = split_lines(before), split_lines(after)
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return tuple(
        Edit(start, end, _complete(with_newlines("".join(new[first:last]), "\n")))
        for tag, start, end, first, last in matcher.get_opcodes()
        if tag != "equal"
    )


def _complete(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"
