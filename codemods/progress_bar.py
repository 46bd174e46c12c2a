"""The script's progress bar over the batches gives way to Lightning's.

    bar = tqdm(loader)                        →   Trainer(enable_progress_bar=True)
    bar.update(1); bar.set_description(...)   →   (nothing)
    bar.set_postfix(loss=loss.item())         →   self.log("loss", loss.item(), prog_bar=True)

Source: https://lightning.ai/docs/pytorch/stable/common/progress_bar.html
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

import libcst as cst

from ..program import Claim, Site

_DROPPED = {
    "update",
    "close",
    "refresh",
    "set_description",
    "set_description_str",
    "set_postfix_str",
    "clear",
    "reset",
}
_LOGS = {
    "training_step",
    "validation_step",
    "on_train_epoch_end",
    "on_validation_epoch_end",
    "on_train_batch_end",
}


@dataclass(frozen=True, slots=True)
class ProgressBar:
    """Claims the making and the feeding of a bar whose loop is Lightning's now."""

    name: str = "progress_bar"

    def claim(self, site: Site) -> Claim | None:
        """Claim statements that do nothing but make, move or label the loop's bar."""
        match site.statement:
            case ast.Assign(targets=[ast.Name() as bar], value=value) if site.is_loop_bar(bar):
                if isinstance(value, ast.Call) and ast.unparse(value.func) == "enumerate":
                    return Claim("batch_idx", "Lightning counts the batches")
                return Claim(_TARGET, _WHY)
            case ast.Assign(targets=[ast.Attribute(value=ast.Name() as bar, attr="desc")]) if site.is_loop_bar(bar):
                return Claim(_TARGET, _WHY)
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name() as bar, attr=method)) as call):
                if not site.is_loop_bar(bar):
                    return None
                if method == "set_postfix" and site.hook in _LOGS and (values := _numbers(call)):
                    return Claim(_TARGET, _WHY, _Log(tuple(values)).apply)
                if method in _DROPPED or method == "set_postfix":
                    return Claim(_TARGET, _WHY)
                if method == "write":
                    return Claim(_TARGET, _WHY, _as_print)
        return None


_TARGET = "Trainer(enable_progress_bar=True)"
_WHY = "Lightning shows its own bar"


def _numbers(call: ast.Call) -> list[str]:
    """The names under which plain numbers are shown: only those can be logged."""
    pairs: list[tuple[str, ast.expr]] = [(k.arg, k.value) for k in call.keywords if k.arg]
    for argument in [*call.args, *(k.value for k in call.keywords if k.arg is None)]:
        if isinstance(argument, ast.Dict):
            pairs += [(k.value, v) for k, v in zip(argument.keys, argument.values, strict=True) if _is_text(k)]  # type: ignore[union-attr]
    return [name for name, value in pairs if _is_number(value)]


def _is_text(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_number(node: ast.expr) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr="item"), args=[]):
            return True
        case ast.Call(func=ast.Name(id="float" | "len")):
            return True
        case ast.BinOp(left=left, right=right):
            return _is_number(left) and (_is_number(right) or isinstance(right, ast.Constant))
    return False


@dataclass(frozen=True, slots=True)
class _Log:
    names: tuple[str, ...]

    def apply(self, node: cst.Expr) -> list[cst.BaseSmallStatement] | None:
        """One ``self.log`` for each number."""
        assert isinstance(node.value, cst.Call)
        values: dict[str, cst.BaseExpression] = {}
        for argument in node.value.args:
            if argument.keyword is not None:
                values[argument.keyword.value] = argument.value
            elif isinstance(argument.value, cst.Dict):
                for element in argument.value.elements:
                    if isinstance(element, cst.DictElement) and isinstance(element.key, cst.SimpleString):
                        values[str(element.key.evaluated_value)] = element.value
        log = cst.parse_expression("self.log")
        shown = cst.Arg(cst.Name("True"), keyword=cst.Name("prog_bar"), equal=_EQUAL)
        return [
            cst.Expr(cst.Call(log, [cst.Arg(cst.SimpleString(f'"{name}"')), cst.Arg(values[name]), shown]))
            for name in self.names
            if name in values
        ]


_EQUAL = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))


def _as_print(node: cst.Expr) -> cst.Expr:
    assert isinstance(node.value, cst.Call)
    return node.with_changes(value=node.value.with_changes(func=cst.Name("print")))


IDIOM = ProgressBar()
