"""Line edits and lines."""

from __future__ import annotations

import pytest

from torch2lit.files.edits import apply_edits, edits_between
from torch2lit.files.lines import dominant_newline, split_lines
from torch2lit.program import Edit

APPLIED = [
    ("a\nb\nc\n", [], "a\nb\nc\n"),
    ("a\nb\nc\n", [Edit(1, 2, "x\ny\n")], "a\nx\ny\nc\n"),
    ("a\nb\nc\n", [Edit(1, 2, "")], "a\nc\n"),
    ("a\nb\n", [Edit(0, 0, "x\n")], "x\na\nb\n"),
    ("a\nb\n", [Edit(2, 2, "x\n")], "a\nb\nx\n"),
    ("a\nb\n", [Edit(1, 2, "y\n"), Edit(0, 1, "x\n")], "x\ny\n"),
    ("a\nb\n", [Edit(1, 1, "x\n"), Edit(1, 1, "y\n"), Edit(1, 2, "z\n")], "a\nx\ny\nz\n"),
    ("a\r\nb\r\n", [Edit(1, 1, "x\ny\n")], "a\r\nx\r\ny\r\nb\r\n"),
    ("a\rb\r", [Edit(1, 2, "x\n")], "a\rx\r"),
    ("a\r\nb\nc\r\n", [Edit(0, 1, "x\n")], "x\r\nb\nc\r\n"),
    ("a\nb", [Edit(0, 1, "x\n")], "x\nb"),
    ("a\nb", [Edit(1, 2, "x\n")], "a\nx"),
    ("a\r\nb", [Edit(2, 2, "x\n")], "a\r\nb\r\nx\r\n"),
    ("a\nb", [Edit(1, 2, "")], "a"),
    ("", [Edit(0, 0, "x\n")], "x\n"),
    ("a", [Edit(0, 1, "")], ""),
]


@pytest.mark.parametrize(("before", "edits", "after"), APPLIED)
def test_apply(before: str, edits: list[Edit], after: str) -> None:
    assert apply_edits(split_lines(before), edits) == after


@pytest.mark.parametrize(
    "edits",
    [
        [Edit(0, 2, "x\n"), Edit(1, 3, "y\n")],
        [Edit(0, 3, ""), Edit(1, 1, "y\n")],
        [Edit(2, 1, "x\n")],
        [Edit(-1, 0, "x\n")],
        [Edit(0, 4, "x\n")],
        [Edit(4, 4, "x\n")],
        [Edit(0, 1, "no newline")],
    ],
)
def test_wrong_edits_are_refused(edits: list[Edit]) -> None:
    with pytest.raises(ValueError, match="edit of lines"):
        apply_edits(["a\n", "b\n", "c\n"], edits)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a\nb\n", "a\nb\n"),
        ("a\nb\nc\n", "a\nx\nc\ny\n"),
        ("a\r\nb\r\n", "x\r\na\r\n"),
        ("", "a\n"),
        ("a\n", ""),
        ("a\n" * 500, "a\n" * 499 + "b\n"),
    ],
)
def test_edits_between_lead_there(before: str, after: str) -> None:
    edits = edits_between(before, after)

    assert apply_edits(split_lines(before), edits) == after
    assert (edits == ()) == (before == after)


@pytest.mark.parametrize("text", ["", "a", "\n", "a\r\n\rb\n\n", "a\x0cb\nc\u2028d\x85e\x1c\n", "\r\r\n\n\r"])
def test_lines_join_to_the_text(text: str) -> None:
    lines = split_lines(text)

    assert "".join(lines) == text
    assert len(lines) == text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + (
        0 if text.endswith(("\n", "\r")) or not text else 1
    )


@pytest.mark.parametrize(
    ("text", "newline"),
    [
        ("", "\n"),
        ("a", "\n"),
        ("a\r\n", "\r\n"),
        ("a\rb\r", "\r"),
        ("a\nb\r\n", "\n"),
        ("a\nb\r\nc\r\n", "\r\n"),
    ],
)
def test_dominant_newline(text: str, newline: str) -> None:
    assert dominant_newline(text) == newline
