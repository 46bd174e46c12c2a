"""The sums that a metric object of torchmetrics keeps: those that the script tells while the batches run, starts again in between, or asks for behind the training.

total = 0.0                                    →   self.total.set_dtype(torch.float64).reset()
total += loss.item()                           →   self.total.update(loss)
print(total / (step + 1)); total = 0.0         →   print(self.total.compute().item() / (step + 1)); ...

In double it adds up the same numbers in the same order, and every place that reads the variable asks for the number as it is then. So where the statements stand does not
matter, only that each of them is known.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from ...recover.state_names import is_attribute
from ...recover.variables import Variable
from ..draft import BATCH_END, TRAINING_STEP, VALIDATION_STEP, Draft
from .meters import Meter, meter_of
from .statements import given, is_zero, pairs
from .stays import Stays
from .told import is_divided
from .uses import Use, Uses
from .values import Values

_STEPS = (TRAINING_STEP, BATCH_END, VALIDATION_STEP)


@dataclass(eq=False)
class Running:
    """A variable in whose place a metric object may stand.

    ``fed`` is what becomes of each statement that adds to it, ``reset`` are those that start it again, and ``asked`` is what stands for a reading: in all of them ``{}`` is the object.
    ``told`` are the readings of a mean.
    """

    variable: Variable
    name: str
    mean: bool
    asked: str = ""
    fed: dict[ast.stmt, str] = field(default_factory=dict)
    reset: list[ast.stmt] = field(default_factory=list)
    told: list[ast.Attribute] = field(default_factory=list)


def running(draft: Draft, uses: Uses, name: ast.Name, start: Use, found: list[Use]) -> Running:
    """The variable of a sum, when a metric object may take its place. Raises Stays."""
    return _Search(draft, uses, name, start, found).run()


class _Search:
    def __init__(self, draft: Draft, uses: Uses, name: ast.Name, start: Use, found: list[Use]) -> None:
        self.draft, self.all, self.name, self.start = draft, uses, name, start
        self.uses = [start, *found]

    def run(self) -> Running:
        variable = self.draft.variables.of(self.start.frame, self.name.id)
        if variable is None or variable.frame is None or is_attribute(variable.name):
            raise Stays("it is not the training's own")
        if not self.all.only_in_hooks(variable):
            raise Stays("it is named outside of the epoch, too")
        value = next((v for n, v in pairs(self.start.item.node) if n is self.name), None)
        meter = meter_of(self.draft.roles, value) if value is not None else None
        made = Running(variable, self.name.id, meter is not None, reset=[self.start.item.node])
        for use in self.uses:
            self._free(self.draft.source.statement_of(use.name), use)
        if meter is not None:
            self._meter(made, meter)
        else:
            self._sum(made, value)
        return made

    def _free(self, statement: ast.stmt, use: Use) -> None:
        """Nothing else may have made something of a statement that changes it."""
        if use.item.kind == "bind" and isinstance(use.name.ctx, ast.Store):
            raise Stays("a function is given it under another name")
        if isinstance(use.name.ctx, ast.Load):
            return
        elsewhere = statement in self.draft.claims and not (use is self.start and statement in self.draft.texts)
        if elsewhere or statement in self.draft.removals or use.item.kind != "statement":
            raise Stays("something else is made of a statement that changes it")

    # ---- a number

    def _sum(self, made: Running, value: ast.expr | None) -> None:
        whole = isinstance(value, ast.Constant) and type(value.value) is int
        fed: list[tuple[Use, ast.expr]] = []
        resets: list[Use] = []
        counts: list[bool] = []
        for use in self.uses:
            statement = self.draft.source.statement_of(use.name)
            if use is self.start or statement in made.fed:
                continue
            if isinstance(use.name.ctx, ast.Store) and self._resets(statement, use.name):
                made.reset.append(statement)
                resets.append(use)
            elif isinstance(use.name.ctx, ast.Store):
                added = _added(statement, use.name)
                if added is None:
                    raise Stays(f"line {statement.lineno} does more with it than to add to it")
                if any(isinstance(n, ast.Name) and n.id == use.name.id for n in ast.walk(added)):
                    raise Stays("a batch reads it")
                values = Values(self.draft, use.item, use.hook)
                counts.append(values.is_count(added))
                if not counts[-1] and not values.is_number(added):
                    raise Stays(f"`{ast.unparse(added)[:40]}` may be more than a number")
                fed.append((use, added))
                made.fed[statement] = f"{{}}.update({values.source(added)})"
        if not any(u.hook in _STEPS for u, _a in fed):
            raise Stays("no batch adds to it")
        if all(isinstance(a, ast.Constant) for _u, a in fed):
            raise Stays("it only counts")
        if any(counts):
            made.asked = f"{{}}.compute(){self._kind_of_tensor(fed, counts)}"
            return
        all_whole = all(Values(self.draft, u.item, u.hook).is_whole(a) for u, a in fed)
        if whole and not all_whole:
            self._tells_no_whole_number(fed, resets)
        made.asked = "int({}.compute())" if whole and all_whole else "{}.compute().item()"

    def _resets(self, statement: ast.stmt, name: ast.Name) -> bool:
        return any(n is name and is_zero(v) for n, v in pairs(statement))

    def _kind_of_tensor(self, fed: list[tuple[Use, ast.expr]], counts: list[bool]) -> str:
        """What makes the script's tensor of the double: a sum of tensors is one where it has been added to, and then the same object until it starts again."""
        if not all(counts):
            raise Stays("it is a tensor in some batches")
        loads = [u for u in self.uses if isinstance(u.name.ctx, ast.Load)]
        if any(u.hook in _STEPS or u.place <= max(f.place for f, _a in fed) for u in loads):
            raise Stays("it is a tensor, and told while the batches run")
        parents = [self.draft.source.parents[u.name] for u in loads]
        return "" if all(isinstance(p, ast.Attribute) and p.attr in ("float", "double") for p in parents) else ".long()"

    def _tells_no_whole_number(self, fed: list[tuple[Use, ast.expr]], resets: list[Use]) -> None:
        """What starts as a whole number may still be one where nothing, or only whole numbers, were added."""
        loads = [u for u in self.uses if isinstance(u.name.ctx, ast.Load)]
        floats = [u for u, a in fed if _is_float(a, Values(self.draft, u.item, u.hook))]
        plain = [u for u in loads if not is_divided(self.draft, u.name)]
        if plain and (len(floats) != len(fed) or resets or any(u.place <= fed[0][0].place for u in plain)):
            raise Stays("it may be a whole number where it is told")

    # ---- a mean

    def _meter(self, made: Running, meter: Meter) -> None:
        fed: list[Use] = []
        for use in self.uses[1:]:
            statement, parent = self.draft.source.statement_of(use.name), self.draft.source.parents[use.name]
            match statement:
                case ast.Expr(value=ast.Call(func=ast.Attribute(attr=method) as function) as call) if (
                    function is parent
                ):
                    added = given(call, meter) if method == meter.update else None
                    if added is None or statement in self.draft.claims or statement in self.draft.removals:
                        raise Stays("a batch does more with it than to add to it")
                    self._feed(made, use, statement, *added)
                    fed.append(use)
                    continue
            if (
                not isinstance(parent, ast.Attribute)
                or parent.attr != meter.mean
                or not isinstance(parent.ctx, ast.Load)
            ):
                raise Stays("more than its mean is told")
            if not fed or use.place < fed[0].place:
                raise Stays("it is told before a batch has added to it")
            made.told.append(parent)
        if not any(u.hook in _STEPS for u in fed):
            raise Stays("no batch adds to it")

    def _feed(self, made: Running, use: Use, statement: ast.stmt, value: ast.expr, weight: ast.expr | None) -> None:
        values = Values(self.draft, use.item, use.hook)
        if not values.is_number(value):
            raise Stays(f"`{ast.unparse(value)[:40]}` may be more than a number")
        if weight is not None and not values.is_whole(weight):
            raise Stays(f"`{ast.unparse(weight)[:40]}` may be no whole number")
        weighed = f", {values.text(weight)}" if weight is not None else ""
        made.fed[statement] = f"{{}}.update({values.source(value)}{weighed})"


def _is_float(node: ast.expr, values: Values) -> bool:
    """Whether a number that is added surely has decimals: the loss of a batch, a quotient."""
    match node:
        case ast.Constant(value=value):
            return type(value) is float
        case ast.BinOp(op=ast.Div()):
            return True
        case ast.BinOp(op=ast.Mult() | ast.Add() | ast.Sub(), left=left, right=right):
            return _is_float(left, values) or _is_float(right, values)
        case ast.Call(func=ast.Attribute(value=inner, attr="item"), args=[], keywords=[]):
            return values.is_loss(inner)
        case ast.Call(func=ast.Name(id="float")):
            return True
    return False


def _added(statement: ast.stmt, name: ast.Name) -> ast.expr | None:
    match statement:
        case ast.AugAssign(target=target, op=ast.Add(), value=value) if target is name:
            return value
        case ast.Assign(targets=[target], value=ast.BinOp(left=ast.Name(id=old), op=ast.Add(), right=value)) if (
            target is name and old == name.id
        ):
            return value
    return None
