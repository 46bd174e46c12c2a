"""What is added to a sum, as the double that `self.log` takes: the tensor itself where it surely is one, so that no batch waits for it."""

from __future__ import annotations

import ast

from ...recover.items import Item
from ...recover.makings import Value, makings, sources
from ...recover.role import Role
from ...recover.syntax import walk
from ..draft import Draft
from ..idioms import StatementSite
from ..settled_numbers import SettledNumbers

_DEPTH = 6
_ONE_TENSOR = ("_loss", "cross_entropy", "binary_cross_entropy_with_logits", "binary_cross_entropy")
_ONE_OF_TORCH = {"torch.argmax", "torch.eq", "torch.sum", "torch.mean", "torch.abs"}
_TAKES_OUT = {"item", "numpy", "tolist"}
_KEEPS = {"argmax", "cpu", "detach", "double", "eq", "float", "int", "long", "mean", "ne", "squeeze", "sum", "view"}


class Values:
    """Answers for one item of a step."""

    def __init__(self, draft: Draft, item: Item, hook: str) -> None:
        self.draft, self.item, self.scope = draft, item, item.frame.scope
        self.site = StatementSite(draft, item, item.node, hook)
        self.numbers = SettledNumbers(draft)

    def is_number(self, node: ast.expr) -> bool:
        """Whether the expression surely gives a number of Python's."""
        return self.numbers.surely(node, self.scope) or self._has_become_one(node)

    def _has_become_one(self, node: ast.expr) -> bool:
        """Whether the name has a number from a statement right above, whatever it had before: ``loss = loss.item()``."""
        if not isinstance(node, ast.Name):
            return False
        roles, source = self.draft.roles, self.draft.source
        key = roles.key(self.scope, node.id)
        if key is None or key[0] is not self.scope or roles.rebound_unseen(key) or node not in source.parents:
            return False
        statement = source.statement_of(node)
        block = source.block_of(statement)
        for above in reversed(block[: block.index(statement)]):
            if any(
                isinstance(n, ast.Name) and n.id == node.id and not isinstance(n.ctx, ast.Load) for n in walk(above)
            ):
                return (
                    isinstance(above, ast.Assign)
                    and all(isinstance(t, ast.Name) for t in above.targets)
                    and self.numbers.surely(above.value, self.scope)
                )
        return False

    def double(self, node: ast.expr) -> str:
        """A number as a tensor of double precision, in the script's own names; "" where torch has no name in the file."""
        match node:
            case ast.Call(func=ast.Attribute(value=inner, attr="item"), args=[], keywords=[]) if self.is_tensor(inner):
                text = self.text(inner)
                plain = isinstance(inner, ast.Name | ast.Call | ast.Attribute | ast.Subscript)
                return f"{text}.double()" if plain else f"({text}).double()"
        torch = next((n for n, origin in self.draft.roles.origins.items() if origin == "torch"), "")
        return f"{torch}.tensor({self.text(node)}, dtype={torch}.float64)" if torch else ""

    def source(self, node: ast.expr) -> str:
        """A number as a metric object takes it: the tensor itself where it surely is one."""
        match node:
            case ast.Call(func=ast.Attribute(value=inner, attr="item"), args=[], keywords=[]) if self.is_tensor(inner):
                return self.text(inner)
        return self.text(node)

    def is_tensor(self, node: ast.expr, depth: int = 0) -> bool:
        """Whether it surely is a tensor: the loss that runs backward, what a loss of torch's gives, and what tensors' methods make of it."""
        if depth > _DEPTH:
            return False
        match node:
            case ast.Name(id=name):
                return (self.site.is_loss(node) and not self._leaves_torch(name)) or self._name(name, depth)
            case ast.Call(func=ast.Attribute(value=inner, attr=method)) if method in _KEEPS and self.is_tensor(
                inner, depth + 1
            ):
                return True
            case ast.Attribute(value=inner, attr="data"):
                return self.is_tensor(inner, depth + 1)
            case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq()], comparators=[right]):
                return self.is_tensor(left, depth + 1) or self.is_tensor(right, depth + 1)
            case ast.Subscript(value=ast.Call(func=ast.Attribute(value=inner, attr="max" | "topk"), args=[_, *_])):
                return self._is_torch(inner) or self.is_tensor(inner, depth + 1)
            case ast.Call(func=function):
                return self._is_loss(node) or self.draft.roles.full_name(function) in _ONE_OF_TORCH
        return False

    def _name(self, name: str, depth: int) -> bool:
        key = self.draft.roles.key(self.scope, name)
        if key is None or key[0] is not self.scope or self.draft.roles.rebound_unseen(key):
            return False
        bound = self.draft.roles.bindings(key)
        if len(bound) == 1 and self._is_taken_by_torch(name):
            return True
        return bool(bound) and all(self._is_bound(b.value, b.index, depth + 1) for b in bound)

    def _is_bound(self, value: ast.expr, index: int | None, depth: int) -> bool:
        """Whether a value that a name gets, or the part of it, is a tensor."""
        match value:
            case ast.Call(func=ast.Attribute(value=inner, attr="max" | "topk"), args=[_, *_]) if index is not None:
                return self._is_torch(inner) or self.is_tensor(inner, depth)
        return index is None and self.is_tensor(value, depth)

    def _is_torch(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and self.draft.roles.full_name(node) == "torch"

    def _is_taken_by_torch(self, name: str) -> bool:
        """Whether a loss of torch's gets the name's one value, which takes nothing but tensors."""
        calls = [c for c in self.draft.source.calls if self.draft.source.scope_of(c) is self.scope]
        given = [c for c in calls if any(isinstance(a, ast.Name) and a.id == name for a in c.args[:2])]
        return any(self._is_loss(c) for c in given)

    def _is_loss(self, call: ast.Call) -> bool:
        full = self.draft.roles.full_name(call.func)
        if full.startswith("torch.nn.functional."):
            return full.endswith(_ONE_TENSOR)
        return self.draft.roles.of(call.func, self.scope) is Role.CRITERION and self._is_torch_loss(call.func)

    def is_loss(self, node: ast.expr) -> bool:
        """Whether it surely is a loss that gradients flow from, or that a loss of torch's gives: a tensor of decimals."""
        if isinstance(node, ast.Name):
            return self.site.is_loss(node) and not self._leaves_torch(node.id)
        return isinstance(node, ast.Call) and self._is_loss(node)

    def _leaves_torch(self, name: str) -> bool:
        """Whether some value of the name is taken out of a tensor."""
        key = self.draft.roles.key(self.scope, name)
        values = [b.value for b in self.draft.roles.bindings(key)] if key is not None else []
        calls = [n.func for v in values for n in ast.walk(v) if isinstance(n, ast.Call)]
        return any(isinstance(f, ast.Attribute) and f.attr in _TAKES_OUT for f in calls)

    def _is_torch_loss(self, function: ast.expr) -> bool:
        value = Value(function, self.scope, self.draft.roles)
        made = [m for m in makings(value) if m.full_name.startswith("torch.nn.") and m.full_name.endswith("Loss")]
        return bool(made) and len(made) == len(sources(value))

    def is_whole(self, node: ast.expr) -> bool:
        """Whether the number surely is one of Python's whole ones."""
        match node:
            case ast.Constant(value=value):
                return type(value) is int
            case ast.Call(func=ast.Name(id="len"), args=[_]):
                return self.draft.roles.key(self.scope, "len") is None
            case ast.Call(func=ast.Attribute(attr="size"), args=[_]):
                return self.is_number(node)
            case ast.Subscript(value=sizes):
                return self.numbers.tells_sizes(sizes) and self.is_number(node)
            case ast.Call(
                func=ast.Attribute(value=ast.Call(func=ast.Attribute(value=inner, attr="sum"), args=[]), attr="item"),
                args=[],
            ):
                return isinstance(inner, ast.Compare) or (
                    isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) and inner.func.attr == "eq"
                )
        return False

    def is_count(self, node: ast.expr) -> bool:
        """Whether it surely is how often two tensors agree, or do not, as a tensor of one whole number."""
        match node:
            case ast.Call(func=ast.Attribute(value=inner, attr="cpu" | "detach"), args=[], keywords=[]):
                return self.is_count(inner)
            case ast.Attribute(value=inner, attr="data"):
                return self.is_count(inner)
            case ast.Call(func=ast.Attribute(value=inner, attr="sum"), args=[], keywords=[]):
                return self._compares(inner)
            case ast.Call(func=function, args=[inner], keywords=[]):
                return self.draft.roles.full_name(function) == "torch.sum" and self._compares(inner)
        return False

    def _compares(self, node: ast.expr) -> bool:
        match node:
            case ast.Call(func=ast.Attribute(value=inner, attr="cpu" | "detach"), args=[], keywords=[]):
                return self._compares(inner)
            case ast.Attribute(value=inner, attr="data"):
                return self._compares(inner)
            case ast.Compare(ops=[ast.Eq() | ast.NotEq()]):
                return self.is_tensor(node)
            case ast.Call(func=ast.Attribute(value=inner, attr="eq" | "ne"), args=[_], keywords=[]):
                return self.is_tensor(inner)
        return False

    def text(self, node: ast.expr) -> str:
        """The source of a node, in one line."""
        text = self.draft.source.segment(node)
        return ast.unparse(node) if "\n" in text else text
