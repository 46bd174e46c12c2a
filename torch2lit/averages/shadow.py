"""A class that keeps an average in a dictionary beside its model and lends it to the model, as the formula that Lightning's callback takes.

class EMA:
    def __init__(self, model, decay):
        self.model, self.decay, self.shadow, self.backup = model, decay, {}, {}
    def register(self):                                     the average begins as the first weights
        for name, p in self.model.named_parameters():
            self.shadow[name] = p.data.clone()
    def update(self):                                       avg_fn=lambda average, p, _: (1.0 - 0.9) * p + 0.9 * average
        for name, p in self.model.named_parameters():
            self.shadow[name] = ((1.0 - self.decay) * p.data + self.decay * self.shadow[name]).clone()
    def apply_shadow(self):                                 what the callback does before a validation
    def restore(self):                                      and behind it

Every method is read, and none is known by its name. Buffers stay the model's own, as they do in the callback with ``use_buffers=False``.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..recover.roles import Roles
from ..recover.syntax import walk
from .copied import OF_THE_TOOLS, Formula, bare, value_of

_AVERAGE, _BACKUP = "shadow", "backup"


@dataclass(slots=True)
class Shadow:
    """What such a class does, by the names of its methods: ``starts``, ``updates``, ``lends`` and ``returns``; ``made``: its constructor starts the average itself.

    ``model`` is the constructor's parameter for the model, ``values`` are those that attributes keep. ``asks``: it leaves out parameters that are not trained.
    """

    node: ast.ClassDef
    model: str
    values: dict[str, str]
    made: bool = False
    starts: set[str] = field(default_factory=set)
    updates: dict[str, Formula] = field(default_factory=dict)
    lends: dict[str, bool] = field(default_factory=dict)
    """With whether the parameters get the values of the average, and not its tensors."""
    returns: dict[str, bool] = field(default_factory=dict)
    asks: bool = False


def shadow_of(node: ast.ClassDef) -> Shadow | None:
    """What a class does; None where it is no such class."""
    methods = {f.name: f for f in node.body if isinstance(f, ast.FunctionDef)}
    init = methods.pop("__init__", None)
    if init is None or node.bases or node.decorator_list or len(methods) + 1 < len(_without_docstring(node.body)):
        return None
    reader = _Reader(node, init)
    if not reader.constructor():
        return None
    for function in methods.values():
        reader.method(function)
    found = reader.found
    if (found.made or found.starts) and found.updates and found.lends and found.returns:
        return found
    return None


class _Reader:
    def __init__(self, node: ast.ClassDef, init: ast.FunctionDef) -> None:
        self.init = init
        self.kept: dict[str, str] = {}
        """Attributes and the parameters that they keep."""
        self.empty: set[str] = set()
        self.roles_of: dict[str, str] = {}
        """The attributes that hold the average and the backup."""
        parameters = [a.arg for a in init.args.args]
        self.found = Shadow(node, parameters[1] if len(parameters) > 1 else "", {})

    def constructor(self) -> bool:
        """Whether the constructor only keeps what it is given, and perhaps starts the average."""
        later: list[ast.stmt] = []
        for statement in _without_docstring(self.init.body):
            match statement:
                case ast.Assign(
                    targets=[ast.Attribute(value=ast.Name(id="self"), attr=attribute)], value=ast.Name(id=name)
                ):
                    self.kept[attribute] = name
                case ast.Assign(
                    targets=[ast.Attribute(value=ast.Name(id="self"), attr=attribute)], value=ast.Dict(keys=[])
                ):
                    self.empty.add(attribute)
                case _:
                    later.append(statement)
        self.found.values = self.kept
        owners = [a for a, p in self.kept.items() if p == self.found.model]
        if len(later) > 1 or len(owners) > 1 or not self.found.model:
            return False
        for statement in later:
            match statement:
                case ast.Expr(
                    value=ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=method), args=[], keywords=[])
                ):
                    starter = next(
                        (f for f in self.found.node.body if isinstance(f, ast.FunctionDef) and f.name == method), None
                    )
                    if starter is None or not self._starts(_without_docstring(starter.body)):
                        return False
                case ast.Assign(
                    targets=[ast.Attribute(value=ast.Name(id="self"), attr=attribute)],
                    value=ast.DictComp(
                        key=ast.Name(id=key),
                        value=value,
                        generators=[ast.comprehension(target=ast.Tuple(elts=[ast.Name(id=name), ast.Name(id=p)]), iter=asked, ifs=ifs)],
                    ),
                ):  # fmt: skip
                    if (
                        key != name
                        or not self._owner(asked, ())
                        or not _is_clone(value, p)
                        or not self._only_asks(ifs, p)
                    ):
                        return False
                    self.roles_of[_AVERAGE] = attribute
                case _:
                    if not self._starts([statement]):
                        return False
            self.found.made = True
        return True

    def method(self, function: ast.FunctionDef) -> None:
        """Note what a method does, if it is one of the four things."""
        plain = [a.arg for a in function.args.args[1:]]
        if any(ast.unparse(d) != "torch.no_grad()" for d in function.decorator_list) or plain not in ([], ["model"]):
            return
        body = _without_docstring(function.body)
        match body:
            case [ast.With(items=[ast.withitem(context_expr=context)], body=inner)] if (
                ast.unparse(context) == "torch.no_grad()"
            ):
                body = inner
        if self._starts(body, plain):
            self.found.starts.add(function.name)
            return
        found = self._loop(body, plain)
        if found is None:
            return
        name, p, inner = found
        average = self.roles_of.get(_AVERAGE, "")
        if (formula := self._formula(name, p, inner, average)) is not None:
            self.found.updates[function.name] = formula
        elif (copies := self._lends(name, p, inner, average)) is not None:
            self.found.lends[function.name] = copies
        elif (copies := self._returns(name, p, inner)) is not None:
            self.found.returns[function.name] = copies

    def _loop(self, body: Sequence[ast.stmt], given: Sequence[str] = ()) -> tuple[str, str, list[ast.stmt]] | None:
        """The loop over all parameters that is all of a body: the names of a parameter and its name, and what is done to each."""
        rest = list(body)
        if len(rest) == 2 and isinstance(rest[1], ast.Assign) and isinstance(rest[1].value, ast.Dict) and not rest[1].value.keys:  # fmt: skip
            rest.pop()  # the backup is emptied
        match rest:
            case [
                ast.For(target=ast.Tuple(elts=[ast.Name(id=name), ast.Name(id=p)]), iter=asked, body=inner, orelse=[])
            ] if self._owner(asked, given):
                pass
            case _:
                return None
        match inner:
            case [ast.If(test=test, body=guarded, orelse=[])]:
                if not self._only_asks([test], p):
                    return None
                inner = guarded
        return name, p, [s for s in inner if not isinstance(s, ast.Assert)]

    def _owner(self, asked: ast.expr, given: Sequence[str]) -> bool:
        match asked:
            case ast.Call(func=ast.Attribute(value=owner, attr="named_parameters"), args=[], keywords=[]):
                text = ast.unparse(owner)
                own = [f"self.{a}" for a, parameter in self.kept.items() if parameter == self.found.model]
                return text in (*own, *given) or (text == self.found.model and not given)
        return False

    def _only_asks(self, tests: Sequence[ast.expr], p: str) -> bool:
        if not tests:
            return True
        self.found.asks = True
        return len(tests) == 1 and ast.unparse(tests[0]) == f"{p}.requires_grad"

    def _starts(self, body: Sequence[ast.stmt], given: Sequence[str] = ()) -> bool:
        found = self._loop(body, given)
        match found:
            case (name, p, [ast.Assign(targets=[target], value=value)]) if _is_clone(value, p):
                attribute = _entry(target, name)
                known = self.roles_of.get(_AVERAGE)
                if attribute in self.empty and known in (None, attribute):
                    self.roles_of[_AVERAGE] = attribute
                    return True
        return False

    def _formula(self, name: str, p: str, body: list[ast.stmt], average: str) -> Formula | None:
        """What an update makes of the average and a parameter."""
        statements = [_InWords(name, average, self.kept).visit(copy.deepcopy(s)) for s in body]
        match statements:
            case [ast.Assign(targets=[ast.Name(id=new)], value=value), ast.Assign(targets=[ast.Name(id=to)], value=given)] if (
                to == _InWords.AVERAGE and ast.unparse(_without_clone(given)) == new
            ):  # fmt: skip
                return Formula(_InWords.AVERAGE, p, (_InWords.AVERAGE, p), bare(_without_clone(value)))
            case [ast.Assign(targets=[ast.Name(id=to)], value=value)] if to == _InWords.AVERAGE:
                if any(
                    isinstance(n, ast.Name) and n.id == _InWords.AVERAGE for n in ast.walk(value)
                ):  # `walk` keeps what it found
                    return Formula(_InWords.AVERAGE, p, (_InWords.AVERAGE, p), bare(_without_clone(value)))
            case [ast.AugAssign(target=ast.Name(id=to), op=ast.Sub(), value=value)] if to == _InWords.AVERAGE:
                less = ast.BinOp(ast.Name(to, ast.Load()), ast.Sub(), value)
                return Formula(_InWords.AVERAGE, p, (_InWords.AVERAGE, p), bare(less))
            case [ast.Expr() as statement]:
                if (changed := value_of(statement, _InWords.AVERAGE)) is not None:
                    return Formula(_InWords.AVERAGE, p, (_InWords.AVERAGE, p), changed)
        return None

    def _lends(self, name: str, p: str, body: list[ast.stmt], average: str) -> bool | None:
        """Whether a body keeps the parameters and puts the average in their place; with their values copied, a copy of them is kept."""
        match body:
            case [ast.Assign(targets=[target], value=kept), put] if (attribute := _entry(target, name)) in self.empty:
                if attribute == average or self.roles_of.get(_BACKUP, attribute) != attribute:
                    return None
                copies = _put(put, p, name, average)
                if copies is None or not (_is_clone(kept, p) or (ast.unparse(kept) == f"{p}.data" and not copies)):
                    return None
                self.roles_of[_BACKUP] = attribute
                return copies
        return None

    def _returns(self, name: str, p: str, body: list[ast.stmt]) -> bool | None:
        backup = self.roles_of.get(_BACKUP, "")
        return _put(body[0], p, name, backup) if len(body) == 1 and backup else None


def _put(statement: ast.stmt, p: str, name: str, attribute: str) -> bool | None:
    """Whether a parameter gets the values of an entry (True) or its tensor (False)."""
    match statement:
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id=owner), attr="data")], value=value) if owner == p:
            return False if _entry(value, name) == attribute else None
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner_, attr="copy_"), args=[value], keywords=[])):
            if ast.unparse(owner_) == f"{p}.data" and _entry(value, name) == attribute:
                return True
    return None


def _entry(node: ast.expr, name: str) -> str:
    """The attribute of which this is the entry of that name, "" for anything else."""
    match node:
        case ast.Subscript(value=ast.Attribute(value=ast.Name(id="self"), attr=attribute), slice=ast.Name(id=key)):
            return attribute if key == name else ""
    return ""


_CLONES = ("{}.data.clone()", "{}.detach().clone()", "{}.clone().detach()", "{}.data.detach().clone()", "{}.data.clone().detach()")  # fmt: skip


def _is_clone(node: ast.expr, p: str) -> bool:
    return ast.unparse(node) in [text.format(p) for text in _CLONES]


def _without_clone(node: ast.expr) -> ast.expr:
    match node:
        case ast.Call(func=ast.Attribute(value=inner, attr="clone" | "detach"), args=[], keywords=[]):
            return _without_clone(inner)
    return node


def _without_docstring(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    return [s for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]


class _InWords(ast.NodeTransformer):
    """The entry of the average by a name, and attributes by the constructor's parameters."""

    AVERAGE = "average"

    def __init__(self, name: str, average: str, kept: dict[str, str]) -> None:
        self.name, self.average, self.kept = name, average, kept

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        if _entry(node, self.name) == self.average:
            return ast.Name(self.AVERAGE, node.ctx)
        return self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id == "self" and node.attr in self.kept:
            return ast.Name(self.kept[node.attr], ast.Load())
        return self.generic_visit(node)


def trains_all(roles: Roles, own: ast.ClassDef) -> bool:
    """Whether every parameter of the file's models is trained: nothing outside of the class says otherwise, and no model comes from elsewhere."""
    inside = {id(n) for n in walk(own)}
    source = roles.source
    told = [
        n for n in source.all(ast.Attribute) if n.attr in ("requires_grad", "requires_grad_") and id(n) not in inside
    ]
    told_by = [k for k in source.all(ast.keyword) if k.arg == "requires_grad"]
    packages = {origin.partition(".")[0] for origin in roles.origins.values()}
    return not told and not told_by and packages <= OF_THE_TOOLS and "torch.hub" not in source.text
