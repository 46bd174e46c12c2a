"""Whether a method of a network's own class leaves it its layers: it runs through them, and puts them into a mode at most.

def freeze_bn(self):                                  model.freeze_bn()
    for layer in self.modules():                      model.module.freeze_bn()
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .bindings import Names
from .makings import Value, sources
from .own_classes import lineage, method_of
from .syntax import walk

WRAPPERS = {"torch.nn.DataParallel", "torch.nn.parallel.DistributedDataParallel"}
"""What holds a model as its ``module``."""
SYNCED = "torch.nn.SyncBatchNorm.convert_sync_batchnorm"
"""What gives the model itself, with layers in it that have the parameters of those in whose place they are."""
_GIVE_THEMSELVES = {"to", "cuda", "cpu"}
_ASKING = {
    "modules", "named_modules", "children", "named_children", "parameters", "named_parameters", "buffers", "named_buffers",
    "items", "values", "keys", "format", "startswith", "endswith", "split",
}  # fmt: skip
_COUNTING = {"numel", "nelement", "size", "dim", "item", "prod", "sum"}
"""What tensors are asked for."""
_TENSORS = {"data", "weight", "bias"}
_TENSOR_LISTS = {"parameters", "named_parameters", "buffers", "named_buffers"}
_SETTING = {"eval", "train", "requires_grad_", "zero_", "fill_", "zero_grad"}
_BUILTIN = {
    "isinstance",
    "len",
    "print",
    "range",
    "enumerate",
    "zip",
    "hasattr",
    "str",
    "type",
    "list",
    "any",
    "all",
    "super",
    "sum",
    "int",
    "float",
    "max",
    "min",
    "round",
    "filter",
}
_DEEPEST = 4


def method_keeps_layers(roles: Names, name: ast.Name, called: ast.Attribute, *, trains_the_same: bool) -> bool:
    """Whether calling a method of a network, or of the one in a wrapper (``net.module.freeze()``), binds nothing on it.

    ``trains_the_same``: nor may it change what parameters are trained.
    """
    inside = isinstance(called.value, ast.Attribute) and called.value.attr == "module" and called.value.value is name
    if not (called.value is name or inside):
        return False
    if any(a.attr == called.attr and not isinstance(a.ctx, ast.Load) for a in roles.source.all(ast.Attribute)):
        return False
    found: list[tuple[ast.ClassDef, Names] | None] = [
        *_objects(Value(name, roles.source.scope_of(name), roles), _DEEPEST)
    ]
    if not found or None in found:
        return False
    return all(one is not None and _is_quiet(*one, called.attr, frozenset(), trains_the_same) for one in found)


def _objects(
    value: Value, depth: int, seen: frozenset[ast.AST] = frozenset()
) -> Iterator[tuple[ast.ClassDef, Names] | None]:
    """The class of the project of each object that a value may be, without wrappers; None for any other."""
    for part in sources(value):
        call = part.node
        if call in seen:
            continue  # ``model = model.to(device)`` is made of its other values
        if not isinstance(call, ast.Call) or depth < 0:
            yield None
            continue
        roles = part.roles
        inner: ast.expr | None = None
        if isinstance(call.func, ast.Attribute) and call.func.attr in _GIVE_THEMSELVES:
            inner = call.func.value
        elif roles.full_name(call.func) in {*WRAPPERS, SYNCED} and call.args:
            inner = call.args[0]
        if inner is not None:
            yield from _objects(Value(inner, part.scope, roles), depth - 1, seen | {call})
            continue
        yield roles.own_class_named(roles.full_name(call.func))


def _is_quiet(definition: ast.ClassDef, file: Names, name: str, entered: frozenset[str], trains_the_same: bool) -> bool:
    """Whether a method of an object of this class only asks for its parts, and puts them into a mode."""
    if name in entered:
        return True
    own = next((m for one, _ in lineage(definition, file) if (m := method_of(one, name)) is not None), None)
    if own is None:
        return bool(entered) and name in _ASKING | _SETTING
    if own.decorator_list or not own.args.args:
        return False
    itself = own.args.args[0].arg
    further = entered | {name}
    for node in (n for s in own.body for n in walk(s)):
        match node:
            case ast.Attribute(attr=attribute, ctx=ast.Store() | ast.Del()):
                if attribute not in ("requires_grad", "training") or (trains_the_same and attribute == "requires_grad"):
                    return False
            case ast.Subscript(ctx=ast.Store() | ast.Del()) | ast.Global() | ast.Nonlocal():
                return False
            case ast.FunctionDef() | ast.ClassDef() | ast.Import() | ast.ImportFrom() | ast.Yield() | ast.Await():
                return False
            case ast.Call(func=ast.Name(id="filter"), args=[asked, *_]) if not isinstance(asked, ast.Lambda):
                return False
            case ast.Call(keywords=keywords) if any(k.arg in ("key", None) for k in keywords):
                return False
            case ast.Call(func=ast.Name(id=function)):
                if function not in _BUILTIN or file.source.function(function) is not None:
                    return False
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=method)) if owner == itself:
                if not _is_quiet(definition, file, method, further, trains_the_same):
                    return False
            case ast.Call(func=ast.Attribute(value=asked, attr=method)) if method in _COUNTING:
                if not _is_of_tensors(own, asked):
                    return False
            case ast.Call(func=ast.Attribute(attr=method)):
                if method not in _ASKING | _SETTING or (trains_the_same and method == "requires_grad_"):
                    return False
            case ast.Call():
                return False
    return True


def _is_of_tensors(method: ast.FunctionDef, asked: ast.expr) -> bool:
    """Whether what a method asks is surely no part of the network, which may answer as it likes."""
    itself = method.args.args[0].arg
    if any(isinstance(n, ast.Name) and n.id == itself for n in walk(asked)):
        return isinstance(asked, ast.Attribute) and asked.attr in _TENSORS
    listed = {n.value for n in walk(method) if isinstance(n, ast.Attribute) and n.attr in _TENSOR_LISTS}
    return all(n in listed for s in method.body for n in walk(s) if isinstance(n, ast.Name) and n.id == itself)
