"""``if rank == 0:`` is ``if self.trainer.is_global_zero:``.

Only where the name surely is the process's number among all processes of all machines, and the Trainer numbers them as the
script does.
Source: https://lightning.ai/docs/pytorch/stable/common/trainer.html#is-global-zero
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from ..program import Claim, Site


@dataclass(frozen=True, slots=True)
class RankGuards:
    """Claims an `if` that asks for the first process, alone or beside other conditions that must hold as well."""

    name: str = "rank_guards"

    def claim(self, site: Site) -> Claim | None:
        """Claim the `if` for its test; its body stays."""
        if not isinstance(site.statement, ast.If):
            return None
        asked = {index: first for index, part in enumerate(_all_of(site.statement.test))
                 if (first := site.first_process(part)) is not None}  # fmt: skip
        if not asked:
            return None
        unread = tuple(part for index, part in enumerate(_all_of(site.statement.test)) if index in asked)

        def replace(node: cst.If) -> cst.If:
            test = _replaced(node.test, itertools.count(), asked)
            space = node.whitespace_before_test if not node.whitespace_before_test.empty else cst.SimpleWhitespace(" ")
            return node.with_changes(test=test, whitespace_before_test=space)

        return Claim("Trainer.is_global_zero", "the Trainer says which process is the first", replace, unread=unread)


_FIRST = "self.trainer.is_global_zero"


def _all_of(test: ast.expr) -> list[ast.expr]:
    """The conditions that must all hold."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return [part for value in test.values for part in _all_of(value)]
    return [test]


def _replaced(test: cst.BaseExpression, index: Iterator[int], asked: dict[int, bool]) -> cst.BaseExpression:
    """The same with the Trainer's word for the conditions of these numbers, which count those of `_all_of`."""
    if isinstance(test, cst.BooleanOperation) and isinstance(test.operator, cst.And):
        left = _replaced(test.left, index, asked)
        return test.with_changes(left=left, right=_replaced(test.right, index, asked))
    first = asked.get(next(index))
    if first is None:
        return test
    return cst.parse_expression(_FIRST if first else f"not {_FIRST}")


IDIOM = RankGuards()
