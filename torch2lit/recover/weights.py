"""Whether one call of a model uses each of its weights once: then it does not matter whether autocast remembers what it has cast.

Autocast casts a weight for every matrix product or convolution that it meets. The casted weight is remembered in a raw script and not
in Lightning, so the gradients of a weight that is used twice are added up in another precision. Everything that is not seen to
use its weights once counts as using one twice.
"""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from enum import Enum

from .names import free_names, parameter_names
from .neighbours import Definition
from .roles import Binding, Role, Roles, bound_argument
from .syntax import Scope, Source, dotted, root_name, walk, walk_scope

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
CASTS = {
    "linear", "bilinear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
    "conv_tbc", "matmul", "mm", "bmm", "addmm", "addbmm", "baddbmm", "mv", "addmv", "dot", "inner", "outer", "einsum",
    "tensordot", "chain_matmul", "multi_dot", "prelu", "scaled_dot_product_attention", "multi_head_attention_forward",
    "kron", "cdist",
}  # fmt: skip
_ASKS = {"isinstance", "len", "type", "id", "print", "hasattr", "callable"}
_DESCRIBES = {
    "in_features",
    "out_features",
    "in_channels",
    "out_channels",
    "training",
    "embedding_dim",
    "num_embeddings",
}
_NO_SINGLE_USE = ("torchvision.models.detection.", "torchvision.models.optical_flow.")


class Kind(Enum):
    """What a value of the constructor is to autocast."""

    PLAIN = "no weights"
    FREE = "a module without weights that are cast"
    WEIGHT = "a parameter"
    MODULE = "a module of its own"
    MANY = "modules of their own"
    UNKNOWN = "not known"


class _Twice(Exception):
    """A weight may be used twice; the text says which."""


def used_twice(roles: Roles, model: ast.expr, scope: Scope, method: str = "forward") -> str:
    """Why one call of a model may use a weight twice; "" when it surely does not."""
    try:
        reader = _Reader(roles)
        reader.check_file(roles.source)
        if reader.kind(model, scope, method, whole=True) in (Kind.UNKNOWN, Kind.PLAIN, Kind.WEIGHT):
            return f"the weights of `{ast.unparse(model)}` cannot be seen"
    except _Twice as reason:
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
                    raise _Twice(f"`{ast.unparse(statement)[:60]}` ties weights")
                if isinstance(target.value, ast.Name) and target.value.id == "self":
                    continue
                is_model = self.roles.role(scope, root_name(target)) is Role.MODEL
                if is_model and self.kind(statement.value, scope) in (Kind.UNKNOWN, Kind.WEIGHT):
                    raise _Twice(f"`{ast.unparse(statement)[:60]}` changes the model")
        for call in source.calls:
            last = dotted(call.func).rpartition(".")[2]
            if last in ("register_forward_hook", "register_forward_pre_hook", "tie_weights", "add_module", "setattr"):
                raise _Twice(f"`{last}` changes what the model does")

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
                    raise _Twice(f"`{ast.unparse(node)[:60]}` repeats modules")
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

    def _name(self, name: str, scope: Scope, method: str, whole: bool) -> Kind:
        key = self.roles.key(scope, name)
        if key is None or key[1] in self.roles.global_writes:
            return Kind.UNKNOWN
        owner = key[0]
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
            raise _Twice(f"`{name}` may be a part of the model in two places")
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
                reads += 2 if self._repeated(node, owner) else 1
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
            raise _Twice(f"`{last}` wraps the model")
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
                raise _Twice(f"the parts of `{ast.unparse(node)[:60]}` cannot be seen")
            return Kind.MANY
        if name in _RECURRENT:
            raise _Twice(f"`nn.{name}` uses its weights once per step in time")
        if name == "Parameter":
            return Kind.WEIGHT
        if name in _FREE or name.endswith("Loss"):
            return Kind.FREE
        if name in _WEIGHTED:
            return Kind.MODULE
        raise _Twice(f"it is not known how `nn.{name}` uses its weights")

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
            raise _Twice(f"`{full}` cannot be seen")
        source = Source(text)
        reader = _Reader(Roles(source, neighbours.beside(found.file)), self.open)
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
            raise _Twice(f"`{definition.name}` holds objects of its own class")
        self.open = (*self.open, definition.name)
        methods = self._methods(definition)
        attributes = self._attributes(definition, methods)
        self.open = self.open[:-1]
        if start in methods:
            uses = _Uses(self, definition, methods, attributes).of(start)
            twice = sorted(name for name, times in uses.items() if times > 1)
            if twice:
                raise _Twice(f"`self.{twice[0]}` of `{definition.name}` may be used twice in `{start}`")
        elif start != "forward" or not self._is_sequence(definition):
            raise _Twice(f"`{definition.name}.{start}` cannot be seen")
        self.checked.add((definition, start))

    def _is_sequence(self, definition: ast.ClassDef) -> bool:
        return any(self.roles.full_name(b).endswith("nn.Sequential") for b in definition.bases)

    def _methods(self, definition: ast.ClassDef) -> dict[str, ast.FunctionDef]:
        methods: dict[str, ast.FunctionDef] = {}
        for base in definition.bases:
            full = self.roles.full_name(base)
            if full in self.source.classes and self.source.classes[full] is not definition:
                above = self._methods(self.source.classes[full])
                methods |= above
            elif not full.endswith(("nn.Module", "nn.Sequential")) and full != "Module":
                raise _Twice(f"the base class `{ast.unparse(base)}` of `{definition.name}` cannot be seen")
        if definition.decorator_list:
            raise _Twice(f"`{definition.name}` is decorated")
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
                            raise _Twice(f"the parts of `{definition.name}` cannot be seen")
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
                        raise _Twice(f"`{ast.unparse(value)}` of `{owner.name}` has two names")
                found.setdefault(name, []).append(self.kind(value, method))
            case ast.Attribute() | ast.Subscript() if root_name(target) == "self":
                if not isinstance(value, ast.Call | ast.Constant):
                    raise _Twice(f"`{ast.unparse(target)}` of `{owner.name}` may be a part of two modules")
                found.setdefault(_first_attribute(target), []).append(self.kind(value, method))
            case ast.Tuple(elts=elements):
                values = value.elts if isinstance(value, ast.Tuple) and len(value.elts) == len(elements) else None
                for place, element in enumerate(elements):
                    if values is not None:
                        self._assigned(element, values[place], method, found, owner)
                    elif isinstance(element, ast.Attribute) and root_name(element) == "self":
                        found.setdefault(element.attr, []).append(Kind.UNKNOWN)

    def _repeated(self, node: ast.AST, inside: ast.AST) -> bool:
        """Whether a node may run several times in one run of a function."""
        child: ast.AST = node
        for ancestor in self.source.ancestors(node):
            if ancestor is inside:
                return False
            if isinstance(ancestor, ast.For) and child is not ancestor.iter:
                return True
            if isinstance(ancestor, ast.While | ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef):
                return True
            if isinstance(ancestor, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
                first = ancestor.generators[0]
                if child is not first or not any(n is node for n in walk(first.iter)):
                    return True
            child = ancestor
        return False


class _Uses:
    """Counts how often a method uses each attribute that holds weights."""

    def __init__(
        self, reader: _Reader, owner: ast.ClassDef, methods: dict[str, ast.FunctionDef], attributes: dict[str, Kind]
    ) -> None:
        self.reader = reader
        self.owner = owner
        self.methods = methods
        self.attributes = attributes
        self.parents = reader.source.parents
        self.open: list[str] = []

    def of(self, name: str) -> Counter[str]:
        """The uses in one run of a method, those of the methods that it calls included."""
        if name in self.open:
            raise _Twice(f"`{name}` of `{self.owner.name}` calls itself")
        self.open.append(name)
        method = self.methods[name]
        uses: Counter[str] = Counter()
        for node in walk(method):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                uses.update(self._of_name(node, method))
        self.open.pop()
        return uses

    def _of_name(self, node: ast.Name, method: ast.FunctionDef) -> dict[str, int]:
        parent = self.parents.get(node)
        if node.id == "self":
            if not isinstance(parent, ast.Attribute):
                raise _Twice(f"`{self.owner.name}` hands itself on")
            return self._of_attribute(parent, method)
        if node.id == "super":
            raise _Twice(f"`{self.owner.name}` runs a method of its base class")
        roles = self.reader.roles
        if roles.role(method, node.id) is Role.MODEL and roles.key(method, node.id) not in self._elements(method):
            key = roles.key(method, node.id)
            if key is not None and key[0] is not method:
                raise _Twice(f"`{node.id}` is a module outside of `{self.owner.name}`")
        if isinstance(parent, ast.Call) and parent.func is node:
            self._called_name(node, method)
        return {}

    def _called_name(self, node: ast.Name, method: ast.FunctionDef) -> None:
        roles = self.reader.roles
        key = roles.key(method, node.id)
        if key is None or node.id in roles.origins or node.id in self.reader.source.classes:
            return
        function = self.reader.source.function(node.id)
        if function is not None and key[0] is self.reader.source.tree:
            if any(roles.role(function, n) is Role.MODEL for n in sorted(free_names(function))):
                raise _Twice(f"`{node.id}` runs a module itself")
            return
        if key in self._elements(method):
            reads = [
                n for n in walk(method) if isinstance(n, ast.Name) and n.id == node.id and isinstance(n.ctx, ast.Load)
            ]
            loops = [a for a in self.reader.source.ancestors(node) if isinstance(a, ast.For | ast.While | ast.ListComp)]
            if len(reads) == 1 and len(loops) == 1:
                return
        raise _Twice(f"it cannot be seen what `{node.id}` in `{self.owner.name}` runs")

    def _elements(self, method: ast.FunctionDef) -> set[tuple[Scope, str]]:
        """The names that stand for the modules of a list, one after the other."""
        found: set[tuple[Scope, str]] = set()
        for node in walk(method):
            if isinstance(node, ast.For | ast.comprehension):
                lists, names = _zipped(node.iter, node.target)
                for each, name in zip(lists, names, strict=True):
                    attribute = each.attr if isinstance(each, ast.Attribute) and root_name(each) == "self" else ""
                    if self.attributes.get(attribute) is Kind.MANY and isinstance(name, ast.Name):
                        found.add((method, name.id))
        return found

    def _of_attribute(self, node: ast.Attribute, method: ast.FunctionDef) -> dict[str, int]:
        name = node.attr
        parent = self.parents[node]
        times = 2 if self.reader._repeated(node, method) else 1
        if name in self.methods:
            if not isinstance(parent, ast.Call) or parent.func is not node:
                raise _Twice(f"`self.{name}` of `{self.owner.name}` is handed on")
            return {n: t * times for n, t in self.of(name).items()}
        kind = self.attributes.get(name, Kind.PLAIN if name == "training" else Kind.UNKNOWN)
        if kind is Kind.FREE or kind is Kind.PLAIN or _only_asked(node, parent):
            return {}
        if kind is Kind.UNKNOWN or kind is Kind.WEIGHT:
            return self._of_tensor(node, parent, kind, times, method)
        if isinstance(parent, ast.Call) and parent.func is node:
            return {name: times}
        if isinstance(parent, ast.Attribute):
            if parent.attr in _DESCRIBES:
                return {}
            called = isinstance(self.parents[parent], ast.Call) and self.parents[parent].func is parent  # type: ignore[attr-defined]
            if called and parent.attr != "forward":
                raise _Twice(f"`self.{name}.{parent.attr}` of `{self.owner.name}` cannot be seen")
            return {name: times}
        if kind is Kind.MANY:
            if self._is_looped_over(node):
                return {name: times}
            if isinstance(parent, ast.Subscript) and parent.value is node:
                return self._of_element(name, parent, method)
        raise _Twice(f"`self.{name}` of `{self.owner.name}` is handed on")

    def _is_looped_over(self, node: ast.Attribute) -> bool:
        for ancestor in self.reader.source.ancestors(node):
            if isinstance(ancestor, ast.For | ast.comprehension):
                return any(each is node for each in _zipped(ancestor.iter, ancestor.target)[0])
            if isinstance(ancestor, ast.stmt):
                return False
        return False

    def _of_element(self, name: str, node: ast.Subscript, method: ast.FunctionDef) -> dict[str, int]:
        """``self.layers[i](x)`` in a loop over numbers runs each of them once."""
        parent = self.parents[node]
        if not (isinstance(parent, ast.Call) and parent.func is node):
            raise _Twice(f"`self.{name}` of `{self.owner.name}` is handed on")
        loops = [
            a
            for a in self.reader.source.ancestors(node)
            if isinstance(a, ast.For | ast.While | ast.Lambda | ast.ListComp | ast.GeneratorExp)
        ]
        if not loops and isinstance(node.slice, ast.Constant):
            return {f"{name}[{node.slice.value!r}]": 1}
        if len(loops) == 1 and isinstance(loops[0], ast.For) and isinstance(node.slice, ast.Name):
            if _counts(loops[0], node.slice.id):
                return {name: 1}
        raise _Twice(f"`self.{name}` of `{self.owner.name}` may run one of its modules twice")

    def _of_tensor(
        self, node: ast.Attribute, parent: ast.AST, kind: Kind, times: int, method: ast.FunctionDef
    ) -> dict[str, int]:
        """A parameter counts where it is multiplied by a matrix; anything that is not known counts as one."""
        name = node.attr
        if isinstance(parent, ast.Call) and parent.func is node:
            raise _Twice(f"it cannot be seen what `self.{name}` of `{self.owner.name}` is")
        if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.MatMult):
            return {name: times}
        if isinstance(parent, ast.Attribute):
            return {name: times} if parent.attr in CASTS else {}
        if isinstance(parent, ast.Call):
            full = self.reader.roles.full_name(parent.func)
            last = parent.func.attr if isinstance(parent.func, ast.Attribute) else full
            if last in CASTS:
                return {name: times}
            of_torch = full.startswith(("torch.", "math.")) or isinstance(parent.func, ast.Attribute)
            plain = self.reader.roles.key(method, full) is None and "." not in full
            if kind is Kind.WEIGHT and not (of_torch or plain):
                raise _Twice(f"`self.{name}` of `{self.owner.name}` is handed on")
            return {}
        if isinstance(parent, ast.Assign) and parent.value is node:
            raise _Twice(f"`self.{name}` of `{self.owner.name}` has two names")
        if isinstance(parent, ast.For | ast.comprehension):
            raise _Twice(f"it cannot be seen what is in `self.{name}` of `{self.owner.name}`")
        return {}


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


def _only_asked(node: ast.Attribute, parent: ast.AST) -> bool:
    """Whether it is only looked at: is it None, is it set, how many are there?"""
    match parent:
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            return True
        case ast.If(test=test) | ast.IfExp(test=test):
            return test is node
        case ast.Call(func=ast.Name(id=name)):
            return name in _ASKS
    return False


def _zipped(iterable: ast.expr, target: ast.expr) -> tuple[list[ast.expr], list[ast.expr]]:
    """The lists that a loop runs over in parallel, and the name of each one's element."""
    match iterable:
        case ast.Call(func=ast.Name(id="enumerate"), args=[inner, *_]):
            if isinstance(target, ast.Tuple) and len(target.elts) == 2:
                return _zipped(inner, target.elts[1])
        case ast.Call(func=ast.Name(id="zip"), args=arguments):
            if isinstance(target, ast.Tuple) and len(target.elts) == len(arguments):
                pairs = [_zipped(a, t) for a, t in zip(arguments, target.elts, strict=True)]
                return [e for p in pairs for e in p[0]], [e for p in pairs for e in p[1]]
        case ast.Call(func=ast.Name(id="reversed"), args=[inner]):
            return _zipped(inner, target)
        case ast.Attribute():
            return [iterable], [target]
    return [], []


def _counts(loop: ast.For, name: str) -> bool:
    """Whether a name takes each number once in a loop."""
    target = loop.target
    match loop.iter:
        case ast.Call(func=ast.Name(id="range")):
            counter = target
        case ast.Call(func=ast.Name(id="enumerate")) if isinstance(target, ast.Tuple):
            counter = target.elts[0]
        case _:
            return False
    rebound = any(
        isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store) for s in loop.body for n in walk(s)
    )
    return isinstance(counter, ast.Name) and counter.id == name and not rebound


def kind_of(roles: Roles, node: ast.expr, scope: Scope) -> Kind:
    """What a value is to autocast; UNKNOWN when it may use a weight twice, too."""
    try:
        return _Reader(roles).kind(node, scope, whole=True)
    except _Twice:
        return Kind.UNKNOWN


def runs_no_module(roles: Roles, function: ast.expr) -> bool:
    """Whether a function of a file beside the script has only its arguments to work with, no object of its file."""
    found = roles.neighbours.definition(roles.full_name(function)) if roles.neighbours is not None else None
    tree = roles.neighbours.tree(found.file) if roles.neighbours is not None and found is not None else None
    if found is None or tree is None or not isinstance(found.node, ast.FunctionDef):
        return False
    functions = {s.name: s for s in tree.body if isinstance(s, ast.FunctionDef)}
    defined = {(a.asname or a.name).split(".")[0] for s in tree.body if isinstance(s, ast.Import) for a in s.names}
    defined |= {
        a.asname or a.name for s in tree.body if isinstance(s, ast.ImportFrom) and _is_of_torch(s) for a in s.names
    }
    waiting, seen = [found.node], {found.node.name}
    while waiting:
        for name in sorted(free_names(waiting.pop())):
            if name in functions:
                if name not in seen:
                    seen.add(name)
                    waiting.append(functions[name])
            elif name not in defined and not hasattr(builtins, name):
                return False
    return True


def _is_of_torch(statement: ast.ImportFrom) -> bool:
    return statement.level == 0 and (statement.module or "").partition(".")[0] in ("torch", "typing", "math")
