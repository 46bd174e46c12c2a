"""Blank lines around what a conversion takes out and puts in."""

from __future__ import annotations

import pytest

from torch2lit.files.edits import apply_edits
from torch2lit.program import Edit
from torch2lit.rewrite.blank_lines import without_surplus


@pytest.mark.parametrize(
    ("before", "edits", "after"),
    [
        ("a\nb\n\nc\n\nd\n", [Edit(1, 2, ""), Edit(3, 4, "\n\nclass C: ...\n")], "a\n\n\nclass C: ...\n\nd\n"),
        ("a\nb\n\nc\n\nd\n", [Edit(1, 2, ""), Edit(3, 4, "x\n")], "a\n\nx\n\nd\n"),
        ("if a:\n    b\n\n    c\n\n    d\n", [Edit(3, 4, "")], "if a:\n    b\n\n    d\n"),
        ("if a:\n    b\n\n    c\n\nd\n", [Edit(3, 4, "")], "if a:\n    b\n\n\nd\n"),
        ("a\n\n\nb\n\n\nc\n", [Edit(3, 4, "")], "a\n\n\nc\n"),
        # the user's own runs, and what an edit says, stay
        ("a\n\n\n\n\nb\nc\n", [Edit(6, 7, "x\n")], "a\n\n\n\n\nb\nx\n"),
        ("a\n\n\n\n\nb\nc\n", [Edit(5, 6, "x\n")], "a\n\n\n\n\nx\nc\n"),
        ("a\nb\nc\n", [Edit(1, 2, "\n\nx\n\n\n\ny\n")], "a\n\n\nx\n\n\n\ny\nc\n"),
        ("\n\n\na\n", [Edit(3, 4, "x\n")], "\n\n\nx\n"),
        ("a\nb\n\n\n\n", [Edit(1, 2, "")], "a\n\n\n\n"),
    ],
)
def test_no_run_becomes_longer_than_a_formatter_has_it(before: str, edits: list[Edit], after: str) -> None:
    lines = before.splitlines(keepends=True)
    assert apply_edits(lines, without_surplus(lines, edits)) == after
