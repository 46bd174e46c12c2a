"""Is a value surely a tensor, or a graph of DGL or PyTorch Geometric? By how it is made, and never by what it is called.

A `DataLoader` hands both on as they are, and Lightning leaves them alone where they are on its device already.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .bindings import Binding
from .names import bound_names, parameter_names
from .own_classes import own_class
from .roles import Key, Roles
from .syntax import Scope, blocks, walk, walk_scope

_DEEPEST = 12
_MAKERS = {
    "arange", "as_tensor", "bernoulli", "cat", "cos", "empty", "empty_like", "eye", "exp", "flatten", "from_numpy", "full",
    "full_like", "hstack", "linspace", "log", "logspace", "normal", "ones", "ones_like", "pow", "rand", "rand_like", "randint",
    "randn", "randn_like", "randperm", "reshape", "sigmoid", "sin", "sparse_coo_tensor", "sqrt", "squeeze", "stack", "tanh",
    "tensor", "tril", "triu", "unsqueeze", "vstack", "zeros", "zeros_like", "Tensor", "FloatTensor", "DoubleTensor",
    "HalfTensor", "LongTensor", "IntTensor", "BoolTensor", "ByteTensor", "sparse.FloatTensor", "autograd.Variable", "nn.Parameter", "nn.functional.one_hot", "nn.functional.normalize", "nn.functional.pad",
}  # fmt: skip
"""Functions of torch's whose result is one tensor, whatever they get."""
_METHODS = {
    "abs", "add", "argmax", "bool", "byte", "clamp", "clone", "coalesce", "contiguous", "cpu", "cuda", "detach", "div",
    "double", "eq", "exp", "expand", "expand_as", "fill_", "flatten", "float", "ge", "gt", "half", "index_select", "int",
    "le", "log", "long", "lt", "matmul", "mean", "mm", "mul", "mul_", "narrow", "ne", "normal_", "permute", "pow",
    "repeat", "requires_grad_", "reshape", "round", "sigmoid", "sin", "sqrt", "squeeze", "squeeze_", "std", "sub", "sum",
    "t", "tanh", "to", "to_dense", "to_sparse", "transpose", "type_as", "uniform_", "unsqueeze", "unsqueeze_", "view",
    "view_as", "zero_",
}  # fmt: skip
"""Methods of a tensor whose result is one tensor."""
_PARTS = {"T", "mT", "H", "data"}
_GRAPH_METHODS = {"to", "int", "long", "cuda", "cpu"}
_FEATURES = {"ndata", "edata", "srcdata", "dstdata"}
_OF_DATA = {"x", "y", "edge_index", "edge_attr", "edge_weight", "train_mask", "val_mask", "test_mask"}
_PARTS_OF = {"dgl": _FEATURES, "torch_geometric": {"edge_index"}}


class Tensors:
    """Proves it for the values of one program, as they are at a statement."""

    def __init__(self, roles: Roles) -> None:
        self.roles, self.source = roles, roles.source
        self.packages = {origin.partition(".")[0] for origin in roles.origins.values()}

    def surely(self, name: str, scope: Scope, place: ast.stmt) -> bool:
        """Whether a name, read in a scope, stands for a tensor or a graph at a statement of the scope."""
        return self._name(name, scope, place, 0) or self._is_graph(ast.Name(name, ast.Load()), scope, place, 0)

    def moved(self, name: str, scope: Scope, place: ast.stmt) -> bool:
        """Whether every making of it says on which device it is."""
        given = self._given(name, scope, place)
        return bool(given) and all(self._says_device(b.value) for b in given or ())

    def _says_device(self, value: ast.expr) -> bool:
        return any(
            isinstance(n, ast.Call)
            and (
                (isinstance(n.func, ast.Attribute) and n.func.attr in ("to", "cuda"))
                or any(k.arg == "device" for k in n.keywords)
            )
            for n in walk(value)
        )

    def _value(self, node: ast.expr, scope: Scope, place: ast.stmt, depth: int) -> bool:
        if depth > _DEEPEST:
            return False
        match node:
            case ast.Name(id=name):
                return self._name(name, scope, place, depth)
            case ast.Subscript(value=ast.Attribute(value=graph, attr=features), slice=ast.Constant(value=str())):
                return features in _FEATURES and self._is_graph(graph, scope, place, depth + 1)
            case ast.Attribute(value=graph, attr=part) if part in _OF_DATA:
                return "torch_geometric" in self.packages and self._is_graph(graph, scope, place, depth + 1)
            case ast.Subscript(value=inner) | ast.UnaryOp(op=ast.USub() | ast.Invert(), operand=inner):
                return self._value(inner, scope, place, depth + 1)
            case ast.Attribute(value=inner, attr=part) if part in _PARTS:
                return self._value(inner, scope, place, depth + 1)
            case ast.BinOp(left=left, right=right):
                sides = [self._value(s, scope, place, depth + 1) for s in (left, right) if not _is_number(s)]
                return bool(sides) and all(sides)
            case ast.Compare(left=left, ops=[op], comparators=[right]) if not isinstance(
                op, ast.In | ast.NotIn | ast.Is | ast.IsNot
            ):
                sides = [self._value(s, scope, place, depth + 1) for s in (left, right) if not _is_number(s)]
                return bool(sides) and all(sides)
            case ast.IfExp(body=body, orelse=other):
                return all(self._value(v, scope, place, depth + 1) for v in (body, other))
            case ast.Call():
                return self._call(node, scope, place, depth)
        return False

    def _call(self, call: ast.Call, scope: Scope, place: ast.stmt, depth: int) -> bool:
        full = self._full_name(call.func, scope)
        package, _, rest = full.partition(".")
        if package == "torch" and rest in _MAKERS:
            return not any(k.arg == "out" for k in call.keywords)
        if (own := self.roles.function_named(full) if full else None) is not None:
            return self._returned(own[0], own[1], None, depth)
        if isinstance(call.func, ast.Attribute):
            known = call.func.attr in _METHODS or (call.func.attr == "type" and bool(call.args or call.keywords))
            return known and self._value(call.func.value, scope, place, depth + 1)
        return False

    def _full_name(self, function: ast.expr, scope: Scope) -> str:
        """The full name of what is called, "" for a method of something."""
        full = self.roles.full_name(function)
        imported = full.partition(".")[0] in self.packages
        return full if imported or isinstance(function, ast.Name) else ""

    def _returned(self, function: ast.FunctionDef, roles: Roles, index: int | None, depth: int) -> bool:
        """Whether a function of the project gives a tensor in every case, or at a place of the tuple that it gives."""
        if any(isinstance(n, ast.Yield | ast.YieldFrom) for n in walk_scope(function.body)) or function.decorator_list:
            return False
        there = self if roles is self.roles else Tensors(roles)
        found = []
        for node in walk_scope(function.body):
            if isinstance(node, ast.Return):
                value = node.value
                if index is not None:
                    whole = isinstance(value, ast.Tuple | ast.List) and index < len(value.elts)
                    value = value.elts[index] if whole else None  # type: ignore[union-attr]
                found.append(value is not None and there._value(value, function, node, depth + 1))
        return bool(found) and all(found)

    def _name(self, name: str, scope: Scope, place: ast.stmt, depth: int) -> bool:
        if depth > _DEEPEST:
            return False
        given = self._given(name, scope, place)
        if given is None:
            return self._parameter(name, scope, depth)
        return bool(given) and all(self._binding(b, self.source.scope_of(b.statement), depth) for b in given)

    def _parameter(self, name: str, scope: Scope, depth: int) -> bool:
        """Whether every call of the file passes a tensor for a parameter that keeps what it was given."""
        if isinstance(scope, ast.Module) or name not in parameter_names(scope) or self.roles.bindings((scope, name)):
            return False
        arguments = self.roles.arguments(scope, name)
        return bool(arguments) and all(
            self._value(value, where, self.source.statement_of(value), depth + 1) for where, value in arguments
        )

    def _binding(self, binding: Binding, scope: Scope, depth: int) -> bool:
        value, index = binding.value, binding.index
        if index is None:
            return self._value(value, scope, binding.statement, depth + 1)
        if not isinstance(value, ast.Call) or index < 0:
            return False
        full = self._full_name(value.func, scope)
        if full == "sklearn.model_selection.train_test_split":  # it picks rows of whatever it gets
            given = [a for a in value.args if not isinstance(a, ast.Starred)]
            whole = len(given) == len(value.args) and index // 2 < len(given)
            return whole and self._value(given[index // 2], scope, binding.statement, depth + 1)
        own = self.roles.function_named(full) if full else None
        return own is not None and self._returned(own[0], own[1], index, depth)

    def _given(self, name: str, scope: Scope, place: ast.stmt) -> list[Binding] | None:
        """The bindings that may have given a name its value when a statement runs; None when others may have."""
        key = self.roles.key(scope, name)
        if key is None or self.roles.rebound_unseen(key):
            return None
        if key[0] is not scope:
            everything = self.roles.bindings(key)
            seen = bound_names(key[0].body) & {name}
            return everything if everything and seen and self._all_known(key, key[0].body) else None
        return self._before(key, place)

    def _before(self, key: Key, place: ast.stmt) -> list[Binding] | None:
        found: list[Binding] = []
        current: ast.AST = place
        while current is not key[0]:
            parent = self.source.parents[current]
            for block in blocks(parent):
                if current not in block:
                    continue
                for earlier in reversed(block[: block.index(current)]):
                    if key[1] not in bound_names([earlier]):
                        continue
                    if not self._all_known(key, [earlier]):
                        return None
                    found += self._inside(key, earlier)
                    if isinstance(earlier, ast.Assign | ast.AnnAssign):
                        return found
            if isinstance(parent, ast.For | ast.While) and key[1] in bound_names([parent]):
                if not self._all_known(key, [parent]):
                    return None
                found += self._inside(key, parent)
            current = parent
        return None

    def _inside(self, key: Key, statement: ast.stmt) -> list[Binding]:
        within = {id(n) for n in walk(statement)}
        return [b for b in self.roles.bindings(key) if id(b.statement) in within]

    def _all_known(self, key: Key, statements: list[ast.stmt]) -> bool:
        """Whether only assignments bind the name among some statements: nothing else is told by `bindings`."""
        known = {id(b.statement) for s in statements for b in self._inside(key, s)}
        return all(id(s) in known for s in _binders(key[1], statements))

    def _is_graph(self, node: ast.expr, scope: Scope, place: ast.stmt, depth: int) -> bool:
        """Whether a value is a graph of a library for graphs, which alone has such parts."""
        if depth > _DEEPEST:
            return False
        match node:
            case ast.Name(id=name):
                return self._has_parts_of_graph(name, scope)
            case ast.Call(func=ast.Attribute(value=inner, attr=method)) if method in _GRAPH_METHODS:
                return self._is_graph(inner, scope, place, depth + 1)
        return False

    def _has_parts_of_graph(self, name: str, scope: Scope) -> bool:
        key = self.roles.key(scope, name)
        if key is None or own_class(self.roles, ast.Name(name, ast.Load()), scope) is not None:
            return False
        parts = {part for package, own in _PARTS_OF.items() if package in self.packages for part in own}
        return any(
            isinstance(node.value, ast.Name)
            and node.value.id == name
            and node.attr in parts
            and self.roles.key(self.source.scope_of(node), name) == key
            for node in self.source.all(ast.Attribute)
        )


def _binders(name: str, statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The innermost statements that bind a name."""
    for statement in statements:
        inner = [s for block in blocks(statement) for s in block if not isinstance(statement, _SCOPES)]
        below = name in bound_names(inner) if inner else False
        if below:
            yield from _binders(name, inner)
        if not below and name in bound_names([statement]):
            yield statement


_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _is_number(node: ast.expr) -> bool:
    match node:
        case ast.UnaryOp(operand=operand):
            return _is_number(operand)
        case ast.BinOp(left=left, right=right):
            return _is_number(left) and _is_number(right)
        case ast.Constant(value=value):
            return isinstance(value, int | float)
    return False


def may_use_gpu(tree: ast.AST) -> bool:
    """Whether the script names another device than the processor, or lets somebody choose one."""
    for node in walk(tree):
        match node:
            case ast.Name(id="device") | ast.Attribute(attr="cuda" | "device" | "mps" | "xpu"):
                return True
            case ast.Constant(value=str() as text) if text.partition(":")[0] in ("cuda", "mps", "xpu"):
                return True
    return False
