"""Is a device that of the process's own number on its machine, which is the one that Lightning gives it? Proven by what makes the value."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..recover.makings import Value, one_back
from ..recover.names import parameter_names
from ..recover.reached_files import reached_files
from ..recover.roles import Roles, bound_argument
from ..recover.syntax import Source, dotted, walk

_SPAWN = "torch.multiprocessing.spawn"
_NUMBERS = {
    "LOCAL_RANK",
    "RANK",
    "SLURM_LOCALID",
    "SLURM_PROCID",
    "OMPI_COMM_WORLD_LOCAL_RANK",
    "OMPI_COMM_WORLD_RANK",
    "MPI_LOCALRANKID",
    "PMI_RANK",
}
"""What launchers call the number of a process in its environment."""
_GIVES_NUMBER = {"torch.distributed.get_rank", "torch.distributed.get_node_local_rank"}
_AS_IT_IS = {"int", "str", "torch.device"}
_FLAG = "local_rank"
"""The option by which `torch.distributed.launch` tells a script its number."""
_OWN, _NEUTRAL, _OTHER = "own", "neutral", "other"
"""A device of its own; what stands where there is one process alone (None, 0, -1), or leads back to what is asked; any other."""
_DEEPEST = 12


def is_own_device(source: Source, roles: Roles, node: ast.expr) -> bool:
    """Whether the value of ``device_ids`` or ``output_device`` is None, or surely the device of the process's number on its machine."""
    if isinstance(node, ast.Constant) and node.value is None:
        return True
    return _Proof(source, roles).of(Value(node, source.scope_of(node), roles), 0) == _OWN


class _Proof:
    def __init__(self, source: Source, roles: Roles) -> None:
        self.source, self.roles = source, roles
        self.asked: set[object] = set()

    def of(self, value: Value, depth: int) -> str:
        node = value.node
        mark = (id(value.roles), node.attr) if isinstance(node, ast.Attribute) else id(node)
        if mark in self.asked:
            return _NEUTRAL
        if depth > _DEEPEST:
            return _OTHER
        self.asked.add(mark)
        match node:
            case ast.Constant(value="cuda"):
                return self._of_current(depth)
            case ast.Constant(value=content):
                return _NEUTRAL if content in (None, 0, -1, "0", "cpu") and content is not False else _OTHER
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1)):
                return _NEUTRAL
            case ast.List(elts=[one]) | ast.Tuple(elts=[one]):
                return self.of(Value(one, value.scope, value.roles), depth + 1)
            case ast.JoinedStr(values=[ast.Constant(value="cuda:"), ast.FormattedValue(value=one, format_spec=None)]):
                return self.of(Value(one, value.scope, value.roles), depth + 1)
            case (
                ast.BinOp(left=ast.Constant(value="cuda:"), op=ast.Add(), right=one) | ast.BinOp(left=one, op=ast.Mod())
            ):
                return self.of(Value(one, value.scope, value.roles), depth + 1)
            case ast.IfExp(body=body, orelse=orelse):
                return self._all([Value(one, value.scope, value.roles) for one in (body, orelse)], depth)
            case ast.Subscript(value=owner, slice=ast.Constant(value=key)) if _is_environment(value, owner):
                return _OWN if key in _NUMBERS else _OTHER
            case ast.Call():
                return self._of_call(value, node, depth)
            case ast.Attribute(value=ast.Name(), attr=name) if dotted(node.value) != "self":
                return self._of_setting(name, depth)
            case ast.Attribute(attr="index", value=device):
                return self.of(Value(device, value.scope, value.roles), depth + 1)
        return self._of_sources(value, depth)

    def _of_call(self, value: Value, call: ast.Call, depth: int) -> str:
        full = value.roles.full_name(call.func)
        match call:
            case ast.Call(
                func=ast.Attribute(value=ast.Constant(value="cuda:{}" | "cuda:{:d}"), attr="format"), args=[one]
            ):
                return self.of(Value(one, value.scope, value.roles), depth + 1)
        if full in _GIVES_NUMBER and not call.args:
            return _OWN
        if full in ("os.environ.get", "os.getenv") and call.args:
            key = call.args[0]
            return _OWN if isinstance(key, ast.Constant) and key.value in _NUMBERS else _OTHER
        if full == "torch.cuda.current_device":
            return self._of_current(depth)
        if full in _AS_IT_IS and len(call.args) == 1 and not call.keywords:
            return self.of(Value(call.args[0], value.scope, value.roles), depth + 1)
        if full == "torch.device" and len(call.args) == 2 and not call.keywords:
            return self.of(Value(call.args[1], value.scope, value.roles), depth + 1)
        return self._of_sources(value, depth)

    def _of_current(self, depth: int) -> str:
        """The current device: what `set_device` made it."""
        chosen = [c for c in self.source.calls if self.roles.full_name(c.func) == "torch.cuda.set_device" and c.args]
        values = [Value(c.args[0], self.source.scope_of(c), self.roles) for c in chosen]
        return self._all(values, depth)

    def _of_sources(self, value: Value, depth: int) -> str:
        parts = [*one_back(value), *_given_to_constructor(value)]
        if isinstance(value.node, ast.Name) and _is_number_of_spawned(value, value.node):
            return _OTHER if parts and self._all(parts, depth) == _OTHER else _OWN
        return self._all(parts, depth)

    def _of_setting(self, name: str, depth: int) -> str:
        """An attribute of the settings: every statement that binds one of this name, here or in a file that is imported."""
        stored = list(self._stored(name))
        if not stored:
            return _OWN if name == _FLAG and _is_flag(self.source) else _OTHER
        answer = self._all(stored, depth)
        return _OWN if answer == _NEUTRAL and name == _FLAG and _is_flag(self.source) else answer

    def _stored(self, name: str) -> Iterator[Value]:
        for roles in reached_files(self.roles):
            for node in walk(roles.source.tree):
                if isinstance(node, ast.Assign):
                    for target in node.targets:
                        if isinstance(target, ast.Attribute) and target.attr == name:
                            yield Value(node.value, roles.source.scope_of(node), roles)

    def _all(self, values: list[Value], depth: int) -> str:
        answers = {self.of(value, depth + 1) for value in values}
        if not answers or _OTHER in answers:
            return _OTHER
        return _OWN if _OWN in answers else _NEUTRAL


def _is_number_of_spawned(value: Value, name: ast.Name) -> bool:
    """Whether it is the first parameter of what `mp.spawn` starts."""
    key = value.roles.key(value.scope, name.id)
    if key is None or not isinstance(key[0], ast.FunctionDef) or value.roles.bindings(key):
        return False
    if parameter_names(key[0])[:1] != [key[1]]:
        return False
    for call in value.roles.source.calls:
        if value.roles.full_name(call.func) == _SPAWN:
            started = [*call.args[:1], *(k.value for k in call.keywords if k.arg == "fn")]
            if any(isinstance(n, ast.Name) and n.id == key[0].name for n in started):
                return True
    return False


def _given_to_constructor(value: Value) -> list[Value]:
    """What the calls of a class give the parameter of its constructor."""
    key = value.roles.key(value.scope, value.node.id) if isinstance(value.node, ast.Name) else None
    if key is None or not isinstance(key[0], ast.FunctionDef) or key[0].name != "__init__":
        return []
    source = value.roles.source
    owner = source.parents[key[0]]
    if not isinstance(owner, ast.ClassDef) or key[1] not in parameter_names(key[0]) or value.roles.bindings(key):
        return []
    given = []
    for call in source.calls_to(owner.name):
        whole = ast.Call(call.func, [ast.Name("self", ast.Load()), *call.args], call.keywords)
        given.append((call, bound_argument(key[0], whole, key[1]) or ast.Constant(...)))
    return [Value(one, source.scope_of(call), value.roles) for call, one in given]


def _is_environment(value: Value, owner: ast.expr) -> bool:
    return value.roles.full_name(owner) == "os.environ"


def _is_flag(source: Source) -> bool:
    """Whether the script has the option of `torch.distributed.launch`."""
    names = {"--local_rank", "--local-rank"}
    return any(
        isinstance(c.func, ast.Attribute)
        and c.func.attr == "add_argument"
        and any(isinstance(a, ast.Constant) and a.value in names for a in c.args)
        for c in source.calls
    )
