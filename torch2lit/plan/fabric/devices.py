"""Where the script puts things, and which of its devices are chosen as Fabric chooses its own."""

from __future__ import annotations

import ast

from ...ddp.own import own_group
from ...recover.device_values import device_value
from ...recover.holders import Holder
from ...recover.roles import Roles
from ...recover.syntax import root_name
from .ground import Ground

_MAKES = {"to", "new_zeros", "new_ones", "new_full", "new_empty", "new_tensor"}


class Devices:
    """The devices of one file."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.source, self.roles, self.holders = ground.source, ground.roles, ground.holders
        self.chosen: list[ast.expr] = []
        """Values that become ``fabric.device``."""
        self._names: set[str] = set()
        self.grouped = own_group(self.source, self.roles)
        """The call by which the script has several processes, each on a device that it chooses itself."""
        if self.grouped is None:
            self._find()
        self.own_moves = any(_may_move(c, self.roles) for c in self.source.calls)
        """Whether the script puts models or tensors on devices."""
        self.agree = not self.own_moves or (bool(self.chosen) and all(self._to_chosen(c) for c in self.source.calls))
        """Whether what Fabric moves lands where the script puts everything."""

    @property
    def accelerator(self) -> str:
        """What Fabric is told, as source: the one type that all moves name, else the first GPU where there is one."""
        types: set[str] = set()
        for call in self.source.calls:
            if _may_move(call, self.roles):
                named = [*call.args, *(k.value for k in call.keywords if k.arg == "device")]
                if not isinstance(call.func, ast.Attribute) or call.func.attr not in ("to", "cuda"):
                    named = [k.value for k in call.keywords if k.arg == "device"]
                if isinstance(call.func, ast.Attribute) and call.func.attr == "cuda":
                    under = any(isinstance(a, ast.If | ast.IfExp) for a in self.source.ancestors(call))
                    types |= {"?"} if under else {"cuda"}
                    continue
                scope = self.source.scope_of(call)
                types |= {device_value(self.roles, n, scope).only_type or "?" for n in named}
        if not self.chosen and types in ({"cpu"}, {"cuda"}, {"mps"}):
            return f'"{types.pop()}"'
        torch = next((n for n, origin in sorted(self.roles.origins.items()) if origin == "torch"), "")
        return f'"cuda" if {torch}.cuda.is_available() else "cpu"' if torch else '"auto"'

    def _find(self) -> None:
        """Find the devices that are chosen as Fabric chooses its own."""
        for statement in self.source.all(ast.Assign):
            if len(statement.targets) != 1 or self.ground.left_alone(statement):
                continue
            holder = self.holders.of(statement.targets[0])
            if holder is None or not self._is_choice(statement.value) or self.ground.shares_lines(statement):
                continue
            if len(self.holders.stores(holder)) == 1 and holder.name not in self.holders.shadowed:
                text = not isinstance(statement.value, ast.Call)
                nodes: list[ast.expr] = [*self.holders.reads(holder)]
                if holder.is_attribute:
                    nodes += self.holders.from_outside(holder)
                if all(self._only_places(n, text=text) for n in nodes):
                    self.chosen.append(statement.value)
                    self._names.add(ast.unparse(statement.targets[0]))

    def _is_choice(self, value: ast.expr) -> bool:
        """Whether a value is the first GPU where there is one, and the CPU where not."""
        if isinstance(value, ast.Call) and self.roles.full_name(value.func) == "torch.device" and len(value.args) == 1:
            value = value.args[0]
        match value:
            case ast.IfExp(
                test=test,
                body=ast.Constant(value="cuda" | "cuda:0"),
                orelse=ast.Constant(value="cpu"),
            ):
                holder = self.holders.of(test)
                stores = self.holders.stores(holder) if holder is not None else []
                if holder is not None and len(stores) == 1 and holder.name not in self.holders.shadowed:
                    found = self.ground.value_of(stores[0])
                    test = found if found is not None else test
                return isinstance(test, ast.Call) and self.roles.full_name(test.func) == "torch.cuda.is_available"
        return False

    def _to_chosen(self, call: ast.Call) -> bool:
        """Whether a call moves nothing, or to a chosen device only."""
        if not _may_move(call, self.roles):
            return True
        if isinstance(call.func, ast.Attribute) and call.func.attr == "cuda":
            return False
        given = [*call.args, *(k.value for k in call.keywords if k.arg == "device")]
        if not isinstance(call.func, ast.Attribute) or call.func.attr != "to":
            given = [k.value for k in call.keywords if k.arg == "device"]
        return any(ast.unparse(g) in self._names or root_name(g) in self._names for g in given)

    def _only_places(self, node: ast.expr, *, text: bool, depth: int = 0) -> bool:
        """Whether a device is only used to put something on it."""
        parent = self.source.parents[node]
        match parent:
            case ast.keyword(arg="device" | "map_location"):
                call = self.source.parents[parent]
                assert isinstance(call, ast.Call)
                own = isinstance(call.func, ast.Attribute) and call.func.attr in _MAKES
                return own or self.roles.full_name(call.func).startswith("torch.")
            case ast.Call(func=ast.Attribute(attr="to")) if node in parent.args:
                return True
            case ast.Call(func=func) if self.roles.full_name(func) in ("torch.load", "torch.device"):
                return node in parent.args
            case ast.Attribute(attr="type"):
                return not text
            case ast.Call(func=ast.Name(id=name)) if depth < 4 and not any(
                isinstance(a, ast.Starred) for a in parent.args
            ):
                function = self.source.function(name)
                if function is None or node not in parent.args:
                    return False
                parameters = [a.arg for a in [*function.args.posonlyargs, *function.args.args]]
                index = parent.args.index(node)
                if index >= len(parameters):
                    return False
                inner = Holder(function, parameters[index])
                return (
                    len(self.holders.stores(inner)) == 0
                    and inner.name not in self.holders.shadowed
                    and all(self._only_places(n, text=text, depth=depth + 1) for n in self.holders.reads(inner))
                )
        return False


def _may_move(call: ast.Call, roles: Roles) -> bool:
    if not isinstance(call.func, ast.Attribute):
        return any(k.arg == "device" for k in call.keywords)
    if call.func.attr == "cuda":
        return True
    if call.func.attr == "to":
        for argument in [*call.args, *(k.value for k in call.keywords if k.arg == "device")]:
            if isinstance(argument, ast.Constant):
                if isinstance(argument.value, str) and argument.value != "cpu":
                    return True
            elif not ast.unparse(argument).endswith("dtype") and not roles.full_name(argument).startswith("torch."):
                return True
    return any(k.arg == "device" and not isinstance(k.value, ast.Constant) for k in call.keywords)
