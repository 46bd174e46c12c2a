"""Evaluations behind the loop as the Trainer makes them: `trainer.validate`, and the module's numbers in place of the call."""

from __future__ import annotations

import ast
import re
from typing import Any

import libcst as cst

from ..plan.draft import Draft, Second
from ..plan.moved_back import moved_back, moved_back_in_caller
from ..plan.second_evaluation import values_behind
from ..plan.state import State
from ..plan.validation_epochs import LIMIT, every_n
from .module import Names
from .rename import rename
from .statements import Replacer, Statement, as_lines


def evaluated(draft: Draft, state: State, names: Names, node: Statement, seconds: list[Second]) -> list[Statement]:
    """A statement behind the loop whose evaluations the Trainer makes, as statements."""
    changes: dict[int, Any] = {}
    for second in seconds:
        twin = draft.source.twins[second.statement]
        changes[id(twin.small if twin.small is not None else twin.node)] = _by_trainer(draft, state, names, second)
    holder = cst.Module([node]).visit(Replacer(changes))
    assert isinstance(holder, cst.Module)
    return [line for line in holder.body if isinstance(line, Statement)]


def given_back(draft: Draft, names: Names) -> str:
    """The line by which the function around the loop gives its caller what evaluates there; "" where nothing does."""
    return f"return {names.trainer}, {names.instance}" if called_back(draft) is not None else ""


def called_back(draft: Draft) -> ast.Call | None:
    """The call of the function around the loop whose caller evaluates."""
    return next((second.place.call for second in draft.seconds if second.place.call is not None), None)


def branch_above(draft: Draft) -> ast.If | None:
    """The first branch above the loop in which the Trainer evaluates: module and Trainer are made above it."""
    found = [second.place.branch for second in draft.seconds if second.place.branch is not None]
    return min(found, key=lambda branch: branch.lineno, default=None)


def _by_trainer(draft: Draft, state: State, names: Names, second: Second) -> Any:
    loader = draft.source.segment(second.loader)
    validate = f"{names.trainer}.validate({names.instance}, {loader}, verbose=False)"
    value = _value(draft, state, names, second)

    def replace(small: Any) -> list[Statement]:
        alone = (
            isinstance(small, cst.Expr)
            and isinstance(second.statement, ast.Expr)
            and second.statement.value is second.call
        )
        lines = [cst.parse_statement(line) for line in [*_all_batches(draft, names), validate]]
        if not alone:
            whole = isinstance(second.statement, ast.Assign | ast.Return) and second.statement.value is second.call
            result = _without_parentheses(value) if whole else value
            lines += as_lines(small.visit(_Result(second.call.func.id, result)))  # type: ignore[attr-defined]
        back = moved_back_in_caller(draft, names.trainer, second)
        if second.place.branch is not None:
            back = []
        elif second.place.call is None:
            back = moved_back(draft, names.trainer, second.statement)
        lines += [cst.parse_statement(line) for line in back]
        return as_lines(lines)

    return replace


def _all_batches(draft: Draft, names: Names) -> list[str]:
    """The line that lets the Trainer evaluate whatever the last epoch was told."""
    found = draft.validation
    told = found is not None and found.every is not None and not every_n(draft, found)
    return [f"{names.trainer}.{LIMIT} = 1.0"] if told else []


def _value(draft: Draft, state: State, names: Names, second: Second) -> cst.BaseExpression:
    found = values_behind(draft, state, second)
    assert found is not None
    texts = {name: _behind(names, home) for name, home in found.items()}
    if second.kept is not None:
        return cst.parse_expression(texts[""])
    if second.value is None:
        return cst.Name("None")
    parsed = rename(cst.parse_expression(f"({draft.source.segment(second.value)})"), texts)
    single = isinstance(parsed, cst.Name | cst.Attribute | cst.Call | cst.Subscript | cst.Tuple)
    return parsed.with_changes(lpar=[], rpar=[]) if single and not isinstance(parsed, cst.Tuple) else parsed


def _behind(names: Names, home: str) -> str:
    """How what the module holds is called behind the loop."""
    return re.sub(r"^(int\()?self\.", rf"\g<1>{names.instance}.", home)


def _without_parentheses(value: cst.BaseExpression) -> cst.BaseExpression:
    """The value as the whole right side of an assignment in one line."""
    return value if "\n" in cst.Module([]).code_for_node(value) else value.with_changes(lpar=[], rpar=[])


class _Result(cst.CSTTransformer):
    """Puts a value in the place of a function's call."""

    def __init__(self, name: str, value: cst.BaseExpression) -> None:
        super().__init__()
        self.name, self.value = name, value

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        function = original_node.func
        return self.value if isinstance(function, cst.Name) and function.value == self.name else updated_node

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> cst.Arg:
        if updated_node.value is not self.value or not self._stands_alone():
            return updated_node
        return updated_node.with_changes(value=_without_parentheses(self.value))

    def leave_FormattedStringExpression(
        self, original_node: cst.FormattedStringExpression, updated_node: cst.FormattedStringExpression
    ) -> cst.FormattedStringExpression:
        if updated_node.expression is not self.value or not self._stands_alone():
            return updated_node
        return updated_node.with_changes(expression=_without_parentheses(self.value))

    def _stands_alone(self) -> bool:
        """Whether the value needs no parentheses among arguments and in a text."""
        return isinstance(self.value, cst.BinaryOperation | cst.UnaryOperation | cst.Comparison)
