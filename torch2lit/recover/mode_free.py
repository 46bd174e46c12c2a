"""Models that compute the same in train and in eval mode, as their text shows: of layers that know no mode, and of classes that only use such."""

from __future__ import annotations

import ast
import builtins
import re

from .bindings import Names
from .callees import is_imported
from .makings import Value, sources
from .names import parameter_names
from .own_classes import lineage, method_of
from .role import Role
from .syntax import dotted, walk

_LAYERS = re.compile(
    r"torch\.nn\.(modules\.\w+\.)?(Linear|Bilinear|Identity|Conv[123]d|ConvTranspose[123]d|Embedding|ReLU6?|LeakyReLU|PReLU|ELU|SELU|CELU|GELU|SiLU|Mish|"
    r"Sigmoid|LogSigmoid|Hardtanh|Hardsigmoid|Hardswish|Tanh|Softmax|LogSoftmax|Softmax2d|Softplus|Softsign|MaxPool[123]d|AvgPool[123]d|Adaptive(Avg|Max)Pool[123]d|"
    r"Flatten|Unflatten|LayerNorm|GroupNorm|Upsample|PixelShuffle|\w+Pad[123]d|Parameter)"
)
_CONTAINERS = re.compile(r"torch\.nn\.(modules\.container\.)?(Sequential|ModuleList|ModuleDict|ParameterList)")
_OF_MODES = re.compile(
    r"training|train|eval|apply|requires_grad|exec|getattr|setattr|vars|locals|globals|register_\w*hook|\w*dropout\w*|\w*rrelu\w*"
)
_FUNCTIONS = re.compile(r"(torch|math|numpy|collections|einops)\.")
_OF_MODES_THERE = re.compile(r"dropout|batch_norm|instance_norm|rrelu|multi_head|hub|load|jit|compile|models")
_OF_TENSORS = {"requires_grad", "grad", "data"}
_ADDS = {
    "append",
    "extend",
    "insert",
    "add_module",
    "register_module",
    "__setattr__",
    "update",
    "setdefault",
    "pop",
    "register_forward_hook",
    "register_forward_pre_hook",
}
_ALWAYS_ADDS = {"add_module", "register_module", "__setattr__", "register_forward_hook", "register_forward_pre_hook"}
_CALL_WHAT_THEY_GET = {"map", "filter"}
_ITSELF = {"to", "cuda", "cpu", "float", "double"}
_DEEPEST = 6


def computes_alike(roles: Names, scope: ast.AST, name: ast.expr, method: str = "") -> bool:
    """Whether everything that an expression may stand for is such a model, and ``method`` one that its own class defines."""
    assert isinstance(scope, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef)
    if _is_changed(roles):
        return False
    found = sources(Value(name, scope, roles))
    if method and not all(_defines(one, method, _DEEPEST) for one in found):
        return False
    return bool(found) and all(_is_free(one, _DEEPEST) for one in found)


def _defines(one: Value, method: str, depth: int) -> bool:
    call, roles = one.node, one.roles
    if not isinstance(call, ast.Call) or not depth:
        return False
    if isinstance(call.func, ast.Attribute) and call.func.attr in _ITSELF:
        inner = sources(Value(call.func.value, one.scope, roles))
        return bool(inner) and all(i.node is not call and _defines(i, method, depth - 1) for i in inner)
    own = roles.own_class_named(roles.full_name(call.func))
    return own is not None and any(method_of(part, method) is not None for part, _file in lineage(*own))


def _is_changed(roles: Names) -> bool:
    """Whether code outside of classes binds attributes, by which an object may get another layer."""
    source = roles.source
    for attribute in source.all(ast.Attribute):
        if not isinstance(attribute.ctx, ast.Load) and attribute.attr not in _OF_TENSORS:
            if _reaches_in(attribute.value, roles, binds=True):
                return True
    for element in source.all(ast.Subscript):
        if not isinstance(element.ctx, ast.Load) and _reaches_in(element.value, roles):
            return True
    for call in source.calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr in _ADDS:
            if call.func.attr in _ALWAYS_ADDS or _reaches_in(call.func.value, roles):
                return True
        elif isinstance(call.func, ast.Name) and call.func.id in ("setattr", "delattr", "exec"):
            return True
    return False


def _reaches_in(owner: ast.expr, roles: Names, *, binds: bool = False) -> bool:
    """Whether what is stored into may be a model or a part of one; a class may store into its own object, and into containers that it has."""
    root = owner
    while isinstance(root, ast.Attribute | ast.Subscript):
        root = root.value
    if isinstance(root, ast.Name) and root.id == "self":
        own = roles.source.in_class(owner)
        straight = owner is root or (isinstance(owner, ast.Attribute) and owner.value is root)
        return own is None or not straight
    if not isinstance(root, ast.Name):
        return not isinstance(root, ast.Constant)
    role = roles.of(root, roles.source.scope_of(root))
    unseen = binds or not isinstance(owner, ast.Name) or _is_parameter(root, roles)
    return role is Role.MODEL or (role is None and unseen)


def _is_free(one: Value, depth: int) -> bool:
    call, roles = one.node, one.roles
    if not isinstance(call, ast.Call) or not depth:
        return False
    if isinstance(call.func, ast.Attribute) and call.func.attr in _ITSELF:
        inner = sources(Value(call.func.value, one.scope, roles))
        return bool(inner) and all(i.node is not call and _is_free(i, depth - 1) for i in inner)
    full = roles.full_name(call.func)
    if _LAYERS.fullmatch(full):
        return True
    if _CONTAINERS.fullmatch(full):
        parts = [*call.args, *(k.value for k in call.keywords)]
        return all(_is_free(i, depth - 1) for p in parts for i in sources(Value(p, one.scope, roles)) or [one])
    own = roles.own_class_named(full)
    return own is not None and _is_free_class(*own, depth - 1)


def _is_free_class(definition: ast.ClassDef, roles: Names, depth: int) -> bool:
    for part, file in lineage(definition, roles):
        if not depth or part.decorator_list or part.keywords:
            return False
        for base in part.bases:
            full = file.full_name(base)
            if full != "torch.nn.Module" and file.own_class_named(full) is None:
                return False
        if not all(_is_free_node(node, part, file, depth) for node in walk(part)):
            return False
    return True


def _is_free_node(node: ast.AST, part: ast.ClassDef, roles: Names, depth: int) -> bool:
    """Whether one node of a class shows no mode, and no layer that is not known."""
    match node:
        case ast.Attribute(attr=word) | ast.Name(id=word) if _OF_MODES.fullmatch(word):
            return False
        case ast.Attribute(ctx=ast.Load()) | ast.Name(ctx=ast.Load()) if not _is_free_class_name(
            node, part, roles, depth
        ):
            return False
        case ast.FunctionDef():
            plain = all(dotted(d) in ("staticmethod", "property") for d in node.decorator_list)
            return plain and node.name not in ("__call__", "train", "eval", "__getattr__", "__setattr__")
        case ast.ClassDef():
            return node is part
        case ast.Call():
            return _is_free_call(node, part, roles, depth)
        case ast.Assign(
            targets=[ast.Attribute(value=ast.Name(id="self"), attr=attribute)],
            value=ast.Name() | ast.Attribute() as value,
        ):
            return not _is_called(attribute, part) or bool(_is_function(roles.full_name(value)))
    return True


def _is_free_class_name(node: ast.Attribute | ast.Name, part: ast.ClassDef, roles: Names, depth: int) -> bool:
    """Whether a name is none of a class, or one that knows no mode: who has the class may make objects of it by any other name."""
    full = roles.full_name(node)
    own = roles.own_class_named(full) if full else None
    if own is not None:
        return any(one is own[0] for one, _file in lineage(part, roles)) or _is_free_class(*own, depth - 1)
    layer = full.startswith("torch.nn.") and full.rpartition(".")[2][:1].isupper() and full != "torch.nn.Module"
    return not layer or bool(_LAYERS.fullmatch(full) or _CONTAINERS.fullmatch(full))


def _is_called(attribute: str, part: ast.ClassDef) -> bool:
    """Whether a class calls an attribute of its objects, or runs over it and so may call what it holds."""
    for node in walk(part):
        match node:
            case ast.Call(func=function) if any(
                isinstance(n, ast.Attribute) and n.attr == attribute for n in walk(function)
            ):
                return True
            case ast.For(iter=over) | ast.comprehension(iter=over):
                if any(isinstance(n, ast.Attribute) and n.attr == attribute for n in walk(over)):
                    return True
    return False


def _is_function(full: str) -> bool:
    return bool(_FUNCTIONS.match(full)) and not _OF_MODES_THERE.search(full)


def _is_free_call(node: ast.Call, part: ast.ClassDef, roles: Names, depth: int) -> bool:
    full = roles.full_name(node.func)
    if _LAYERS.fullmatch(full):
        return True
    if _CONTAINERS.fullmatch(full) or (isinstance(node.func, ast.Attribute) and node.func.attr in _ADDS):
        return not any(isinstance(n, ast.Name) and _is_parameter(n, roles) for a in node.args for n in _bare(a))
    if (own := roles.own_class_named(full)) is not None:
        return own[0] is not part and _is_free_class(*own, depth - 1)
    if isinstance(node.func, ast.Name):
        name = node.func.id
        scope = roles.source.scope_of(node)
        if roles.key(scope, name) is not None:
            return not _is_parameter(node.func, roles) and roles.source.function(name) is None
        return hasattr(builtins, name) and name not in _CALL_WHAT_THEY_GET
    if full.startswith("torch.nn.") and not full.startswith(("torch.nn.functional.", "torch.nn.init.")):
        return False
    if is_imported(node.func, roles):
        return _is_function(full)
    if isinstance(node.func, ast.Subscript):
        return not any(
            isinstance(n, ast.Name) and _is_parameter(n, roles) for n in walk(node.func.value) if not _is_self(n)
        )
    return isinstance(node.func, ast.Attribute)


def _is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _bare(node: ast.expr) -> list[ast.AST]:
    """The names that are arguments themselves, starred or in a list, and not of another call."""
    if isinstance(node, ast.Call):
        return []
    return (
        [node]
        if isinstance(node, ast.Name)
        else [n for c in ast.iter_child_nodes(node) if isinstance(c, ast.expr) for n in _bare(c)]
    )


def _is_parameter(node: ast.Name, roles: Names) -> bool:
    key = roles.key(roles.source.scope_of(node), node.id)
    return key is None or isinstance(key[0], ast.Module) or node.id in parameter_names(key[0])
