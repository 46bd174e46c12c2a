"""Which values of a loop's body are the data that a loader may hand over: tensors that stay the same while the loop runs."""

from __future__ import annotations

import ast

from ..recover.bindings import Names
from ..recover.effects import EffectAnalysis, Effects
from ..recover.makings import Value, makings
from ..recover.names import parameter_names
from ..recover.own_classes import method_of
from ..recover.role import Role
from ..recover.roles import Key, Roles
from ..recover.syntax import Scope, walk
from ..recover.tensors import Tensors, may_use_gpu

_OF_PARAMETERS = ("grad", "requires_grad", "requires_grad_", "retain_grad")
_LAYERS = ("Linear", "Conv", "Embedding", "BatchNorm", "LayerNorm", "LSTM", "GRU", "RNN", "Flatten", "ConvTranspose")


class Handed:
    """Finds them for a loop of the scope ``owner``, as the scope ``scope`` reads them: the same one, or a function that it calls."""

    def __init__(self, roles: Roles, owner: Scope, scope: Scope, loop: ast.For, effects: EffectAnalysis) -> None:
        self.roles, self.source = roles, roles.source
        self.owner, self.scope, self.loop = owner, scope, loop
        self.roots = [*loop.body, *(scope.body if scope is not owner else [])]
        where = {**dict.fromkeys(scope.body, scope), **dict.fromkeys(loop.body, owner)}
        self.changed = frozenset[Key]().union(*(effects.of(root, where[root]).mutates for root in self.roots))
        self.effects = effects
        self.optimized = self._optimized()
        self.asked: dict[str, bool] = {}
        self.tensors = Tensors(roles)
        self.on_gpu = may_use_gpu(self.source.tree)

    def effects_of(self, statement: ast.stmt) -> Effects:
        """What a statement of the loop touches."""
        return self.effects.of(statement, self.source.scope_of(statement))

    def names(self, statements: list[ast.stmt]) -> list[str]:
        """The names of such values among some statements of the loop, in the order in which they are read."""
        uses = [n for s in statements for n in walk(s) if isinstance(n, ast.Name)]
        ordered = sorted(uses, key=lambda n: (n.lineno, n.col_offset))
        return [name for name in dict.fromkeys(n.id for n in ordered) if self._may_be_handed(name)]

    def _may_be_handed(self, name: str) -> bool:
        if name not in self.asked:
            self.asked[name] = self._is_data(name)
        return self.asked[name]

    def _is_data(self, name: str) -> bool:
        key = self.roles.key(self.scope, name)
        if key is None or key != self.roles.key(self.owner, name) or not self._stays(key):
            return False
        if self.roles.of(ast.Name(name, ast.Load()), self.scope) is not None:
            return False
        nodes = [n for root in self.roots for n in walk(root)]
        if any(isinstance(n, ast.arg) and n.arg == name for n in nodes):
            return False
        uses = [n for n in nodes if isinstance(n, ast.Name) and n.id == name]
        if any(self._taken_as_tensor(n) for n in uses):
            return True
        if not self.tensors.surely(name, self.owner, self.loop):
            return False
        return not self.on_gpu or self.tensors.moved(name, self.owner, self.loop) or self._may_be_moved(uses)

    def _may_be_moved(self, uses: list[ast.Name]) -> bool:
        """Whether it is on the model's device already, or picks rows of what is there, which it may do from anywhere."""
        parents = [self.source.parents[use] for use in uses]
        if all(isinstance(p, ast.Subscript) and p.slice is use for use, p in zip(uses, parents, strict=True)):
            return True
        return any(
            isinstance(p, ast.Call) and use in p.args and self.roles.of(p.func, self.scope) is Role.MODEL
            for use, p in zip(uses, parents, strict=True)
        )

    def _stays(self, key: Key) -> bool:
        """Whether nothing gives the name another value while the loop runs, or changes or trains the one that it has."""
        if self.roles.rebound_unseen(key) or key in self.changed or key[1] in self.optimized:
            return False
        nodes = [self.loop.target, *self.roots]
        names = (n for node in nodes for n in walk(node) if isinstance(n, ast.Name) and n.id == key[1])
        return all(isinstance(n.ctx, ast.Load) for n in names)

    def _optimized(self) -> set[str]:
        """The names in what optimizers are made of, and those whose gradients are looked at."""
        found: set[str] = set()
        for call in self.source.calls:
            if self.roles.of(call, self.source.scope_of(call)) is Role.OPTIMIZER:
                found |= {n.id for n in walk(call) if isinstance(n, ast.Name)}
        for node in self.source.all(ast.Attribute):
            if node.attr in _OF_PARAMETERS and isinstance(node.value, ast.Name):
                found.add(node.value.id)
        return found

    # ---- by what only a tensor can be used for

    def _taken_as_tensor(self, use: ast.Name) -> bool:
        """Whether the use would fail with anything but a tensor on the model's device."""
        node: ast.expr = use
        parent = self.source.parents[node]
        if isinstance(parent, ast.Subscript) and parent.value is node and not isinstance(parent.slice, ast.Constant):
            node, parent = parent, self.source.parents[parent]
        if not isinstance(parent, ast.Call) or node not in parent.args or self._is_conditional(parent):
            return False
        full = self.roles.full_name(parent.func)
        if full.startswith("torch.nn.functional."):
            return True
        role = self.roles.of(parent.func, self.scope)
        if role is Role.CRITERION:
            return self._is_torchs_loss(parent.func)
        if role is Role.MODEL and isinstance(node, ast.Name):
            return self._model_takes_tensor(parent.func, parent.args.index(node))
        return False

    def _is_conditional(self, node: ast.AST) -> bool:
        """Whether it may not run in a turn of the loop."""
        for above in self.source.ancestors(node):
            if above is self.loop or above is self.scope:
                return False
            if not isinstance(above, ast.expr | ast.With | ast.Assign | ast.Expr | ast.AnnAssign | ast.keyword):
                return True
            if isinstance(above, ast.IfExp | ast.BoolOp | ast.Lambda | ast.ListComp | ast.GeneratorExp):
                return True
        return True

    def _is_torchs_loss(self, function: ast.expr) -> bool:
        made = makings(Value(function, self.scope, self.roles))
        return bool(made) and all(m.full_name.startswith("torch.nn.") and m.last_name.endswith("Loss") for m in made)

    def _model_takes_tensor(self, function: ast.expr, index: int) -> bool:
        made = makings(Value(function, self.scope, self.roles))
        return bool(made) and all(self._takes_tensor(m.call, m.full_name, m.roles, index) for m in made)

    def _takes_tensor(self, call: ast.Call, full: str, roles: Names, index: int) -> bool:
        if full == "torch.nn.Sequential":
            first = call.args[0] if call.args else None
            return isinstance(first, ast.Call) and _is_layer(roles.full_name(first.func)) and index == 0
        if _is_layer(full):
            return index == 0
        own = roles.own_class_named(full)
        forward = method_of(own[0], "forward") if own is not None else None
        if own is None or forward is None or len(parameter_names(forward)) < index + 2:
            return False
        return _goes_to_layer(own[0], own[1], forward, parameter_names(forward)[index + 1])


def _goes_to_layer(definition: ast.ClassDef, roles: Names, forward: ast.FunctionDef, parameter: str) -> bool:
    """Whether a method first of all hands a parameter to a layer of torch's."""
    for statement in forward.body:
        uses = [n for n in walk(statement) if isinstance(n, ast.Name) and n.id == parameter]
        if not uses:
            continue
        if not isinstance(statement, ast.Assign | ast.Return | ast.Expr):
            return False
        for node in walk(statement):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=layer), args=[ast.Name(id=given), *_]):
                    if given == parameter and _holds_layer(definition, roles, layer):
                        return True
        return False
    return False


def _holds_layer(definition: ast.ClassDef, roles: Names, attribute: str) -> bool:
    values = [
        n.value
        for n in walk(definition)
        if isinstance(n, ast.Assign) and any(isinstance(t, ast.Attribute) and t.attr == attribute for t in n.targets)
    ]
    return bool(values) and all(isinstance(v, ast.Call) and _opens_with_layer(roles, v) for v in values)


def _opens_with_layer(roles: Names, call: ast.Call) -> bool:
    full = roles.full_name(call.func)
    if full == "torch.nn.Sequential":
        return bool(call.args) and isinstance(call.args[0], ast.Call) and _opens_with_layer(roles, call.args[0])
    return _is_layer(full)


def _is_layer(full: str) -> bool:
    return full.startswith("torch.nn.") and full.removeprefix("torch.nn.").startswith(_LAYERS)
