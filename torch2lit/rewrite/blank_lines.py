"""Blank lines where something went or came: no more of them than a formatter leaves, the user's own runs aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..program import Edit

_AT_TOP, _INSIDE = 2, 1


def without_surplus(lines: Sequence[str], edits: Sequence[Edit]) -> list[Edit]:
    """The edits, with more of the blank lines around them gone where a run became longer than both formatters and the user have them."""
    result = list(edits)
    order = sorted(range(len(edits)), key=lambda n: (edits[n].start, edits[n].end))
    rows: list[
        tuple[str, int | None, int]
    ] = []  # text, index of the edit that it is of, line of the raw text or of the edit
    reached = 0
    for number in order:
        edit = edits[number]
        rows += [(lines[n], None, n) for n in range(reached, edit.start)]
        rows.append(("\n", number, -1))  # the place itself, so that a deletion is seen
        rows += [(text, number, n) for n, text in enumerate(edit.text.splitlines(keepends=True))]
        rows.append(("\n", number, -1))
        reached = edit.end
    rows += [(lines[n], None, n) for n in range(reached, len(lines))]
    gone: set[int] = set()
    for first, end in _runs(rows):
        if first == 0 or end == len(rows) or all(of is None for _, of, _ in rows[first:end]):
            continue
        blank = [row for row in rows[first:end] if row[2] >= 0]
        allowed = max(_limit(rows[end][0]), _longest(rows[first:end]))
        for _, of, line in blank[allowed:][::-1] if len(blank) > allowed else []:
            if of is None:
                gone.add(line)
            elif result[of].text.startswith("\n"):
                result[of] = replace(result[of], text=result[of].text[1:])
    return result + [Edit(line, line + 1, "") for line in sorted(gone)]


def _runs(rows: Sequence[tuple[str, int | None, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    start: int | None = None
    for number, (text, _, _) in enumerate(rows):
        if text.strip():
            if start is not None:
                found.append((start, number))
            start = None
        elif start is None:
            start = number
    return found if start is None else [*found, (start, len(rows))]


def _limit(following: str) -> int:
    return _INSIDE if following[:1] in (" ", "\t") else _AT_TOP


def _longest(run: Sequence[tuple[str, int | None, int]]) -> int:
    """The longest stretch of the run that is the user's own, or that one edit says."""
    longest = length = 0
    before: tuple[int | None, int] = (None, -2)
    for _, of, line in run:
        length = length + 1 if line >= 0 and (of, line - 1) == before else int(line >= 0)
        before = (of, line)
        longest = max(longest, length)
    return longest
