"""Whether one call of a model uses each of its weights once: then it does not matter whether autocast remembers what it has cast.

Autocast casts a weight for every matrix product or convolution that it meets. The casted weight is remembered in a raw script and not
in Lightning, so the gradients of a weight that is used twice are added up in another precision. Everything that is not seen to
use its weights once counts as using one twice.
"""

from __future__ import annotations

import ast

from .circles import ends_in_a_circle
from .names import parameter_names
from .neighbours import Definition
from .roles import Binding, Role, Roles, bound_argument, roles_of
from .syntax import Scope, Source, dotted, root_name, source_of, walk, walk_scope
from .weight_kinds import Kind, Twice
from .weight_uses import Uses, repeated

_DEPTH = 12
_KEEPS = {"to", "cuda", "cpu", "float", "train", "eval", "requires_grad_", "apply"}
_RECURRENT = {"RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell", "RNNBase", "AdaptiveLogSoftmaxWithLoss"}
_WEIGHTED = {
    "Linear", "Bilinear", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "PReLU",
    "MultiheadAttention", "Transformer", "TransformerEncoder", "TransformerDecoder", "TransformerEncoderLayer",
    "TransformerDecoderLayer",
}  # fmt: skip
_CONTAINERS = {"Sequential", "ModuleList", "ModuleDict", "ParameterList"}
_FREE = {
    "ReLU", "ReLU6", "LeakyReLU", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Sigmoid", "Tanh", "Softplus", "Softsign",
    "Hardswish", "Hardsigmoid", "Hardtanh", "LogSigmoid", "GLU", "Threshold", "Softmax", "LogSoftmax", "Softmax2d",
    "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "Flatten", "Unflatten", "Identity", "MaxPool1d",
    "MaxPool2d", "MaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d", "AdaptiveAvgPool1d", "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d", "BatchNorm1d", "BatchNorm2d",
    "BatchNorm3d", "LayerNorm", "GroupNorm", "RMSNorm", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d",
    "LocalResponseNorm", "Upsample", "UpsamplingNearest2d", "UpsamplingBilinear2d", "PixelShuffle", "PixelUnshuffle",
    "ZeroPad2d", "ReflectionPad1d", "ReflectionPad2d", "ReplicationPad2d", "ConstantPad2d", "Embedding", "EmbeddingBag",
    "Unfold", "Fold", "CosineSimilarity", "PairwiseDistance", "ChannelShuffle",
}  # fmt: skip
"""Modules of torch without a weight that autocast would cast."""
_NO_SINGLE_USE = ("torchvision.models.detection.", "torchvision.models.optical_flow.")


def used_twice(roles: Roles, model: ast.expr, scope: Scope, method: str = "forward") -> str:
    """Why one call of a model may use a weight twice; "" when it surely does not."""
    try:
        reader = _Reader(roles)
        reader.check_file(roles.source)
        if reader.kind(model, scope, method, whole=True) in (Kind.UNKNOWN, Kind.PLAIN, Kind.WEIGHT):
            return f"the weights of `{ast.unparse(model)}` cannot be seen"
    except Twice as reason:
        return str(reason)
    return ""


class _Reader:
    """Reads the classes of one file; a file beside it gets a reader of its own."""

    def __init__(self, roles: Roles, open_classes: tuple[str, ...] = ()) -> None:
        self.roles = roles
        self.source = roles.source
        self.open = open_classes
        self.depth = 0
        self.checked: set[tuple[ast.ClassDef, str]] = set()

    def check_file(self, source: Source) -> None:
        """Weights that are tied, and code that may run a part of the model once more, anywhere in a file."""
        for statement in source.all(ast.Assign):
            for target in statement.targets:
                if not isinstance(target, ast.Attribute):
                    continue
                copied = isinstance(statement.value, ast.Attribute | ast.Name)
                scope = source.scope_of(statement)
                if copied and target.attr in ("weight", "bias"):
                    raise Twice(f"`{ast.unparse(statement)[:60]}` ties weights")
                if isinstance(target.value, ast.Name) and target.value.id == "self":
                    continue
                is_model = self.roles.role(scope, root_name(target)) is Role.MODEL
                if is_model and self.kind(statement.value, scope) in (Kind.UNKNOWN, Kind.WEIGHT):
                    raise Twice(f"`{ast.unparse(statement)[:60]}` changes the model")
        for call in source.calls:
            last = dotted(call.func).rpartition(".")[2]
            if last in ("register_forward_hook", "register_forward_pre_hook", "tie_weights", "add_module", "setattr"):
                raise Twice(f"`{last}` changes what the model does")

    # ---- values

    def kind(self, node: ast.expr, scope: Scope, method: str = "forward", *, whole: bool = False) -> Kind:
        """What the value of an expression is; the classes of the project that it makes an object of are checked.

        ``whole`` is the model itself, whose name may be read anywhere; a part of it may have one place only.
        """
        self.depth += 1
        try:
            if self.depth > _DEPTH:
                return Kind.UNKNOWN
            return self._kind(node, scope, method, whole)
        finally:
            self.depth -= 1

    def _kind(self, node: ast.expr, scope: Scope, method: str, whole: bool) -> Kind:
        match node:
            case ast.Constant() | ast.Compare() | ast.JoinedStr() | ast.Lambda() | ast.UnaryOp():
                return Kind.PLAIN
            case ast.Name(id=name):
                return self._name(name, scope, method, whole)
            case ast.IfExp(body=body, orelse=orelse):
                return self._worst([self.kind(n, scope, method, whole=whole) for n in (body, orelse)])
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return self._several(elements, scope)
            case ast.Dict(values=values):
                return self._several(values, scope)
            case ast.ListComp(elt=element) | ast.GeneratorExp(elt=element) | ast.DictComp(value=element):
                made = isinstance(element, ast.Call | ast.Constant | ast.BinOp)
                return self._several([element], scope) if made else Kind.UNKNOWN
            case ast.BinOp(left=left, op=op, right=right):
                kinds = [self.kind(left, scope), self.kind(right, scope)]
                if Kind.MANY in kinds and not isinstance(op, ast.Add):
                    raise Twice(f"`{ast.unparse(node)[:60]}` repeats modules")
                return self._worst(kinds)
            case ast.Starred(value=value):
                return self.kind(value, scope)
            case ast.Call():
                return self._call(node, scope, method, whole)
        return Kind.UNKNOWN

    def _worst(self, kinds: list[Kind]) -> Kind:
        order = list(Kind)
        return max(kinds, key=order.index, default=Kind.PLAIN)

    def _several(self, elements: list[ast.expr], scope: Scope) -> Kind:
        kind = self._worst([self.kind(e, scope) for e in elements])
        return Kind.MANY if kind in (Kind.MODULE, Kind.FREE, Kind.WEIGHT) else kind

    @ends_in_a_circle(Kind.UNKNOWN)
    def _name(self, name: str, scope: Scope, method: str, whole: bool) -> Kind:
        key = self.roles.key(scope, name)
        if key is None or key[1] in self.roles.global_writes:
            return Kind.UNKNOWN
        owner, name = key
        bindings = [b for b in self.roles.bindings(key) if not _keeps(b.value, name)]
        kinds = [Kind.UNKNOWN if b.index == -1 else self._bound(b, owner, method, whole) for b in bindings]
        if not isinstance(owner, ast.Module) and name in parameter_names(owner):
            given = self._arguments(owner, name)
            kinds += [self.kind(a, s, method, whole=whole) for s, a in given] or [Kind.UNKNOWN]
        kinds += [self.kind(a, owner) for a in self._appended(name, owner)]
        if not kinds:
            return Kind.UNKNOWN
        kind = self._worst(kinds)
        if not whole and kind in (Kind.MODULE, Kind.MANY) and self._handed_on_twice(name, owner):
            raise Twice(f"`{name}` may be a part of the model in two places")
        return kind

    def _bound(self, binding: Binding, owner: Scope, method: str, whole: bool) -> Kind:
        value, index = binding.value, binding.index
        if index is None:
            return self.kind(value, owner, method, whole=whole)
        function = self.source.function(dotted(value.func)) if isinstance(value, ast.Call) else None
        results = [n.value for n in walk_scope(function.body) if isinstance(n, ast.Return)] if function else []
        kinds = []
        for result in results:
            if not isinstance(result, ast.Tuple) or not 0 <= index < len(result.elts) or function is None:
                return Kind.UNKNOWN
            kinds.append(self.kind(result.elts[index], function, method, whole=whole))
        return self._worst(kinds) if kinds else Kind.UNKNOWN

    def _appended(self, name: str, owner: Scope) -> list[ast.expr]:
        return [
            argument
            for node in (walk_scope(owner.body))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("append", "extend", "insert")
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == name
            for argument in node.args[-1:]
        ]

    def _handed_on_twice(self, name: str, owner: Scope) -> bool:
        """Whether a local module is read in more than one place, or in a loop."""
        reads = 0
        for node in walk(owner):
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
                parent = self.source.parents.get(node)
                if isinstance(parent, ast.Attribute) and parent.attr in ("append", "extend", "insert"):
                    continue
                if isinstance(parent, ast.Compare | ast.If | ast.UnaryOp | ast.BoolOp | ast.Return):
                    continue
                reads += 2 if repeated(self.source, node, owner) else 1
        return reads > 1

    def _arguments(self, function: Scope, name: str) -> list[tuple[Scope, ast.expr]]:
        """What is passed for a parameter of a function, a method or a constructor, where all calls are seen."""
        assert not isinstance(function, ast.Module)
        owner = self.source.in_class(function)
        if owner is None:
            return self.roles.arguments(function, name)
        found: list[tuple[Scope, ast.expr]] = []
        for call in self.source.calls:
            if function.name == "__init__":
                hit = owner in self._classes_named(call.func, self.source.scope_of(call))
            else:
                hit = isinstance(call.func, ast.Attribute) and call.func.attr == function.name
            if hit and (argument := _method_argument(function, call, name)) is not None:
                found.append((self.source.scope_of(call), argument))
        return found

    def _classes_named(self, function: ast.expr, scope: Scope) -> list[ast.ClassDef]:
        """The classes of this file that a called expression stands for, through parameters too."""
        self.depth += 1
        try:
            if self.depth > _DEPTH or not isinstance(function, ast.Name):
                return []
            if function.id in self.source.classes:
                return [self.source.classes[function.id]]
            key = self.roles.key(scope, function.id)
            if key is None or isinstance(key[0], ast.Module) or function.id not in parameter_names(key[0]):
                return []
            given = self._arguments(key[0], function.id)
            return [c for s, a in given for c in self._classes_named(a, s)]
        finally:
            self.depth -= 1

    # ---- calls

    def _call(self, node: ast.Call, scope: Scope, method: str, whole: bool) -> Kind:
        if isinstance(node.func, ast.Attribute) and node.func.attr in _KEEPS:
            return self.kind(node.func.value, scope, method, whole=whole)
        full = self.roles.full_name(node.func)
        last = full.rpartition(".")[2]
        if full.startswith("torch.nn.") and full.count(".") == 2:
            return self._of_torch(node, last, scope)
        if full.startswith("torchvision.models.") and not full.startswith(_NO_SINGLE_USE) and method == "forward":
            return Kind.MODULE
        if last == "deepcopy" and node.args:
            return self.kind(node.args[0], scope, method)
        if last in ("DataParallel", "DistributedDataParallel", "DDP", "compile"):
            raise Twice(f"`{last}` wraps the model")
        if full.startswith(("torch.", "math.", "numpy.")) or last in (
            "int",
            "float",
            "len",
            "range",
            "max",
            "min",
            "sum",
        ):
            return Kind.PLAIN
        full = self._behind_star(full)
        if (definition := self.roles.class_named(full)) is not None:
            return self._of_class(definition, full, method)
        if (function := self.source.function(full)) is not None:
            results = [n.value for n in walk_scope(function.body) if isinstance(n, ast.Return) and n.value is not None]
            kinds = [self.kind(r, function, method, whole=whole) for r in results]
            return self._worst(kinds) if kinds else Kind.UNKNOWN
        if isinstance(node.func, ast.Attribute) and root_name(node.func) == "self":
            return self._own_method(node.func, scope)
        return self._of_parameter(node, scope, method)

    def _behind_star(self, name: str) -> str:
        """The full name of what ``from module import *`` brings."""
        neighbours = self.roles.neighbours
        if "." in name or neighbours is None or name in self.source.classes:
            return name
        for statement in self.source.all(ast.ImportFrom):
            if any(alias.name == "*" for alias in statement.names):
                module = "." * statement.level + (statement.module or "")
                full = f"{module}{'' if module.endswith('.') else '.'}{name}"
                if neighbours.definition(full) is not None:
                    return full
        return name

    def _of_torch(self, node: ast.Call, name: str, scope: Scope) -> Kind:
        if name in _CONTAINERS:
            kind = self._several([*node.args, *(k.value for k in node.keywords)], scope)
            if kind is Kind.UNKNOWN:
                raise Twice(f"the parts of `{ast.unparse(node)[:60]}` cannot be seen")
            return Kind.MANY
        if name in _RECURRENT:
            raise Twice(f"`nn.{name}` uses its weights once per step in time")
        if name == "Parameter":
            return Kind.WEIGHT
        if name in _FREE or name.endswith("Loss"):
            return Kind.FREE
        if name in _WEIGHTED:
            return Kind.MODULE
        raise Twice(f"it is not known how `nn.{name}` uses its weights")

    def _of_class(self, definition: ast.ClassDef, full: str, method: str) -> Kind:
        reader: _Reader = self
        if definition.name not in self.source.classes or self.source.classes[definition.name] is not definition:
            reader = self._beside(full)
            definition = reader.source.classes.get(definition.name, definition)
        if not reader.roles.is_module_class(definition.name):
            return Kind.UNKNOWN
        reader.check_class(definition, method)
        return Kind.MODULE

    def _beside(self, full: str) -> _Reader:
        neighbours = self.roles.neighbours
        found = neighbours.definition(full) if neighbours is not None else None
        text = neighbours.text(found.file) if neighbours is not None and isinstance(found, Definition) else ""
        if neighbours is None or found is None or not text:
            raise Twice(f"`{full}` cannot be seen")
        source = source_of(text)
        reader = _Reader(roles_of(source, neighbours.beside(found.file)), self.open)
        reader.depth = self.depth
        reader.check_file(source)
        return reader

    def _own_method(self, function: ast.Attribute, scope: Scope) -> Kind:
        owner = None if isinstance(scope, ast.Module) else self.source.in_class(scope)
        if owner is None or not isinstance(function.value, ast.Name):
            return Kind.UNKNOWN
        for method in owner.body:
            if isinstance(method, ast.FunctionDef) and method.name == function.attr:
                results = [
                    n.value for n in walk_scope(method.body) if isinstance(n, ast.Return) and n.value is not None
                ]
                return self._worst([self.kind(r, method) for r in results]) if results else Kind.UNKNOWN
        return Kind.UNKNOWN

    def _of_parameter(self, node: ast.Call, scope: Scope, method: str) -> Kind:
        """``block(...)`` where the function is given the class."""
        key = self.roles.key(scope, node.func.id) if isinstance(node.func, ast.Name) else None
        if key is None or isinstance(key[0], ast.Module) or key[1] not in parameter_names(key[0]):
            return Kind.UNKNOWN
        kinds = []
        for caller, argument in self._arguments(key[0], key[1]):
            made = ast.copy_location(ast.Call(argument, node.args, node.keywords), node)
            kinds.append(
                self.kind(made, caller, method) if isinstance(argument, ast.Name | ast.Attribute) else Kind.UNKNOWN
            )
        return self._worst(kinds) if kinds else Kind.UNKNOWN

    # ---- classes

    def check_class(self, definition: ast.ClassDef, start: str) -> None:
        """Raises when one call of a method may use a weight of an object twice."""
        if (definition, start) in self.checked:
            return
        if definition.name in self.open:
            raise Twice(f"`{definition.name}` holds objects of its own class")
        self.open = (*self.open, definition.name)
        methods = self._methods(definition)
        attributes = self._attributes(definition, methods)
        self.open = self.open[:-1]
        if start in methods:
            uses = Uses(self.roles, definition, methods, attributes).of(start)
            twice = sorted(name for name, times in uses.items() if times > 1)
            if twice:
                raise Twice(f"`self.{twice[0]}` of `{definition.name}` may be used twice in `{start}`")
        elif start != "forward" or not self._is_sequence(definition):
            raise Twice(f"`{definition.name}.{start}` cannot be seen")
        self.checked.add((definition, start))

    def _is_sequence(self, definition: ast.ClassDef) -> bool:
        return any(self.roles.full_name(b).endswith("nn.Sequential") for b in definition.bases)

    @ends_in_a_circle({})
    def _methods(self, definition: ast.ClassDef) -> dict[str, ast.FunctionDef]:
        methods: dict[str, ast.FunctionDef] = {}
        for base in definition.bases:
            full = self.roles.full_name(base)
            if full in self.source.classes and self.source.classes[full] is not definition:
                above = self._methods(self.source.classes[full])
                methods |= above
            elif not full.endswith(("nn.Module", "nn.Sequential")) and full != "Module":
                raise Twice(f"the base class `{ast.unparse(base)}` of `{definition.name}` cannot be seen")
        if definition.decorator_list:
            raise Twice(f"`{definition.name}` is decorated")
        return methods | {s.name: s for s in definition.body if isinstance(s, ast.FunctionDef)}

    def _attributes(self, definition: ast.ClassDef, methods: dict[str, ast.FunctionDef]) -> dict[str, Kind]:
        found: dict[str, list[Kind]] = {}
        for statement in definition.body:
            if isinstance(statement, ast.Assign) and self.kind(statement.value, self.source.tree) is not Kind.PLAIN:
                for target in statement.targets:
                    found.setdefault(ast.unparse(target), []).append(Kind.UNKNOWN)
        for method in methods.values():
            for node in walk(method):
                match node:
                    case ast.Assign(targets=[*targets], value=value):
                        for target in targets:
                            self._assigned(target, value, method, found, definition)
                    case ast.AnnAssign(target=target, value=ast.expr() as value):
                        self._assigned(target, value, method, found, definition)
                    case ast.Call(
                        func=ast.Attribute(value=ast.Attribute(value=ast.Name(id="self"), attr=name), attr=how)
                    ):
                        if how in ("append", "add_module", "insert", "extend") and node.args:
                            found.setdefault(name, []).append(self.kind(node.args[-1], method))
                    case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr="__init__")):
                        if self._is_sequence(definition) and self._several(node.args, method) is Kind.UNKNOWN:
                            raise Twice(f"the parts of `{definition.name}` cannot be seen")
        return {name: self._worst(kinds) for name, kinds in found.items()}

    def _assigned(
        self,
        target: ast.expr,
        value: ast.expr,
        method: ast.FunctionDef,
        found: dict[str, list[Kind]],
        owner: ast.ClassDef,
    ) -> None:
        match target:
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                copied = isinstance(value, ast.Attribute) and root_name(value) == "self"
                known = found.get(value.attr, []) if isinstance(value, ast.Attribute) else []
                if copied and not (known and self._worst(known) is Kind.PLAIN):
                    if any(k in (Kind.MODULE, Kind.MANY, Kind.WEIGHT) for k in known):
                        raise Twice(f"`{ast.unparse(value)}` of `{owner.name}` has two names")
                found.setdefault(name, []).append(self.kind(value, method))
            case ast.Attribute() | ast.Subscript() if root_name(target) == "self":
                if not isinstance(value, ast.Call | ast.Constant):
                    raise Twice(f"`{ast.unparse(target)}` of `{owner.name}` may be a part of two modules")
                found.setdefault(_first_attribute(target), []).append(self.kind(value, method))
            case ast.Tuple(elts=elements):
                values = value.elts if isinstance(value, ast.Tuple) and len(value.elts) == len(elements) else None
                for place, element in enumerate(elements):
                    if values is not None:
                        self._assigned(element, values[place], method, found, owner)
                    elif isinstance(element, ast.Attribute) and root_name(element) == "self":
                        found.setdefault(element.attr, []).append(Kind.UNKNOWN)


def _keeps(value: ast.expr, name: str) -> bool:
    """Whether ``x = x.to(device)`` and the like: the name goes on standing for the same module."""
    match value:
        case ast.Call(func=ast.Attribute(value=inner, attr=how)) if how in _KEEPS:
            return _keeps(inner, name)
        case ast.Name(id=other):
            return other == name
    return False


def _method_argument(function: ast.FunctionDef | ast.AsyncFunctionDef, call: ast.Call, name: str) -> ast.expr | None:
    """What a call of a bound method, or of the class, passes for a parameter."""
    if parameter_names(function)[:1] == [name]:
        return None
    bound = ast.Call(call.func, [ast.Constant(None), *call.args], call.keywords)
    return bound_argument(function, bound, name)


def _first_attribute(node: ast.expr) -> str:
    """``a`` of ``self.a.b[0]``."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            return node.attr
        node = node.value
    return ""


def kind_of(roles: Roles, node: ast.expr, scope: Scope) -> Kind:
    """What a value is to autocast; UNKNOWN when it may use a weight twice, too."""
    try:
        return _Reader(roles).kind(node, scope, whole=True)
    except Twice:
        return Kind.UNKNOWN
