"""Whether a method of a model only says which parameters it has, or makes an optimizer of them.

model.trainable_parameters()            model.configure_optimizers(weight_decay, learning_rate)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .bindings import File, Names
from .makings import Value, makings
from .names import parameter_names
from .own_classes import lineage, method_of
from .own_methods import WRAPPERS
from .quiet_models import bare_making
from .syntax import dotted, root_name, walk

_LISTING = {
    "parameters", "named_parameters", "modules", "named_modules", "children", "named_children", "items", "values", "keys", "append",
    "extend", "startswith", "endswith", "chain", "list", "tuple", "set", "dict", "filter", "isinstance", "len", "sorted", "id",
    "numel", "dim", "print", "str", "sum",
}  # fmt: skip
_COLLECTING = {"add", "update", "union", "intersection", "difference"}
"""What sets do, of which the names are gathered first."""
_THEMSELVES = {"copy.deepcopy", "torch.compile"}
"""What gives an object with the methods of what it is given; a shallow copy would have the layers that the first one gets."""
OF_NOW = {"training", "is_cuda", "device", "dtype"}
"""What a network is asked for that the Trainer may change before it asks for the optimizers."""
_DEPTH = 3


def only_lists(roles: Names, call: ast.Call) -> bool:
    """Whether a call is one of a method that lists parameters, whichever of the classes that are seen the model is of."""
    name, models = _asked(roles, call)
    made = list(models)
    return bool(made) and all(
        m is not None and (own := _class_of(*m)) is not None and _lists(name, *own, _DEPTH) for m in made
    )


def _asked(roles: Names, call: ast.Call) -> tuple[str, Iterator[tuple[ast.Call, Names] | None]]:
    """The method that a call asks, and the calls that make the models that it may be asked of."""
    match call.func:
        case ast.Attribute(value=ast.Attribute(value=ast.Name() as wrapper, attr="module"), attr=name):
            return name, _models(Value(wrapper, roles.source.scope_of(call), roles), _DEPTH, wrapped=True)
        case ast.Attribute(value=ast.Name() as model, attr=name):
            return name, _models(Value(model, roles.source.scope_of(call), roles), _DEPTH, wrapped=False)
    return "", iter(())


def _class_of(made: ast.Call, roles: Names) -> tuple[ast.ClassDef, Names] | None:
    return roles.own_class_named(roles.full_name(made.func))


def methods_run(roles: Names, call: ast.Call) -> list[ast.FunctionDef]:
    """The methods of the project's models that a call of one may run, and those that these call on the model itself."""
    name, models = _asked(roles, call)
    owned = [own for made in models if made is not None and (own := _class_of(*made)) is not None]
    return [method for own in owned for method in _run_of(name, *own, _DEPTH)]


def _models(value: Value, depth: int, *, wrapped: bool) -> Iterator[tuple[ast.Call, Names] | None]:
    """The calls that make the models that a value may be, behind copies, or those in wrappers; None for any other.

    A wrapper answers for nothing but its ``module``, and a model has none: of what a name holds in turn only one kind is asked.
    """
    for one in makings(value):
        call = bare_making(one.call)
        full = one.roles.full_name(call.func)
        inner = Value(call.args[0], one.scope, one.roles) if call.args and depth else None
        if full in WRAPPERS:
            if wrapped:
                yield from _models(inner, depth - 1, wrapped=False) if inner is not None else [None]
        elif full in _THEMSELVES and inner is not None:
            yield from _models(inner, depth - 1, wrapped=wrapped)
        elif not wrapped or _has_module(call, one.roles):
            yield None if wrapped else (call, one.roles)


def _has_module(made: ast.Call, roles: Names) -> bool:
    """Whether what a call makes may have a ``module`` of its own."""
    own = roles.own_class_named(roles.full_name(made.func))
    return own is None or any(
        isinstance(n, ast.Attribute | ast.FunctionDef) and "module" in (getattr(n, "attr", ""), getattr(n, "name", ""))
        for one, _file in lineage(*own)
        for n in walk(one)
    )


def _run_of(name: str, definition: ast.ClassDef, file: File, depth: int) -> Iterator[ast.FunctionDef]:
    found = next((m for one, _ in lineage(definition, file) if (m := method_of(one, name)) is not None), None)
    if found is None or not depth:
        return
    yield found
    for called in {n.func.attr for n in walk(found) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)}:
        yield from _run_of(called, definition, file, depth - 1)


def _lists(name: str, definition: ast.ClassDef, file: File, depth: int) -> bool:
    """Whether the method of that name is the project's own, binds nothing but its locals and asks for nothing but parameters."""
    found = next((m for one, _ in lineage(definition, file) if (m := method_of(one, name)) is not None), None)
    if found is None or not depth or found.decorator_list or not found.args.args:
        return False
    itself = found.args.args[0].arg
    for node in walk(found):
        match node:
            case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Global() | ast.Nonlocal() | ast.Await():
                return False
            case ast.Attribute(attr=asked) if asked in OF_NOW:
                return False  # a Trainer sets the mode and the place before it asks for optimizers
            case ast.Subscript(ctx=ast.Store() | ast.Del()) if root_name(node) == itself:
                return False  # what the object holds is another one afterwards
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=method)) if owner == itself:
                own = any(method_of(one, method) is not None for one, _ in lineage(definition, file))
                if not (_lists(method, definition, file, depth - 1) if own else method in _LISTING):
                    return False
            case ast.Call(func=ast.Attribute(value=grown, attr="append" | "extend")) if not _is_new(found, grown):
                return False  # what the object, or another, holds is another one afterwards
            case ast.Call(func=ast.Attribute(value=ast.Name() as gathered, attr=method)) if method in _COLLECTING:
                if not _is_new(found, gathered):
                    return False
            case ast.Call(func=function) if _makes_an_optimizer(function, file):
                continue
            case ast.Call(func=function):
                last = function.attr if isinstance(function, ast.Attribute) else dotted(function)
                if last not in _LISTING or (isinstance(function, ast.Name) and function.id in file.source.classes):
                    return False
    return True


def _makes_an_optimizer(function: ast.expr, file: File) -> bool:
    """Whether a call makes one of PyTorch's optimizers, or asks which arguments one takes."""
    full = file.full_name(function)
    return (full.startswith("torch.optim.") and full.count(".") == 2) or full == "inspect.signature"


def _is_new(method: ast.FunctionDef, container: ast.expr) -> bool:
    """Whether a method makes the list, set or dictionary itself to which it adds, and its name holds nothing else."""
    if not isinstance(container, ast.Name) or container.id in parameter_names(method):
        return False
    name = container.id
    bound = [n for n in walk(method) if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store)]
    made = [n.value for n in walk(method) if isinstance(n, ast.Assign) and [dotted(t) for t in n.targets] == [name]]
    return len(bound) == len(made) > 0 and all(map(_makes_anew, made))


def _makes_anew(value: ast.expr) -> bool:
    match value:
        case ast.Call(func=ast.Name(id="set" | "dict")):
            return True
    return isinstance(value, ast.List | ast.ListComp | ast.Set | ast.SetComp | ast.Dict | ast.DictComp)
