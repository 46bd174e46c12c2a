"""How often one run of a method uses each of its object's weights."""

from __future__ import annotations

import ast
from collections import Counter

from .names import free_names
from .roles import Role, Roles
from .syntax import Scope, Source, root_name, walk
from .weight_kinds import CASTS, Kind, Twice

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


class Uses:
    """Counts how often a method uses each attribute that holds weights."""

    def __init__(
        self, roles: Roles, owner: ast.ClassDef, methods: dict[str, ast.FunctionDef], attributes: dict[str, Kind]
    ) -> None:
        self.roles = roles
        self.source = roles.source
        self.owner = owner
        self.methods = methods
        self.attributes = attributes
        self.parents = roles.source.parents
        self.open: list[str] = []

    def of(self, name: str) -> Counter[str]:
        """The uses in one run of a method, those of the methods that it calls included."""
        if name in self.open:
            raise Twice(f"`{name}` of `{self.owner.name}` calls itself")
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
                raise Twice(f"`{self.owner.name}` hands itself on")
            return self._of_attribute(parent, method)
        if node.id == "super":
            raise Twice(f"`{self.owner.name}` runs a method of its base class")
        roles = self.roles
        if roles.role(method, node.id) is Role.MODEL and roles.key(method, node.id) not in self._elements(method):
            key = roles.key(method, node.id)
            if key is not None and key[0] is not method:
                raise Twice(f"`{node.id}` is a module outside of `{self.owner.name}`")
        if isinstance(parent, ast.Call) and parent.func is node:
            self._called_name(node, method)
        return {}

    def _called_name(self, node: ast.Name, method: ast.FunctionDef) -> None:
        roles = self.roles
        key = roles.key(method, node.id)
        if key is None or node.id in roles.origins or node.id in self.source.classes:
            return
        function = self.source.function(node.id)
        if function is not None and key[0] is self.source.tree:
            if any(roles.role(function, n) is Role.MODEL for n in sorted(free_names(function))):
                raise Twice(f"`{node.id}` runs a module itself")
            return
        if key in self._elements(method):
            reads = [
                n for n in walk(method) if isinstance(n, ast.Name) and n.id == node.id and isinstance(n.ctx, ast.Load)
            ]
            loops = [a for a in self.source.ancestors(node) if isinstance(a, ast.For | ast.While | ast.ListComp)]
            if len(reads) == 1 and len(loops) == 1:
                return
        raise Twice(f"it cannot be seen what `{node.id}` in `{self.owner.name}` runs")

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
        times = 2 if repeated(self.source, node, method) else 1
        if name in self.methods:
            if not isinstance(parent, ast.Call) or parent.func is not node:
                raise Twice(f"`self.{name}` of `{self.owner.name}` is handed on")
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
                raise Twice(f"`self.{name}.{parent.attr}` of `{self.owner.name}` cannot be seen")
            return {name: times}
        if kind is Kind.MANY:
            if self._is_looped_over(node):
                return {name: times}
            if isinstance(parent, ast.Subscript) and parent.value is node:
                return self._of_element(name, parent, method)
        raise Twice(f"`self.{name}` of `{self.owner.name}` is handed on")

    def _is_looped_over(self, node: ast.Attribute) -> bool:
        for ancestor in self.source.ancestors(node):
            if isinstance(ancestor, ast.For | ast.comprehension):
                return any(each is node for each in _zipped(ancestor.iter, ancestor.target)[0])
            if isinstance(ancestor, ast.stmt):
                return False
        return False

    def _of_element(self, name: str, node: ast.Subscript, method: ast.FunctionDef) -> dict[str, int]:
        """``self.layers[i](x)`` in a loop over numbers runs each of them once."""
        parent = self.parents[node]
        if not (isinstance(parent, ast.Call) and parent.func is node):
            raise Twice(f"`self.{name}` of `{self.owner.name}` is handed on")
        loops = [
            a
            for a in self.source.ancestors(node)
            if isinstance(a, ast.For | ast.While | ast.Lambda | ast.ListComp | ast.GeneratorExp)
        ]
        if not loops and isinstance(node.slice, ast.Constant):
            return {f"{name}[{node.slice.value!r}]": 1}
        if len(loops) == 1 and isinstance(loops[0], ast.For) and isinstance(node.slice, ast.Name):
            if _counts(loops[0], node.slice.id):
                return {name: 1}
        raise Twice(f"`self.{name}` of `{self.owner.name}` may run one of its modules twice")

    def _of_tensor(
        self, node: ast.Attribute, parent: ast.AST, kind: Kind, times: int, method: ast.FunctionDef
    ) -> dict[str, int]:
        """A parameter counts where it is multiplied by a matrix; anything that is not known counts as one."""
        name = node.attr
        if isinstance(parent, ast.Call) and parent.func is node:
            raise Twice(f"it cannot be seen what `self.{name}` of `{self.owner.name}` is")
        if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.MatMult):
            return {name: times}
        if isinstance(parent, ast.Attribute):
            return {name: times} if parent.attr in CASTS else {}
        if isinstance(parent, ast.Call):
            full = self.roles.full_name(parent.func)
            last = parent.func.attr if isinstance(parent.func, ast.Attribute) else full
            if last in CASTS:
                return {name: times}
            of_torch = full.startswith(("torch.", "math.")) or isinstance(parent.func, ast.Attribute)
            plain = self.roles.key(method, full) is None and "." not in full
            if kind is Kind.WEIGHT and not (of_torch or plain):
                raise Twice(f"`self.{name}` of `{self.owner.name}` is handed on")
            return {}
        if isinstance(parent, ast.Assign) and parent.value is node:
            raise Twice(f"`self.{name}` of `{self.owner.name}` has two names")
        if isinstance(parent, ast.For | ast.comprehension):
            raise Twice(f"it cannot be seen what is in `self.{name}` of `{self.owner.name}`")
        return {}


def repeated(source: Source, node: ast.AST, inside: ast.AST) -> bool:
    """Whether a node may run several times in one run of a function."""
    child: ast.AST = node
    for ancestor in source.ancestors(node):
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
