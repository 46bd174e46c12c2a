"""What code does first with a model whose mode is not known: switch it to train or eval, or use it in a way that may show the mode."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from .adjusted import only_adjusts
from .bindings import Key, Names
from .makings import Value, sources, yields
from .mode_free import computes_alike
from .names import parameter_names
from .own_classes import bare_class, is_bare, lineage, method_of
from .roles import bound_argument
from .syntax import Scope, children, dotted, root_name, walk
from .torch_calls import mode_of

_DEEPEST = 6
_SWITCHES = ("train", "eval")
_CALLS = {
    "state_dict", "load_state_dict", "parameters", "named_parameters", "buffers", "named_buffers", "zero_grad",
}  # fmt: skip
"""Methods that give and do the same in either mode."""
_ITSELF = {"to", "cpu", "cuda", "float", "double", "half", "bfloat16", "requires_grad_"}
"""Those that give the model itself, too."""
_TENSORS = {"weight", "bias", "data", "grad", "shape", "device", "dtype", "__class__", "__name__"}
_BUILTINS = {"print", "len", "id", "type", "isinstance", "str", "repr", "hasattr"}
_DECORATORS = {"no_grad", "inference_mode", "enable_grad", "staticmethod"}
_BRANCHES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, slots=True)
class Path:
    """What code may do as long as nothing has switched the model: show its mode, come to its end, leave early, give the model back."""

    shows: bool = False
    ends: bool = True
    leaves: bool = False
    gives_back: bool = False

    @property
    def switches(self) -> bool:
        """Whether the model surely is switched before its mode can show, however the code ends."""
        return not (self.shows or self.ends or self.leaves)


@dataclass(frozen=True, slots=True)
class Place:
    """The names of a scope, which of them are the model, and which may hold it in some way."""

    roles: Names
    scope: Scope
    models: frozenset[Key]
    holders: frozenset[Key] = frozenset()
    skipped: frozenset[ast.Call] = frozenset()
    """Calls that leave every mode as it is."""
    watched: bool = False
    """Whether methods of the file's classes know the model by its global name, so that any call may use it."""
    depth: int = 0
    entered: dict[tuple[ast.AST, frozenset[Key]], Path] = field(default_factory=dict, compare=False)
    """What functions do that were looked into already, by what they are handed."""

    def is_model(self, node: ast.AST) -> bool:
        """Whether the expression is a name of the model."""
        return isinstance(node, ast.Name) and self.roles.key(self.scope, node.id) in self.models

    def is_holder(self, node: ast.AST) -> bool:
        """Whether it is a name of something that may hold the model."""
        return isinstance(node, ast.Name) and self.roles.key(self.scope, node.id) in self.holders


def block_path(body: Iterable[ast.stmt], place: Place) -> Path:
    """What statements in a row do."""
    leaves = gives_back = False
    for statement in body:
        path = statement_path(statement, place)
        leaves, gives_back = leaves or path.leaves, gives_back or path.gives_back
        if path.shows or not path.ends:
            return Path(path.shows, path.ends, leaves, gives_back)
    return Path(False, True, leaves, gives_back)


def statement_path(node: ast.stmt, place: Place) -> Path:
    """What one statement does."""
    match node:
        case ast.If(test=test, body=body, orelse=orelse):
            if (there := _where_there_is_one(node, place)) is not None:
                return block_path(there, place)
            return _then(code_path(test, place), lambda: _either(block_path(body, place), block_path(orelse, place)))
        case ast.For(iter=first, body=body, orelse=orelse) | ast.While(test=first, body=body, orelse=orelse):
            turns = lambda: _either(block_path(body, place), block_path(orelse, place), Path())  # noqa: E731
            return _then(code_path(first, place), turns)
        case ast.With(items=items, body=body):
            return _then(code_path([i.context_expr for i in items], place), lambda: block_path(body, place))
        case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=finalbody):
            handled = [block_path(h.body, place) for h in handlers]
            tried = _either(block_path([*body, *orelse], place), *handled)
            last = block_path(finalbody, place)
            return replace(_either(tried, last), ends=tried.ends and last.ends)
        case ast.Match(subject=subject, cases=cases):
            return _then(
                code_path(subject, place), lambda: _either(Path(), *(block_path(c.body, place) for c in cases))
            )
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return code_path(node.decorator_list, place)
        case ast.Return(value=value):
            given = [value, *(value.elts if isinstance(value, ast.Tuple) else [])]
            back = any(place.is_model(v) for v in given if v is not None)
            parts = [v for v in given if v is not None and not place.is_model(v) and not isinstance(v, ast.Tuple)]
            path = code_path(parts if isinstance(value, ast.Tuple) else parts[:1], place)
            return Path(path.shows, False, path.ends, back)
        case ast.Raise():
            return Path(code_path(list(children(node)), place).shows, False, True)
        case ast.Break() | ast.Continue():
            return Path(False, False, True)
        case ast.Assign(targets=targets, value=value):
            path = code_path([value, *targets], place)
            new = any(place.is_model(t) for t in targets) and _makes_another(value, place)
            return replace(path, ends=path.ends and not new)
    return code_path(list(children(node)), place)


def _where_there_is_one(node: ast.If, place: Place) -> list[ast.stmt] | None:
    """What runs where there is a model, of an `if` that asks whether there is one: without one there is no mode to be seen."""
    match node.test:
        case ast.Compare(left=asked, ops=[ast.IsNot() | ast.Is() as sort], comparators=[ast.Constant(value=None)]):
            if place.is_model(asked) and not _may_lose_it(place, asked):
                return node.body if isinstance(sort, ast.IsNot) else node.orelse
    return None


def _may_lose_it(place: Place, name: ast.expr) -> bool:
    """Whether a name that holds the model may be given None, while others go on with the model."""
    assert isinstance(name, ast.Name)
    key = place.roles.key(place.scope, name.id)
    values = [b.value for b in place.roles.bindings(key)] if key is not None else []
    return any(isinstance(v, ast.Constant) or not isinstance(v, ast.expr) for v in values)


def code_path(code: ast.AST | list[ast.expr] | list[ast.AST], place: Place) -> Path:
    """What expressions do, in the order in which they are given."""
    walker = _Walk(place)
    for node in code if isinstance(code, list) else [code]:
        walker.visit(node, True)
    return Path(walker.shows, not walker.switched)


def _then(first: Path, second: object) -> Path:
    if first.shows or not first.ends:
        return first
    assert callable(second)
    found = second()
    assert isinstance(found, Path)
    return found


def _either(*paths: Path) -> Path:
    return Path(
        any(p.shows for p in paths), any(p.ends for p in paths),
        any(p.leaves for p in paths), any(p.gives_back for p in paths),
    )  # fmt: skip


def _makes_another(value: ast.expr, place: Place) -> bool:
    """Whether the value surely is another object: one of a class, made of nothing that may hold the model."""
    if not isinstance(value, ast.Call) or not dotted(value.func).rpartition(".")[2][:1].isupper():
        return False
    return not any(place.is_model(n) or place.is_holder(n) for n in walk(value))


class _Walk:
    """One walk through expressions in the order of their evaluation; ``sure`` code runs whenever the whole does."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.shows = False
        self.switched = False

    def visit(self, node: ast.AST, sure: bool) -> None:
        if self.shows or self.switched:
            return
        match node:
            case ast.Call():
                self._call(node, sure)
            case ast.Attribute() if self._is_of_model(node):
                self.shows = node.attr not in _TENSORS
            case ast.Name(ctx=ast.Load()):
                self._name(node)
            case ast.Compare(left=left, ops=ops, comparators=others) if all(
                isinstance(o, ast.Is | ast.IsNot) for o in ops
            ):
                self._all([n for n in (left, *others) if not self.place.is_model(n)], sure)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                self._all([test], sure)
                self._all([body, orelse], False)
            case ast.BoolOp(values=[first, *rest]):
                self._all([first], sure)
                self._all(rest, False)
            case ast.comprehension() | ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                self._all(children(node), False)
            case _:
                self._all(children(node), sure and not isinstance(node, _BRANCHES))

    def _all(self, nodes: Iterable[ast.AST], sure: bool) -> None:
        for node in nodes:
            self.visit(node, sure)

    def _name(self, node: ast.Name) -> None:
        if self.place.is_model(node) or self.place.is_holder(node):
            self.shows = True
        elif (function := self.place.roles.source.function(node.id)) is not None:
            self._enter(function, self.place.roles, frozenset(), False)  # handed on, and called who knows where

    def _is_of_model(self, node: ast.expr) -> bool:
        while isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        return self.place.is_model(node)

    def _call(self, node: ast.Call, sure: bool) -> None:
        if node in self.place.skipped:
            return
        function = node.func
        if isinstance(function, ast.Attribute):
            if self._is_copy_switched_at_once(node):
                return
            owner = self._itself(function.value)
            if self.place.is_model(owner):
                self._method(node, function.attr, sure)
                return
            if self.place.is_holder(owner) and function.attr in (*_CALLS, *_SWITCHES):
                self._arguments(node, sure)
                return
            if self._is_of_model(function):
                self._arguments(node, sure)
                self.shows |= function.attr not in _CALLS
                return
            self.visit(function.value, sure)
        elif self.place.is_model(function) and computes_alike(self.place.roles, self.place.scope, function):
            self._arguments(node, sure)
            return
        elif not isinstance(function, ast.Name) or self.place.is_model(function) or self.place.is_holder(function):
            self._arguments(node, sure)
            self.visit(function, sure)
            return
        self._handed(node, sure)

    def _is_copy_switched_at_once(self, node: ast.Call) -> bool:
        """Whether it is ``copy.deepcopy(model).eval()``, or that of a part of the model, which gets a mode before anybody has it."""
        if mode_of(node) is None or not isinstance(node.func, ast.Attribute):
            return False
        match node.func.value:
            case ast.Call(func=function, args=[copied], keywords=[]) if self._is_of_model(copied):
                own = bare_class(self.place.roles, self._itself(copied), self.place.scope)
                return self.place.roles.full_name(function) == "copy.deepcopy" and own is None
        return False

    def _itself(self, node: ast.expr) -> ast.expr:
        """What stands under calls that give their object itself: ``model`` of ``model.to(device)``."""
        while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _ITSELF:
            node = node.func.value
        return node

    def _method(self, node: ast.Call, name: str, sure: bool) -> None:
        self._arguments(node, sure)
        assert isinstance(node.func, ast.Attribute)
        if name in _SWITCHES and mode_of(node) is not None and self._is_module(node.func.value):
            self.switched = self.switched or (sure and not self.shows)
        elif name in _ITSELF or (
            name == "apply" and len(node.args) == 1 and only_adjusts(self.place.roles, node.args[0])
        ):
            self.shows |= not self._stays(node)
        elif name not in _CALLS:
            alike = computes_alike(self.place.roles, self.place.scope, self._itself(node.func.value), name)
            self.shows |= not (alike and self._itself(node.func.value) is node.func.value)

    def _is_module(self, node: ast.expr) -> bool:
        return bare_class(self.place.roles, self._itself(node), self.place.scope) is None

    def _stays(self, node: ast.Call) -> bool:
        """Whether nobody but the model's own names gets what a call gives."""
        parent = self.place.roles.source.parents.get(node)
        match parent:
            case ast.Expr():
                return True
            case ast.Assign(targets=[target]):
                return self.place.is_model(target)
        return False

    def _arguments(self, node: ast.Call, sure: bool) -> None:
        self._all([*node.args, *(k.value for k in node.keywords)], sure)

    def _handed(self, node: ast.Call, sure: bool) -> None:
        """A call of something that is not the model, which may be handed the model."""
        arguments = [*node.args, *(k.value for k in node.keywords)]
        given = [a for a in arguments if self.place.is_model(a)]
        self._all([a for a in arguments if a not in given], sure)
        if isinstance(node.func, ast.Name) and node.func.id in _BUILTINS:
            if self.place.roles.key(self.place.scope, node.func.id) is None:
                return
        self.shows |= self.place.watched
        found = _callee(node, self.place)
        if found is None:
            self.shows |= bool(given)
            return
        function, roles, skipped = found
        models: set[Key] = set()
        names = parameter_names(function)
        for argument in given:
            own = [n for n in names if _passed(function, node, n, skipped) is argument]
            self.shows |= len(own) != 1
            models |= {(function, n) for n in own}
        self._enter(function, roles, frozenset(models), sure, node)

    def _enter(
        self, function: ast.FunctionDef, roles: Names, models: frozenset[Key], sure: bool, call: ast.Call | None = None
    ) -> None:
        if self.shows:
            return
        key, depth = (function, models), self.place.depth + 1
        if (path := self.place.entered.get(key)) is None:
            if depth > _DEEPEST:
                self.shows |= bool(models) or _mentioned(function, self.place)
                return
            self.place.entered[key] = Path()  # as far as it calls itself
            place = replace(self.place, roles=roles, scope=function, models=self.place.models | models, depth=depth)
            path = self.place.entered[key] = block_path(function.body, place)
        self.shows |= path.shows or (path.gives_back and call is not None and not self._stays(call))
        if path.switches and sure and not yields(function):
            self.switched = True


def _mentioned(function: ast.FunctionDef, place: Place) -> bool:
    names = {name for _, name in place.models | place.holders}
    return any(isinstance(n, ast.Name) and n.id in names for n in walk(function))


def _passed(function: ast.FunctionDef, call: ast.Call, name: str, skipped: int) -> ast.expr | None:
    if not skipped:
        return bound_argument(function, call, name)
    names = [a.arg for a in [*function.args.posonlyargs, *function.args.args]][skipped:]
    if any(isinstance(a, ast.Starred) for a in call.args):
        return None
    if name in names and names.index(name) < len(call.args):
        return call.args[names.index(name)]
    return next((k.value for k in call.keywords if k.arg == name), None)


def _callee(call: ast.Call, place: Place) -> tuple[ast.FunctionDef, Names, int] | None:
    """The project's function or method that a call surely runs, with its file and the number of parameters that the call does not fill."""
    roles, function = place.roles, call.func
    full = roles.full_name(function)
    own = roles.source.function(function.id) if isinstance(function, ast.Name) else None
    found = (own, roles) if own is not None else roles.function_named(full) if full else None
    if found is not None:
        return (*found, 0) if _is_plain(found[0]) else None
    if isinstance(function, ast.Attribute):
        made, name = _class_of(function.value, place), function.attr
    else:
        made, name = _class_of(function, place), "__call__"
    if made is None:
        return None
    for definition, where in lineage(*made):
        if (method := method_of(definition, name)) is not None:
            return (method, where, 1) if _is_plain(method) and not method.decorator_list else None
    return None


def called_in_project(call: ast.Call, place: Place) -> tuple[ast.FunctionDef, Names] | None:
    """The function or method of the project that a call surely runs, with its file."""
    found = _callee(call, place)
    return (found[0], found[1]) if found is not None else None


def _is_plain(function: ast.FunctionDef) -> bool:
    decorators = [d.func if isinstance(d, ast.Call) else d for d in function.decorator_list]
    return not yields(function) and all(dotted(d).rpartition(".")[2] in _DECORATORS for d in decorators)


def _class_of(node: ast.expr, place: Place) -> tuple[ast.ClassDef, Names] | None:
    """The class of the project whose object an expression surely is, where nothing but its own text says what it does."""
    roles, scope = place.roles, place.scope
    if isinstance(node, ast.Name) and node.id == "self" and not isinstance(scope, ast.Module):
        owner = roles.source.in_class(scope)
        return (owner, roles) if owner is not None and is_bare(roles, owner) else None
    if not root_name(node):
        return None
    found = sources(Value(node, scope, roles))
    if len(found) != 1 or not isinstance(found[0].node, ast.Call):
        return None
    made = found[0].roles.own_class_named(found[0].roles.full_name(found[0].node.func))
    return made if made is not None and is_bare(made[1], made[0]) else None
