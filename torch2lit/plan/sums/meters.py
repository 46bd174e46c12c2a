"""Classes that keep a weighted mean, proven by what they do: ``update(value, n)`` adds ``value * n`` and ``n``, ``avg`` is the quotient.

What such an object is called, or its class, says nothing here.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ...recover.bindings import Names
from ...recover.own_classes import class_of_call, is_bare

Update = ast.FunctionDef


@dataclass(frozen=True, slots=True)
class Meter:
    """The attributes that tell the sum, the weights and the mean, and whether a value may come without a weight."""

    update: str
    total: str
    mean: str
    weighted: bool


def meter_of(roles: Names, call: ast.expr) -> Meter | None:
    """The meter that a call makes, None for any other object."""
    if not isinstance(call, ast.Call) or not all(isinstance(a, ast.Constant) for a in _given(call)):
        return None
    definition = class_of_call(roles, call)
    if definition is None or definition.decorator_list or definition.keywords or not is_bare(roles, definition):
        return None
    if any(not isinstance(b, ast.Name) or b.id != "object" for b in definition.bases):
        return None
    methods = {s.name: s for s in definition.body if isinstance(s, ast.FunctionDef)}
    if any(name.startswith("__") and name.endswith(("attr__", "attribute__", "new__")) for name in methods):
        return None
    found = _updated(methods.get("update"))
    if found is None:
        return None
    total, weights, means, weighted = found
    if not {total, weights} <= _zeroed(methods):
        return None
    asked = [n for n, m in methods.items() if _is_property(m) and _returns_quotient(m, total, weights)]
    mean = next(iter([*means, *asked]), "")
    if (
        not mean
        or (mean in methods and mean not in asked)
        or _bound_in_class(definition, {total, weights, mean} - set(asked))
    ):
        return None
    return Meter("update", total, mean, weighted)


def _given(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(k.value for k in call.keywords)]


def _bound_in_class(definition: ast.ClassDef, names: set[str]) -> bool:
    """Whether the class itself says something about these attributes, as a property does."""
    return any(
        isinstance(s, ast.FunctionDef | ast.Assign | ast.AnnAssign) and names & _names_of(s) for s in definition.body
    )


def _names_of(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.FunctionDef):
        return {statement.name}
    return {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _updated(update: Update | None) -> tuple[str, str, list[str], bool] | None:
    """The attributes for the sum, the weights and the mean, when every statement of the method only sets attributes so."""
    if update is None or update.decorator_list or len(update.args.args) != 3 or _odd_arguments(update):
        return None
    value, weight = (a.arg for a in update.args.args[1:])
    default = update.args.defaults[-1] if update.args.defaults else None
    if default is not None and not (isinstance(default, ast.Constant) and default.value == 1):
        return None
    total = weights = ""
    means: list[str] = []
    for statement in update.body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue
        if (added := _added(statement)) is not None:
            name, what = added
            if ast.unparse(what) in (f"{value} * {weight}", f"{weight} * {value}") and not total:
                total = name
            elif ast.unparse(what) == weight and not weights:
                weights = name
            else:
                return None
            continue
        if (kept := _kept(statement)) is None or kept[0] in (total, weights):
            return None
        name, what = kept
        if total and weights and _is_quotient(what, total, weights):
            means.append(name)
        elif not (isinstance(what, ast.Name) and what.id in (value, weight)):
            return None
    return (total, weights, means, default is not None) if total and weights else None


def _odd_arguments(function: Update) -> bool:
    a = function.args
    return bool(a.vararg or a.kwarg or a.kwonlyargs or a.posonlyargs or len(a.defaults) > 1)


def _added(statement: ast.stmt) -> tuple[str, ast.expr] | None:
    """The attribute to which a statement adds, and what."""
    match statement:
        case ast.AugAssign(target=ast.Attribute(value=ast.Name(id="self"), attr=name), op=ast.Add(), value=value):
            return name, value
        case ast.Assign(
            targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)],
            value=ast.BinOp(left=ast.Attribute(value=ast.Name(id="self"), attr=old), op=ast.Add(), right=value),
        ) if name == old:
            return name, value
    return None


def _kept(statement: ast.stmt) -> tuple[str, ast.expr] | None:
    match statement:
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=value):
            return name, value
    return None


def _is_quotient(value: ast.expr, total: str, weights: str) -> bool:
    """Whether it is the sum by the weights, or that where there are any."""
    if isinstance(value, ast.IfExp):
        asked = ast.unparse(value.test)
        if asked not in (f"self.{weights}", f"self.{weights} > 0", f"self.{weights} != 0"):
            return False
        value = value.body
    return ast.unparse(value) == f"self.{total} / self.{weights}"


def _is_property(method: Update) -> bool:
    return [ast.unparse(d) for d in method.decorator_list] == ["property"]


def _returns_quotient(method: Update, total: str, weights: str) -> bool:
    body = [s for s in method.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    match body:
        case [ast.Return(value=ast.expr() as value)]:
            return _is_quotient(value, total, weights)
    return False


def _zeroed(methods: dict[str, Update]) -> set[str]:
    """The attributes that are nothing when the object is made: by ``__init__``, or by a method that it ends with."""
    made = methods.get("__init__")
    if made is None or made.decorator_list:
        return set()
    found: set[str] = set()
    for statement in made.body:
        match statement:
            case ast.Expr(
                value=ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name), args=[], keywords=[])
            ):
                inner = methods.get(name)
                if inner is None or inner.decorator_list or not all(map(_sets, inner.body)):
                    return set()
                found |= {n for s in inner.body for n in _zeros(s)}
            case _ if _sets(statement):
                found |= set(_zeros(statement))
            case _:
                return set()
    return found


def _sets(statement: ast.stmt) -> bool:
    """Whether a statement only sets attributes of the object to what has no effect."""
    match statement:
        case ast.Expr(value=ast.Constant()) | ast.Pass():
            return True
        case ast.Assign(value=value):
            return not any(isinstance(n, ast.Call | ast.Await | ast.NamedExpr) for n in ast.walk(value))
    return False


def _zeros(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=value):
            return [name] if _is_nothing(value) else []
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if len(targets) == len(values):
            pairs = zip(targets, values, strict=True)
            return [t.attr for t, v in pairs if isinstance(t, ast.Attribute) and _is_nothing(v)]
        case ast.Assign(targets=targets, value=value) if len(targets) > 1 and _is_nothing(value):
            return [t.attr for t in targets if isinstance(t, ast.Attribute)]
    return []


def _is_nothing(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and type(value.value) in (int, float) and value.value == 0
