"""The lines that log what a statement reports, beside that statement."""

from __future__ import annotations

from typing import Any

import libcst as cst

from ..plan.draft import Logged, Reports
from .emptied import without_empty_parts
from .statements import Replacement, Statement, as_lines


def with_reports(reports: Reports, replacement: Replacement | None, own_points: bool) -> Replacement:
    """A statement, or what takes its place, between the lines that log its numbers; ``own_points``: not to the logger, which gets the script's own."""

    def apply(node: Any) -> list[Statement]:
        lines = as_lines(without_empty_parts(node) if replacement is None else replacement(node))
        before, after = (_lines(n, reports, own_points) for n in (reports.before, reports.after))
        return [*before, *lines, *after]

    return apply


def _lines(numbers: list[Logged], reports: Reports, own_points: bool) -> list[Statement]:
    parts = [[n for n in numbers if n.bar is bar] for bar in (False, True)]
    return [log_line(part, reports.shared, own_points, reports.one_batch) for part in parts if part]


def log_line(numbers: list[Logged], shared: bool, own_points: bool, one_batch: bool = False) -> Statement:
    """One line that logs numbers; ``shared``: those of all processes together, ``one_batch``: in the step of the only batch."""
    more = (", prog_bar=True" if numbers[0].bar else "") + (", batch_size=1" if one_batch else "")
    more += (", sync_dist=True" if shared else "") + (", logger=False" if own_points else "")
    if len(numbers) == 1:
        text = f'self.log("{numbers[0].name}", {_value(numbers[0])}{more})'
    else:
        text = "self.log_dict({" + ", ".join(f'"{n.name}": {_value(n)}' for n in numbers) + "}" + more + ")"
    statement = cst.parse_statement(text)
    assert isinstance(statement, cst.SimpleStatementLine)
    return statement


def _value(number: Logged) -> str:
    if number.form == "float":
        return f"float({number.value})"
    if number.form == "double":
        return f"{number.torch}.tensor({number.value}, dtype={number.torch}.float64)"
    return number.value
