"""Which method trains every object of a class, once and right where the object is made, when nobody else ever gets one of them.

if args.kind == "plain":        The objects that any file of the project makes are looked at. Nothing happens to one of them between
    solver = Solver(args)       its making and its training, and only its own methods and the function that makes it know it.
else:
    solver = Other(args)
solver.fit()
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..recover.names import parameter_names
from ..recover.project_text import module_name
from ..recover.roles import Roles
from ..recover.syntax import Source, dotted, walk
from ..recover.wanted_names import takers
from .first_calls import first_calls

_BY_TEXT = {"globals", "locals", "vars", "eval", "exec", "dir"}
"""What finds a variable by a text."""
_BY_OBJECT = {"__self__", "__dict__", "__closure__", "modules"}
"""What finds an object, or a module, by something else."""
_MAGIC = {
    "__getattr__",
    "__getattribute__",
    "__setattr__",
    "__delattr__",
    "__new__",
    "__del__",
    "__init_subclass__",
    "__call__",
}


@dataclass(frozen=True, slots=True)
class ObjectMade:
    """A call that makes an object, and the file in which it stands."""

    call: ast.Call
    roles: Roles


@dataclass(frozen=True, slots=True)
class Trained:
    """The method that trains, and all calls of the project that make an object for it."""

    method: str
    made: tuple[ObjectMade, ...]
    waits: bool = False
    """Whether other code may run between the making and the call, or instead of the call."""
    asked: frozenset[str] = frozenset()
    """What objects that may not train are asked for, and all that this asks for in turn."""


def trained_where_made(roles: Roles, owner: ast.ClassDef, path: str) -> Trained | None:
    """The method that trains each object of a class, which nobody else gets; None when it is not plain to see."""
    made = _makings(roles, owner, path)
    if not made:
        return None
    uses = [_used_first(one, path if one.roles is roles else "") for one in made]
    seen = [use for use in uses if use is not None]
    called = {name for use in seen for name in use.first}
    trains = [name for name in sorted(called) if len(called) == 1 or "step" in _reach(owner, {name})]
    if len(seen) < len(uses) or len(trains) != 1 or not all(use.is_called_once(trains[0]) for use in seen):
        return None
    if not _keeps_to_itself(roles, owner, trains[0]):
        return None
    waits = len(called) > 1 or any(use.waits for use in seen)
    others = {name for use in seen for name in use.asked} - {trains[0]}
    return Trained(trains[0], tuple(made), waits, frozenset(_reach(owner, others)) if waits else frozenset())


def _reach(owner: ast.ClassDef, names: set[str]) -> set[str]:
    """The names of all attributes that are asked for when an object is asked for some, whosever they are."""
    methods = {m.name: m for m in owner.body if isinstance(m, ast.FunctionDef)}
    found: set[str] = set()
    waiting = {*names}
    while waiting:
        found |= waiting
        bodies = [methods[name] for name in waiting if name in methods]
        waiting = {n.attr for b in bodies for n in walk(b) if isinstance(n, ast.Attribute)} - found
    return found


# ---- all makings of the project


def _makings(roles: Roles, owner: ast.ClassDef, path: str) -> list[ObjectMade] | None:
    """The calls that make an object; None when the class is used for anything else, or somewhere out of sight."""
    found = _calls_of(roles, owner.name, {id(n) for n in walk(owner)})
    if found is None:
        return None
    for file in takers(path).get(owner.name, []):
        other = roles.of_file(file) if file.suffix == ".py" else None
        local = _imported_as(other.source.tree, owner.name, path) if other is not None else ""
        if other is None or not local or local in takers(str(file)):
            return None
        if (calls := _calls_of(other, local, set())) is None:
            return None
        found += calls
    return found


def _calls_of(roles: Roles, name: str, own: set[int]) -> list[ObjectMade] | None:
    """The calls of a class in a file that names it for nothing else; ``own``: the nodes of the class, where `super` may name it."""
    source = roles.source
    if _finds_by_text(source) or "__all__" in source.text:
        return None
    calls = {id(c.func): c for c in source.calls_to(name)}
    for node in source.all(ast.Name):
        if node.id == name and id(node) not in calls and not (id(node) in own and _is_in_super(source, node)):
            return None
    if any(name in n.names for n in source.all(ast.Global)):
        return None
    defined = [d for d in (*source.functions, *source.all(ast.ClassDef)) if d.name == name and id(d) not in own]
    if defined:
        return None
    keyed = {roles.key(source.scope_of(c), name) for c in calls.values()}
    return [ObjectMade(c, roles) for c in calls.values()] if keyed <= {(source.tree, name)} else None


def _finds_by_text(source: Source) -> bool:
    return any(n.id in _BY_TEXT for n in source.all(ast.Name)) or any(
        n.attr in _BY_OBJECT for n in source.all(ast.Attribute)
    )


def _is_in_super(source: Source, node: ast.Name) -> bool:
    match source.parents[node]:
        case ast.Call(func=ast.Name(id="super"), args=[first, _]):
            return first is node
    return False


def _imported_as(tree: ast.Module, name: str, path: str) -> str:
    """The name under which a file has the class of the file at a path; "" when it has the module itself, or the class twice."""
    module = module_name(Path(path))
    found: list[str] = []
    for statement in walk(tree):
        match statement:
            case ast.Import(names=names):
                if any(alias.name.rpartition(".")[2] == module for alias in names):
                    return ""
            case ast.ImportFrom(module=whence, names=names):
                if (whence or "").rpartition(".")[2] == module:
                    if statement not in tree.body or any(alias.name == "*" for alias in names):
                        return ""
                    found += [alias.asname or alias.name for alias in names if alias.name == name]
                elif any(alias.name == module for alias in names):
                    return ""
    return found[0] if len(found) == 1 else ""


# ---- one object


@dataclass(frozen=True, slots=True)
class _Used:
    """How the object of one making is used: the methods that may be called first, and all that it is asked for."""

    first: frozenset[str]
    asked: frozenset[str]
    waits: bool
    again: frozenset[str]
    """The methods that are called at other places, too."""

    def is_called_once(self, method: str) -> bool:
        """Whether each object gets at most one call of a method."""
        return method not in self.again


def _used_first(made: ObjectMade, path: str) -> _Used | None:
    """How the object is used; None when it is not plain to see. ``path``: of a file that may be imported."""
    roles, source = made.roles, made.roles.source
    statement = source.statement_of(made.call)
    above = source.parents[made.call]
    if isinstance(above, ast.Attribute):
        call = source.parents[above]
        plain = isinstance(call, ast.Call) and call.func is above and _is_chain(statement, call)
        asked = frozenset({above.attr})
        return _Used(asked, asked, False, frozenset()) if plain else None
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is made.call:
            pass
        case _:
            return None
    scope = source.scope_of(statement)
    key = roles.key(scope, name)
    if (
        key is None
        or key[0] is not scope
        or roles.rebound_unseen(key)
        or name in ([] if isinstance(scope, ast.Module) else parameter_names(scope))
    ):
        return None
    if isinstance(scope, ast.Module) and name in takers(path or _path_of(roles)):
        return None
    mentions = [n for n in source.all(ast.Name) if n.id == name and isinstance(n.ctx, ast.Load)]
    mentions = [n for n in mentions if roles.key(source.scope_of(n), name) == key]
    if any(source.scope_of(n) is not scope or not isinstance(source.parents[n], ast.Attribute) for n in mentions):
        return None
    firsts: set[ast.AST] = set()
    for binding in roles.bindings(key):
        match binding.statement:
            case ast.Assign(targets=[ast.Name()], value=ast.Call()) as other:
                if (first := first_calls(roles, other, name)) is not None:
                    firsts |= {call.func for call in first.calls}
            case ast.Assign(targets=[ast.Name()], value=ast.Constant(value=None)):
                continue
            case _:
                return None
    own = first_calls(roles, statement, name)
    if own is None:
        return None
    asked_for = [a for n in mentions if isinstance(a := source.parents[n], ast.Attribute)]
    return _Used(
        frozenset(c.func.attr for c in own.calls if isinstance(c.func, ast.Attribute)),
        frozenset(a.attr for a in asked_for),
        own.waits,
        frozenset(a.attr for a in asked_for if a not in firsts),
    )


def _is_chain(statement: ast.stmt, call: ast.Call) -> bool:
    """Whether a statement is ``Solver(...).fit(...)``."""
    match statement:
        case ast.Expr(value=value) | ast.Assign(value=value) | ast.Return(value=value) if value is call:
            return not any(isinstance(n, ast.Call) for a in (*call.args, *call.keywords) for n in walk(a))
    return False


def _path_of(roles: Roles) -> str:
    return roles.neighbours.path if roles.neighbours is not None else ""


def _keeps_to_itself(roles: Roles, owner: ast.ClassDef, method: str) -> bool:
    """Whether no method hands its object on, as a whole or by a method that is no call, and none calls the one that trains."""
    functions = [f for f in owner.body if isinstance(f, ast.FunctionDef)]
    methods = {f.name for f in functions}
    if methods & _MAGIC or not all(map(_is_plain, owner.body)):
        return False
    return all(
        all(map(partial(_is_known_decorator, roles), f.decorator_list)) and _names_parts_only(roles, f, methods, method)
        for f in functions
    )


def _is_plain(statement: ast.stmt) -> bool:
    """Whether a statement of a class only defines a method or a value that is written out."""
    match statement:
        case ast.FunctionDef() | ast.Pass():
            return True
        case ast.Expr(value=value) | ast.Assign(targets=[ast.Name()], value=value):
            named = "" if isinstance(statement, ast.Expr) else dotted(statement.targets[0])
            return not named.startswith("__") and not any(
                isinstance(n, ast.Call | ast.Lambda | ast.Name) for n in walk(value)
            )
    return False


def _is_known_decorator(roles: Roles, decorator: ast.expr) -> bool:
    named = decorator.func if isinstance(decorator, ast.Call) else decorator
    full = roles.full_name(named)
    return full in ("torch.no_grad", "torch.inference_mode", "torch.enable_grad") or (
        full in ("property", "staticmethod", "classmethod") and roles.source.function(full) is None
    )


def _names_parts_only(roles: Roles, function: ast.FunctionDef, methods: set[str], trains: str) -> bool:
    source, itself = roles.source, (parameter_names(function) or [""])[0]
    for node in walk(function):
        if not isinstance(node, ast.Name) or node.id != itself:
            continue
        above = source.parents[node]
        if not isinstance(above, ast.Attribute):
            if isinstance(above, ast.Call) and dotted(above.func) == "super":
                continue
            return False
        call = source.parents[above]
        if above.attr in methods and not (isinstance(call, ast.Call) and call.func is above):
            return False
        if above.attr == trains:
            return False
    return True
