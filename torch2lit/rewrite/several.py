"""What stands in the place of statements that several processes must not each run by themselves."""

from __future__ import annotations

from typing import Any

import libcst as cst

from .statements import Replacement, Statement, as_lines

EVERY_BATCH = '''\
class {name}:
    """A loader of which every process gets all batches: Lightning shares out DataLoaders only."""

    def __init__(self, loader):
        self.loader = loader
{attributes}
    def __len__(self):
        return len(self.loader)

    def __iter__(self):
        return iter(self.loader)
'''


def every_batch_source(name: str, attributes: tuple[str, ...]) -> str:
    """The class of a loader that is not shared out, as source."""
    shown = "".join(f"        self.{attribute} = loader.{attribute}\n" for attribute in attributes)
    return EVERY_BATCH.format(name=name, attributes=shown)


def decided_by_first(replacement: Replacement | None, places: tuple[int, ...] = ()) -> Replacement:
    """An `if` whose test, a call whose argument (or those at some places), or a setting whose value is what the first process says."""

    def apply(node: Any) -> Any:
        lines = as_lines(node if replacement is None else replacement(node))
        return [_decided(line, places) for line in lines]

    return apply


def written_by(trainer: str, replacement: Replacement | None = None) -> Replacement:
    """A statement that the first process alone runs."""

    def apply(node: Any) -> Statement:
        lines = as_lines(node if replacement is None else replacement(node))
        comments = list(lines[0].leading_lines)
        lines[0] = lines[0].with_changes(leading_lines=[])
        test = cst.parse_expression(f"{trainer}.is_global_zero")
        return cst.If(test, cst.IndentedBlock(lines), leading_lines=comments)

    return apply


def _decided(line: Statement, places: tuple[int, ...]) -> Statement:
    if isinstance(line, cst.If):
        space = cst.SimpleWhitespace(" ")
        return line.with_changes(test=_of_first(line.test), whitespace_before_test=space)
    match line:
        case cst.SimpleStatementLine(body=[(cst.Expr() | cst.Assign()) as statement]) if places:
            assert isinstance(statement.value, cst.Call)
            arguments = [
                a.with_changes(value=_of_first(a.value)) if number in places else a
                for number, a in enumerate(statement.value.args)
            ]
            return line.with_changes(body=[statement.with_changes(value=statement.value.with_changes(args=arguments))])
        case cst.SimpleStatementLine(body=[cst.Expr(cst.Call(args=[argument]) as call) as expression]):
            given = argument.with_changes(value=_of_first(argument.value))
            return line.with_changes(body=[expression.with_changes(value=call.with_changes(args=[given]))])
        case cst.SimpleStatementLine(body=[cst.Assign() | cst.AugAssign() as setting]):
            return line.with_changes(body=[setting.with_changes(value=_of_first(setting.value))])
    return line


def _of_first(value: cst.BaseExpression) -> cst.Call:
    return cst.Call(
        cst.parse_expression("self.trainer.strategy.broadcast"),  # what the first process has
        [cst.Arg(value.with_changes(lpar=value.lpar[1:], rpar=value.rpar[:-1]))],
    )
