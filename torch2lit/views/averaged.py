"""A program that keeps an average of its weights: as one without, whose Trainer has the callback that keeps it (``--callbacks``)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ..averages.find import find_average
from ..averages.found import Average
from ..averages.text import without_average
from ..averages.uses import Stays
from ..comments import lost_notes
from ..files.edits import edits_between
from ..findings import finding
from ..origin import sorted_ledger
from ..plan.ledger import entry_of
from ..program import Conversion, Fate, Mechanism, Outcome
from ..recover.roles import Roles
from ..recover.syntax import walk
from .way import AVERAGED, UNCONVERTED, Blocked, Program, Way

_WHY = "the callback keeps the same average"
_OF_TRAINING = (
    "training_step",
    "on_before_optimizer_step",
    "configure_gradient_clipping",
    "on_train_batch_end",
    "on_train_batch_start",
)
_WITH_AVERAGE = ("validation_step", "__init__", "configure_optimizers", "test_step")


class AveragedView:
    """A program without its ``AveragedModel``."""

    name = AVERAGED

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The text without it, where Lightning's callbacks are asked for."""
        told = any(word in program.text for word in ("AveragedModel", "deepcopy", "named_parameters"))
        if program.options.asked("callbacks") != "lightning" or not told:
            return
        if (
            program.view is not None
            or program.group is not None
            or len(program.nests) != 1
            or program.options.several_processes
        ):
            return
        try:
            found = find_average(program.nests[0], program.roles)
            if found is None:
                return
            text, origin = without_average(program.source, found)
        except Stays as kept:
            yield Blocked(AVERAGED, kept.reason, line=kept.line)
            return
        seen = replace(program.moved(text, origin.lines or {}, AVERAGED), averaging=found.callback)
        yield Way(seen, origin, partial(_finished, program, found))

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program with the reason why it averages itself."""
        if not blocked:
            return program
        return replace(program, kept_average=(blocked[-1].line, blocked[-1].reason), closed=program.closed | {AVERAGED})


def _finished(program: Program, found: Average, told: Conversion, result: Conversion) -> Conversion | Blocked:
    """With what goes in the ledger, when the Trainer validates with the average and steps by itself."""
    line = found.made.lineno
    if result.outcome is not Outcome.CONVERTED or result.mechanism is not Mechanism.AUTOMATIC:
        return Blocked(UNCONVERTED, "the Trainer does not step the optimizer itself", line=line)
    if why := _stands_against(program.roles, found, result.after):
        return Blocked(UNCONVERTED, why, line=line)
    source = program.source
    gone = [
        entry_of(source, s, Fate.REPLACED, "WeightAveraging", "weight_averaging", _WHY)
        for s in (found.made, found.update, *found.dropped)
    ]
    known = {entry.line for entry in told.ledger}
    told_now = (
        f"`{found.callback}` averages the weights of `{found.model}` after every step, has the average in the module while it is validated, "
        "and leaves it there when the training is over"
    )
    notes = [finding("average-by-lightning", line, told_now)]
    notes += [n for n in lost_notes(program.text, result.after) if n not in told.findings]
    return replace(
        told,
        ledger=sorted_ledger([*told.ledger, *(entry for entry in gone if entry.line not in known)]),
        findings=tuple(sorted({*told.findings, *notes})),
        edits=edits_between(program.text, result.after),
    )


def _stands_against(roles: Roles, found: Average, after: str) -> str:
    """What in the converted text would see other weights than the script's, or could not be copied; "" when nothing does."""
    tree = ast.parse(after)
    modules = [
        n
        for n in walk(tree)
        if isinstance(n, ast.ClassDef)
        and any(isinstance(s, ast.FunctionDef) and s.name == "training_step" for s in n.body)
    ]
    if len(modules) != 1 or found.callback.partition("(")[0] not in after:
        return "no Trainer holds the loop"
    methods = [s for s in modules[0].body if isinstance(s, ast.FunctionDef)]
    attribute = next((a for m in methods if m.name == "__init__" for a in _held(m, found.model)), "")
    if not attribute or not any(m.name == "validation_step" for m in methods):
        return "the Trainer does not validate with it"
    for method in methods:
        if method.name not in (*_OF_TRAINING, *_WITH_AVERAGE) and _uses(method, attribute):
            return f"`{method.name}` would use the weights of the training in its place"
    for call in (
        n
        for n in walk(tree)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == modules[0].name
    ):
        for given in (*call.args, *(k.value for k in call.keywords)):
            if not _may_be_copied(given, found, roles):
                return f"the callback copies the whole module, which holds `{ast.unparse(given)}`"
    return ""


def _held(init: ast.FunctionDef, model: str) -> Iterator[str]:
    for statement in init.body:
        match statement:
            case ast.Assign(
                targets=[ast.Attribute(value=ast.Name(id="self"), attr=attribute)], value=ast.Name(id=name)
            ):
                if name == model:
                    yield attribute


def _uses(method: ast.FunctionDef, attribute: str) -> bool:
    """Whether a method does more with the model than to switch its mode."""
    modes = {
        id(n.func.value)
        for n in walk(method)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr in ("train", "eval")
    }
    return any(isinstance(n, ast.Attribute) and n.attr == attribute and id(n) not in modes for n in walk(method))


def _may_be_copied(given: ast.expr, found: Average, roles: Roles) -> bool:
    """Whether an argument of the module is the model, a loss of torch's, options or a number: all of them have copies, and no average of them is another one."""
    if isinstance(given, ast.Constant):
        return True
    if not isinstance(given, ast.Name):
        return False
    if given.id == found.model:
        return True
    key = roles.key(roles.source.scope_of(found.made), given.id)
    values = [b.value for b in roles.bindings(key)] if key is not None else []
    return bool(values) and all(_is_plain(v, roles, "use_buffers=True" in found.callback) for v in values)


def _is_plain(value: ast.expr, roles: Roles, buffers: bool) -> bool:
    """Whether a value is a number, options, or a loss that has no parameters, and no ``buffers`` that the callback would average."""
    match value:
        case ast.Constant():
            return True
        case ast.Call(func=ast.Attribute(attr="parse_args")):
            return True
        case ast.Call(func=ast.Attribute(value=ast.Call() as made, attr="to" | "cuda")):
            return _is_plain(made, roles, buffers)
        case ast.Call(func=function, args=arguments, keywords=keywords):
            full = roles.full_name(function)
            return full.startswith("torch.nn.") and full.endswith("Loss") and not (buffers and (arguments or keywords))
    return False
