"""Whether a model is in train mode, with all its parts, as it was made: `torch.nn` leaves it so, `from_pretrained` does not.

Only what is in sight counts: layers of torch's, models of torchvision's, and classes of the project made of them.
"""

from __future__ import annotations

import ast
import builtins

from .bindings import Names
from .called_parameters import values_of_parameter
from .makings import Value, sources
from .own_classes import lineage
from .syntax import root_name, walk

_LIBRARIES = ("torch.nn.", "torchvision.models.")
_PLAIN = (
    "torch.",
    "torchvision.models.",
    "math.",
    "numpy.",
    "copy.",
    "collections.",
    "functools.",
    "itertools.",
    "typing.",
)
READ_FROM_FILES = (
    "torch.hub",
    "torch.load",
    "torch.jit",
    "torch.package",
    "torch.export",
    "torchvision.models.quantization",
)
_LAYERS = ("dgl.nn.", "torch_geometric.nn.")
"""Packages whose classes are layers, which nothing switches when they are made."""
_NUMBERS = {"item", "size", "numel", "dim"}
"""Methods of tensors that give numbers."""
_MAKING = {"__init__", "__new__", "__post_init__", "__init_subclass__"}
_OVERRIDDEN = {"train", "eval", "__getattr__"}
_SAME_MODE = {"to", "cuda", "cpu", "float", "double", "half", "bfloat16", "train", "requires_grad_", "apply"}
_DEEPEST = 8


def made_in_train_mode(value: Value) -> bool:
    """Whether all that the expression may be is a module that nothing has switched while it was made."""
    making = _Making()
    return making.all_fresh(value, 0) and making.handed_is_known()


def switches_modes(node: ast.AST) -> bool:
    """Whether the node may give a module another mode, whatever its object is."""
    match node:
        case ast.Call(func=ast.Attribute(attr="eval" | "train")):
            return True
        case ast.Attribute(attr="training", ctx=ast.Store()):
            return True
        case ast.Call(func=ast.Name(id="getattr" | "setattr" | "methodcaller")):
            return any(isinstance(a, ast.Constant) and a.value in ("eval", "train", "training") for a in node.args)
    return False


class _Making:
    def __init__(self) -> None:
        self.seen: set[ast.AST] = set()
        self.calls: list[Value] = []
        """Those that run while the object is made."""
        self.handed: list[Value] = []
        """The names of what is handed to a constructor, and called there."""

    def handed_is_known(self) -> bool:
        """Whether the classes and functions that constructors are handed give nothing that is in eval mode, either."""
        looked_at = -1
        while looked_at != len(self.calls):  # what is found makes further objects
            looked_at = len(self.calls)
            for name in [*self.handed]:
                values = values_of_parameter(name, self.calls)
                if not values or not all(self._is_known_maker(value) for value in values):
                    return False
        return True

    def _is_own_maker(self, node: ast.Name, place: Value) -> bool:
        """Whether a name is that of the project's class or function, which whoever gets it may call."""
        full = place.roles.full_name(node)
        own = place.roles.own_class_named(full) or place.roles.function_named(full)
        return isinstance(node.ctx, ast.Load) and own is not None

    def _is_known_maker(self, value: Value) -> bool:
        if not isinstance(value.node, ast.Name) and root_name(value.node) not in value.roles.origins:
            return False
        call, handed = ast.Call(func=value.node, args=[], keywords=[]), len(self.handed)
        known = self._callee_is_known(call, Value(call, value.scope, value.roles), 0)
        return known and value.node not in [name.node for name in self.handed[handed:]]

    def all_fresh(self, value: Value, depth: int) -> bool:
        made = sources(value)
        return bool(made) and depth <= _DEEPEST and all(self._is_fresh(one, depth) for one in made)

    def _is_fresh(self, value: Value, depth: int) -> bool:
        call = value.node
        if not isinstance(call, ast.Call):
            return False
        if isinstance(call.func, ast.Attribute) and call.func.attr in _SAME_MODE:
            if call in self.seen:
                return True  # ``model = model.to(device)``: what else the name may be is asked beside it
            self.seen.add(call)
            return self.all_fresh(Value(call.func.value, value.scope, value.roles), depth + 1)
        full = value.roles.full_name(call.func)
        own = value.roles.own_class_named(full) if full else None
        if not full.startswith(_LIBRARIES) and own is None:
            return False
        return self._is_known(call, value, depth)

    def _is_known(self, call: ast.Call, place: Value, depth: int) -> bool:
        """Whether a call gives nothing that is in eval mode, and neither does what it is handed."""
        self.calls.append(place)
        return self._callee_is_known(call, place, depth) and all(
            self._argument_is_known(node, place, depth)
            for argument in [*call.args, *(k.value for k in call.keywords)]
            for node in walk(argument)
        )

    def _argument_is_known(self, node: ast.AST, place: Value, depth: int) -> bool:
        if isinstance(node, ast.Call):
            return self._callee_is_known(node, place, depth)
        if not isinstance(node, ast.Name) or node in self.seen:
            return True
        if self._is_own_maker(node, place):
            return self._is_known_maker(Value(node, place.scope, place.roles))
        self.seen.add(node)
        return all(
            self._is_known(one.node, one, depth + 1)
            for one in sources(Value(node, place.scope, place.roles))
            if isinstance(one.node, ast.Call)
        )

    def _callee_is_known(self, call: ast.Call, place: Value, depth: int) -> bool:
        roles, function = place.roles, call.func
        if depth > _DEEPEST or switches_modes(call):
            return False
        full = roles.full_name(function)
        if full.startswith(READ_FROM_FILES):
            return False
        if full and (own := roles.function_named(full)) is not None:
            return self._code_is_known(own[0], own[1], depth)
        if full and (made := roles.own_class_named(full)) is not None:
            return self._class_is_known(list(lineage(*made)), depth)
        if full.startswith(_LAYERS) and full.rpartition(".")[2][:1].isupper():
            return True
        if full.startswith(_PLAIN) or (isinstance(function, ast.Name) and hasattr(builtins, function.id)):
            return True
        if isinstance(function, ast.Attribute) and function.attr in _NUMBERS:
            return True
        if isinstance(function, ast.Name) and roles.key(place.scope, function.id) is not None:
            self.handed.append(Value(function, place.scope, roles))
            return True
        root = root_name(function)
        return isinstance(function, ast.Attribute) and bool(root) and root not in roles.origins

    def _class_is_known(self, parts: list[tuple[ast.ClassDef, Names]], depth: int) -> bool:
        """Whether making an object of a class switches nothing: by its constructor, and by the methods that this may call."""
        if any(isinstance(s, ast.FunctionDef) and s.name in _OVERRIDDEN for part, _ in parts for s in part.body):
            return False
        methods = [(s, roles) for part, roles in parts for s in part.body if isinstance(s, ast.FunctionDef)]
        waiting = [(s, roles) for part, roles in parts for s in part.body if not isinstance(s, ast.FunctionDef)]
        waiting += [(m, roles) for m, roles in methods if m.name in _MAKING]
        named: set[str] = set()
        while waiting:
            code, roles = waiting.pop()
            if not self._code_is_known(code, roles, depth):
                return False
            new = {n.attr for n in walk(code) if isinstance(n, ast.Attribute)} - named
            named |= new
            waiting += [(m, where) for m, where in methods if m.name in new]
        return True

    def _code_is_known(self, code: ast.AST, roles: Names, depth: int) -> bool:
        if code in self.seen:
            return True
        self.seen.add(code)
        for node in walk(code):
            if switches_modes(node):
                return False
            if isinstance(node, ast.Name):
                handed_on = Value(node, roles.source.scope_of(node), roles)
                if self._is_own_maker(node, handed_on) and not self._is_known_maker(handed_on):
                    return False
            if isinstance(node, ast.Call):
                place = Value(node, roles.source.scope_of(node), roles)
                self.calls.append(place)
                if not self._callee_is_known(node, place, depth + 1):
                    return False
        return True
