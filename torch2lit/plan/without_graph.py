"""Which values have no graph: data that no network has touched, so that ``torch.autograd.Variable`` around it does nothing.

Since PyTorch 0.4 a Variable is a tensor, and ``Variable(x)`` gives another name to the numbers of ``x``, without a graph:
https://pytorch.org/blog/pytorch-0_4_0-migration-guide/
"""

from __future__ import annotations

import ast

from ..recover.bindings import Binding
from ..recover.loops import Iterable, Loop, describe
from ..recover.makings import Value, sources
from ..recover.names import parameter_names
from ..recover.nest import Frame
from ..recover.role import Role
from ..recover.syntax import Scope, walk_scope
from .draft import Draft

VARIABLE = ("torch.autograd.Variable", "torch.autograd.variable.Variable", "torch.Variable")
_SAME_NUMBERS = frozenset(
    ["byte", "clone", "contiguous", "cpu", "cuda", "detach", "double", "expand", "fill_", "flatten", "float", "half", "int", "long", "permute",
     "repeat", "reshape", "squeeze", "t", "to", "transpose", "type", "uniform_", "normal_", "unsqueeze", "view", "zero_"]
)  # fmt: skip
_MAKERS = frozenset(
    ["arange", "empty", "eye", "from_numpy", "full", "linspace", "ones", "ones_like", "rand", "rand_like", "randint", "randn", "randn_like",
     "randperm", "tensor", "zeros", "zeros_like"]
)  # fmt: skip
_COLLECTIONS = (ast.List, ast.Tuple, ast.ListComp, ast.GeneratorExp)
_OTHERWISE = frozenset(
    ["requires_grad", "requires_grad_", "retain_grad", "grad", "backward", "resize_", "set_", "squeeze_", "swap_", "t_", "transpose_", "unsqueeze_"]
)  # fmt: skip
"""What a tensor is asked or told that would be seen under one name of the same numbers and not under another."""


class WithoutGraph:
    """Answers for one draft, in one frame. What is not known may have a graph."""

    def __init__(self, draft: Draft, frame: Frame) -> None:
        self.roles = draft.roles
        self.scope: Scope = frame.scope
        self._parameters = set() if isinstance(frame.scope, ast.Module) else set(parameter_names(frame.scope))
        self._open: list[str] = []

    def surely(self, node: ast.expr) -> bool:
        """Whether a value surely is data: of the loader, or made here of numbers."""
        match node:
            case ast.Constant():
                return True
            case ast.Name(id=name):
                return self._name(name)
            case ast.Subscript(value=value):
                return self.surely(value)
            case ast.Attribute(value=value, attr="data"):
                return True
            case ast.BinOp(left=left, right=right):
                return self.surely(left) and self.surely(right)
            case ast.Call():
                return self._call(node)
        return False

    def is_variable(self, node: ast.Call) -> bool:
        """Whether a call makes a Variable that records nothing."""
        if self.roles.full_name(node.func) not in VARIABLE or len(node.args) != 1:
            return False
        return all(k.arg in ("requires_grad", "volatile") and _is_false(k.value) for k in node.keywords)

    def _call(self, node: ast.Call) -> bool:
        if any(k.arg == "requires_grad" for k in node.keywords):
            return self.is_variable(node)
        full = self.roles.full_name(node.func)
        if full in VARIABLE:
            return True
        if full.startswith("torch."):
            return full.rpartition(".")[2] in _MAKERS or full.endswith("Tensor")
        if isinstance(node.func, ast.Name) and self._is_tensor_type(node.func.id):
            return True
        return isinstance(node.func, ast.Attribute) and node.func.attr in _SAME_NUMBERS and self.surely(node.func.value)

    def _name(self, name: str) -> bool:
        if name in self._open:
            return True  # what else it is made of decides
        key = self.roles.key(self.scope, name)
        bindings = self.roles.bindings(key) if key is not None and key[0] is self.scope else []
        if not bindings or key is None or self.roles.rebound_unseen(key) or name in self._parameters:
            return False
        self._open.append(name)
        try:
            return self._stays_data(name) and all(self._binding(one) for one in bindings)
        finally:
            self._open.pop()

    def _stays_data(self, name: str) -> bool:
        for node in walk_scope(self.scope.body):
            match node:
                case ast.Attribute(value=ast.Name(id=owner), attr=attribute) if owner == name:
                    if attribute in _OTHERWISE or not isinstance(node.ctx, ast.Load):
                        return False
                case ast.AugAssign(target=ast.Name(id=target), value=value) if target == name:
                    if not self.surely(value):
                        return False
        return True

    def _binding(self, one: Binding) -> bool:
        if isinstance(one.statement, ast.For):
            return self._gives_data(describe(one.statement, self.scope, self.roles))
        value = one.value
        if one.index is not None and isinstance(value, ast.Tuple) and 0 <= one.index < len(value.elts):
            value = value.elts[one.index]
        elif one.index is not None and not isinstance(value, ast.Name):
            return False
        return self.surely(value)

    def _gives_data(self, loop: Loop) -> bool:
        """Whether a loop runs over a loader that surely holds nothing which a network has made before."""
        made = sources(Value(loop.base, self.scope, self.roles))
        calls = [one for one in made if isinstance(one.node, ast.Call)]
        return loop.kind is Iterable.LOADER and not any(_hands_out_as_it_is(one) for one in calls)

    def _is_tensor_type(self, name: str) -> bool:
        key = self.roles.key(self.scope, name)
        bindings = self.roles.bindings(key) if key is not None else []
        types = [t for one in bindings if one.index is None for t in _arms(one.value)]
        return len(types) >= len(bindings) > 0 and all(
            (full := self.roles.full_name(t)).startswith("torch.") and full.endswith("Tensor") for t in types
        )


def _hands_out_as_it_is(loader: Value) -> bool:
    """Whether the elements of a loader may be tensors that the script made by a network: those of a list, or tensors that it names."""
    call, roles = loader.node, loader.roles
    assert isinstance(call, ast.Call)
    if any(
        k.arg == "batch_size" and isinstance(k.value, ast.Constant) and k.value.value is None for k in call.keywords
    ):
        return True
    data = [*call.args[:1], *(k.value for k in call.keywords if k.arg == "dataset")]
    held = [one for node in data for one in sources(Value(node, loader.scope, roles))]
    parts = [
        Value(argument, one.scope, one.roles)
        for one in held
        if isinstance(one.node, ast.Call)
        for argument in one.node.args
    ]
    return any(isinstance(one.node, _COLLECTIONS) for one in held) or any(
        isinstance(made.node, ast.Call) and made.roles.of(made.node.func, made.scope) is Role.MODEL
        for part in parts
        for made in sources(part)
    )


def _arms(value: ast.expr) -> list[ast.expr]:
    return [*_arms(value.body), *_arms(value.orelse)] if isinstance(value, ast.IfExp) else [value]


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False
