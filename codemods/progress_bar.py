"""The script's progress bar over the batches gives way to Lightning's.

    bar = tqdm(loader)                        →   Trainer(enable_progress_bar=True)
    bar.update(1)                             →   (nothing)
    bar.set_postfix(loss=loss.item())         →   self.log("loss", loss.item(), prog_bar=True)
    bar.set_description(f"loss: {loss:.4f}")  →   self.log("loss", loss, prog_bar=True)

Source: https://lightning.ai/docs/pytorch/stable/common/progress_bar.html
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import libcst as cst

from ..formatted_numbers import formatted_numbers, only_number
from ..program import Claim, Site

_MOVES = {"update", "close", "refresh", "clear", "reset"}
_LABELS = {"set_postfix", "set_postfix_str", "set_description", "set_description_str"}
_LOGS = {"training_step", "on_train_epoch_end", "on_train_batch_end"}
"""Not in validation: Lightning would show the mean over its batches, and most bars show a running mean already. What runs once in a
validation is logged by the plan, which knows the training's numbers from the validation's."""


@dataclass(frozen=True, slots=True)
class ProgressBar:
    """Claims the making and the feeding of a bar whose loop is Lightning's now."""

    name: str = "progress_bar"

    def claim(self, site: Site) -> Claim | None:
        """Claim statements that do nothing but make, move or label the loop's bar."""
        match site.statement:
            case ast.Assign(targets=[ast.Name() as bar], value=value) if site.is_loop_bar(bar):
                if isinstance(value, ast.Call) and ast.unparse(value.func) == "enumerate":
                    return Claim("batch_idx", "Lightning counts the batches", anywhere=True)
                return Claim(_TARGET, _WHY, anywhere=True)
            case ast.Assign(targets=[ast.Attribute(value=ast.Name() as bar, attr="desc")], value=value) if (
                site.is_loop_bar(bar)
            ):
                if not site.only_looks(value):
                    return Claim(_TARGET, _WHY, _Evaluated((0,)).apply)
                return Claim(_TARGET, _WHY, anywhere=True)
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name() as bar, attr=method)) as call):
                if not site.is_loop_bar(bar):
                    return None
                given = [*call.args, *(k.value for k in call.keywords)]
                acting = tuple(n for n, value in enumerate(given) if not site.only_looks(value))
                if acting and method in _MOVES | _LABELS:
                    return Claim(_TARGET, _WHY, _Evaluated(acting).apply)
                if method in _LABELS and site.hook in _LOGS and (names := _numbers(call, site)):
                    return Claim(_TARGET, _WHY, _Log(names).apply, logged=tuple(names))
                if method in _LABELS and site.runs_once and _numbers(call, site):
                    return Claim(_TARGET, _WHY, _nothing)
                if method in _MOVES or method in _LABELS:
                    return Claim(_TARGET, _WHY, anywhere=True)
                if method == "write":
                    return Claim(_TARGET, _WHY, _as_print)
        return None


_TARGET = "Trainer(enable_progress_bar=True)"
_WHY = "Lightning shows its own bar"


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a label shows under a name; ``formatted``: as a float, so that it is one."""

    name: str
    value: cst.BaseExpression
    formatted: bool


def _numbers(call: ast.Call, site: Site) -> dict[str, bool]:
    """The names under which numbers are shown, and whether each can be logged as it is.

    What is only known to be formatted as a float may be an array of NumPy, which `self.log` does not take.
    """
    node = cst.parse_expression(ast.unparse(call))
    assert isinstance(node, cst.Call)
    code = cst.Module([]).code_for_node
    found = {}
    for shown in _shown(node):
        value = ast.parse(code(shown.value), mode="eval").body
        if (plain := site.is_number(value) or site.is_loss(value)) or shown.formatted:
            found[shown.name] = plain
    return found


def _shown(call: cst.Call) -> list[_Shown]:
    assert isinstance(call.func, cst.Attribute)
    if call.func.attr.value == "set_postfix":
        return [_of_entry(name, value) for name, value in _entries(call.args)]
    return [_Shown(name, value, True) for argument in call.args for name, value in formatted_numbers(argument.value)]


def _entries(arguments: Sequence[cst.Arg]) -> Iterator[tuple[str, cst.BaseExpression]]:
    for argument in arguments:
        if argument.keyword is not None:
            yield argument.keyword.value, argument.value
        elif isinstance(argument.value, cst.Dict):
            for element in argument.value.elements:
                if isinstance(element, cst.DictElement) and isinstance(element.key, cst.SimpleString):
                    yield str(element.key.evaluated_value), element.value


def _of_entry(name: str, value: cst.BaseExpression) -> _Shown:
    inner = only_number(value)
    return _Shown(name, value, False) if inner is None else _Shown(name, inner, True)


@dataclass(frozen=True, slots=True)
class _Log:
    names: dict[str, bool]

    def apply(self, node: cst.Expr) -> list[cst.BaseSmallStatement] | None:
        """One ``self.log`` for each number."""
        assert isinstance(node.value, cst.Call)
        values = {shown.name: shown.value.with_changes(lpar=[], rpar=[]) for shown in _shown(node.value)}
        log = cst.parse_expression("self.log")
        shown = cst.Arg(cst.Name("True"), keyword=cst.Name("prog_bar"), equal=_EQUAL)
        logged = {name: values[name] if plain else _as_float(values[name]) for name, plain in self.names.items()}
        return [
            cst.Expr(cst.Call(log, [cst.Arg(cst.SimpleString(f'"{name}"')), cst.Arg(value), shown]))
            for name, value in logged.items()
        ]


@dataclass(frozen=True, slots=True)
class _Evaluated:
    """Keeps the arguments of these numbers as statements of their own: the bar goes, what they do has to be done."""

    numbers: tuple[int, ...]

    def apply(self, node: cst.Expr | cst.Assign) -> list[cst.BaseSmallStatement]:
        if isinstance(node, cst.Assign):
            return [cst.Expr(node.value)]
        assert isinstance(node.value, cst.Call)
        arguments = sorted(node.value.args, key=lambda a: bool(a.keyword) or a.star == "**")  # as `ast` has them
        values = [arguments[number].value for number in self.numbers]
        return [cst.Expr(value.value if isinstance(value, cst.StarredElement) else value) for value in values]


def _nothing(_node: cst.Expr) -> None:
    return None


def _as_float(value: cst.BaseExpression) -> cst.Call:
    return cst.Call(cst.Name("float"), [cst.Arg(value)])


_EQUAL = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))


def _as_print(node: cst.Expr) -> cst.Expr:
    assert isinstance(node.value, cst.Call)
    return node.with_changes(value=node.value.with_changes(func=cst.Name("print")))


IDIOM = ProgressBar()
