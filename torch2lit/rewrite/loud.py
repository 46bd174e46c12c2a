"""StopIteration that comes from the script's own iterators, as an error: in a hook Lightning would end its epoch by it."""

from __future__ import annotations

from typing import Any

import libcst as cst

from .statements import Replacement, Statement, as_lines


def loud(name: str, replacement: Replacement | None = None) -> Replacement:
    """A statement in a `try` that makes RuntimeError of StopIteration; ``name`` is free for the exception."""
    text = (
        "try:\n    pass\n"
        f"except StopIteration as {name}:  # would end Lightning's epoch\n"
        f'    raise RuntimeError("no values are left") from {name}\n'
    )

    def apply(node: Any) -> Statement | list[Statement]:
        lines = as_lines(node if replacement is None else replacement(node))
        if not lines:
            return []
        comments = list(lines[0].leading_lines)
        lines[0] = lines[0].with_changes(leading_lines=[])
        block = cst.parse_statement(text)
        assert isinstance(block, cst.Try)
        return block.with_changes(body=cst.IndentedBlock(lines), leading_lines=comments)

    return apply
