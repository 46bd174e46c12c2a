"""Which names a piece of code binds, reads, and reads before it surely has bound them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from typing import Any

from .state_names import is_state
from .syntax import Scope, children, remembered, walk, walk_scope

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_BINDERS = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.ExceptHandler, ast.MatchAs,
    ast.MatchStar, ast.MatchMapping,
)  # fmt: skip
_TERMINAL = (ast.Return, ast.Raise, ast.Continue, ast.Break)


def target_names(target: ast.AST) -> list[str]:
    """The names that an assignment target binds, left to right."""
    match target:
        case ast.Name(id=name):
            return [name]
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            return [name for element in elements for name in target_names(element)]
        case ast.Starred(value=value):
            return target_names(value)
    return []


def parameter_names(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[str]:
    """All parameters in order."""
    a = function.args
    names = [p.arg for p in (*a.posonlyargs, *a.args, *a.kwonlyargs)]
    return names + [p.arg for p in (a.vararg, a.kwarg) if p]


def bound_names(nodes: list[ast.stmt], gone: Container[ast.AST] = ()) -> set[str]:
    """Every name that the block may bind in its own scope; statements in ``gone`` are passed over."""
    if not gone:
        return set().union(*map(_bound_by, nodes))
    return {name for node in nodes for name in _bound_but_for(node, gone)}


def _bound_but_for(statement: ast.stmt, gone: Container[ast.AST]) -> frozenset[str]:
    """The same of one statement, in which others stand that are gone."""
    if statement in gone:
        return frozenset()
    if isinstance(statement, ast.If) and any(part in gone for part in ast.walk(statement)):
        head = _bound_by(ast.Expr(statement.test))
        return head.union(*(_bound_but_for(inner, gone) for inner in (*statement.body, *statement.orelse)))
    return _bound_by(statement)


@remembered
def _bound_by(statement: ast.stmt) -> frozenset[str]:
    nodes = walk_scope(statement)
    # A comprehension's targets are its own.
    inner = {n for c in nodes if type(c) is ast.comprehension for n in walk(c.target)}
    bound: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load) and node not in inner:
                bound.add(node.id)
        elif isinstance(node, _BINDERS):
            bound.update(bound_otherwise(node))
    return frozenset(bound)


def bound_otherwise(node: ast.AST) -> list[str]:
    """The names that a node binds without holding them as variables."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            return [(alias.asname or alias.name).split(".")[0] for alias in aliases]
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return [name]
        case ast.MatchMapping(rest=str(name)):
            return [name]
    return []


def declared(nodes: list[ast.stmt], kind: type[ast.Global] | type[ast.Nonlocal]) -> set[str]:
    """The names declared ``global`` (or ``nonlocal``) in the scope."""
    return {name for root in nodes for node in _declarations(root) if isinstance(node, kind) for name in node.names}


@remembered
def _declarations(statement: ast.stmt) -> list[ast.Global | ast.Nonlocal]:
    return [node for node in walk_scope(statement) if isinstance(node, ast.Global | ast.Nonlocal)]


@remembered
def local_names(scope: Scope) -> frozenset[str]:
    """The names that live in a scope: parameters and what it binds, without those declared global or nonlocal.

    An object's attributes (torch2lit/objects) are the module's, whoever binds them.
    """
    names = bound_names(scope.body)
    if isinstance(scope, ast.Module):
        return frozenset(names | declared(scope.body, ast.Global))
    names |= set(parameter_names(scope))
    names -= declared(scope.body, ast.Global) | declared(scope.body, ast.Nonlocal)
    return frozenset(name for name in names if not is_state(name))


@dataclass(frozen=True, slots=True)
class Flow:
    """What a block does with names.

    ``exposed``: read while the block may not yet have bound them. ``definite``: bound whenever the block
    ends normally. ``written``: bound on some way. ``read``: read anywhere.
    """

    exposed: frozenset[str]
    definite: frozenset[str]
    written: frozenset[str]
    read: frozenset[str]


def flow(statements: Iterable[ast.AST], gone: Container[ast.AST] = ()) -> Flow:
    """The flow of names through statements (or expressions) in their order; those in ``gone`` are passed over.

    What may be there are statements, comparisons, conditions and names.
    """
    nodes = list(statements)
    if len(nodes) == 1 and not (gone and any(part in gone for part in _statements(nodes[0]))):
        return _flow_of(nodes[0])
    return _flow(nodes, gone)


@remembered
def _flow_of(node: ast.AST) -> Flow:
    return _flow([node], ())


def _flow(nodes: list[ast.AST], gone: Container[ast.AST]) -> Flow:
    way = Walk(gone)
    way.block(nodes)
    return Flow(frozenset(way.exposed), frozenset(way.bound), frozenset(way.written), frozenset(way.all_read))


_MAY_GO = (ast.stmt, ast.Compare, ast.BoolOp, ast.Name)


@remembered
def _statements(node: ast.AST) -> list[ast.AST]:
    return [part for part in walk(node) if part is node or isinstance(part, _MAY_GO)]


def reads(node: ast.AST) -> set[str]:
    """All names that the node reads, free ones of nested functions included."""
    return set(flow([node]).read)


@remembered
def free_names(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> frozenset[str]:
    """The names that a function reads or (by ``global``) writes from outside."""
    body = function.body if isinstance(function.body, list) else [function.body]
    inner = flow(body)
    if isinstance(function, ast.Lambda):
        return inner.read - set(parameter_names(function))
    return (inner.read | inner.written) - local_names(function)


class Walk:
    """One walk through statements in the order in which they run."""

    def __init__(self, gone: Container[ast.AST] = ()) -> None:
        self.gone = gone
        self.bound: set[str] = set()
        self.exposed: set[str] = set()
        self.written: set[str] = set()
        self.all_read: set[str] = set()
        self.dead = False

    def read(self, name: str) -> None:
        self.all_read.add(name)
        if name not in self.bound:
            self.exposed.add(name)

    def write(self, name: str) -> None:
        self.bound.add(name)
        self.written.add(name)

    def block(self, nodes: list[ast.AST] | list[ast.stmt]) -> None:
        for node in nodes:
            self.node(node)
            if isinstance(node, _TERMINAL):
                self.dead = True

    def branch(self, nodes: list[ast.stmt]) -> tuple[set[str], bool]:
        """Walk a block from the present state; give its bound names and whether it never ends normally."""
        saved, dead = set(self.bound), self.dead
        self.dead = False
        self.block(nodes)
        result = (self.bound, self.dead)
        self.bound, self.dead = saved, dead
        return result

    def join(self, *ways: tuple[set[str], bool]) -> None:
        alive = [bound for bound, dead in ways if not dead]
        if alive:
            self.bound = set.intersection(*alive)
        else:
            self.bound = set.union(*(bound for bound, _ in ways))
            self.dead = True

    def node(self, node: ast.AST | None) -> None:
        if node is None or node in self.gone:
            return
        method = _VISITS.get(type(node).__name__)
        if method is not None:
            method(self, node)
        elif isinstance(node, _COMPREHENSIONS):
            self.comprehension(node)
        else:
            for child in children(node):
                self.node(child)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.read(node.id)
        else:
            self.write(node.id)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.node(node.value)
        for target in node.targets:
            self.node(target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.node(node.value)
        if node.value is not None or not isinstance(node.target, ast.Name):
            self.node(node.target)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name) and node.target not in self.gone:
            self.read(node.target.id)
        self.node(node.value)
        self.node(node.target)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.node(node.value)
        self.node(node.target)

    def visit_If(self, node: ast.If) -> None:
        self.node(node.test)
        self.join(self.branch(node.body), self.branch(node.orelse))

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.node(node.test)
        self.node(node.body)
        self.node(node.orelse)

    def visit_For(self, node: ast.For) -> None:
        self.node(node.iter)
        before = set(self.bound)
        self.node(node.target)
        self.branch(node.body)
        self.bound = before
        self.join(self.branch(node.orelse), (set(before), False))

    visit_AsyncFor = visit_For

    def visit_While(self, node: ast.While) -> None:
        self.node(node.test)
        endless = isinstance(node.test, ast.Constant) and bool(node.test.value)
        bound, _ = self.branch(node.body)
        if not endless:
            self.branch(node.orelse)
        elif not any(isinstance(n, ast.Break) for n in walk_scope(node.body)):
            self.bound = bound

    def visit_With(self, node: ast.With) -> None:
        for item in node.items:
            self.node(item.context_expr)
            self.node(item.optional_vars)
        self.block(node.body)

    visit_AsyncWith = visit_With

    def visit_Try(self, node: ast.Try) -> None:
        before = set(self.bound)
        body, dead = self.branch([*node.body, *node.orelse])
        ways = [(body, dead)]
        for handler in node.handlers:
            self.bound = set(before)
            self.node(handler.type)
            if handler.name:
                self.write(handler.name)
            ways.append(self.branch(handler.body))
        self.bound = before
        self.join(*ways)
        self.block(node.finalbody)

    visit_TryStar = visit_Try

    def visit_Match(self, node: ast.Match) -> None:
        self.node(node.subject)
        ways = [(set(self.bound), False)]
        for case in node.cases:
            saved = set(self.bound)
            for part in walk(case.pattern):
                if isinstance(part, ast.MatchAs | ast.MatchStar) and part.name:
                    self.write(part.name)
                elif isinstance(part, ast.MatchMapping) and part.rest:
                    self.write(part.rest)
                elif isinstance(part, ast.MatchValue):
                    self.node(part.value)
            self.node(case.guard)
            ways.append(self.branch(case.body))
            self.bound = saved
        self.join(*ways)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for expression in (
            *node.decorator_list,
            *node.args.defaults,
            *(d for d in node.args.kw_defaults if d),
        ):
            self.node(expression)
        for name in free_names(node):
            self.read(name)
        self.write(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for expression in (*node.args.defaults, *(d for d in node.args.kw_defaults if d)):
            self.node(expression)
        for name in free_names(node):
            self.read(name)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for expression in (*node.decorator_list, *node.bases, *(k.value for k in node.keywords)):
            self.node(expression)
        for name in flow(node.body).exposed:
            self.read(name)
        self.write(node.name)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            self.write((alias.asname or alias.name).split(".")[0])

    visit_ImportFrom = visit_Import

    def visit_Global(self, node: ast.Global) -> None:
        pass

    visit_Nonlocal = visit_Global

    def comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        inner = Walk()
        for index, generator in enumerate(node.generators):
            (self if index == 0 else inner).node(generator.iter)
            inner.node(generator.target)
            for condition in generator.ifs:
                inner.node(condition)
        if isinstance(node, ast.DictComp):
            inner.node(node.key)
            inner.node(node.value)
        else:
            inner.node(node.elt)
        for name in inner.exposed:
            self.read(name)
        for walrus in walk(node):
            if isinstance(walrus, ast.NamedExpr):
                self.write(walrus.target.id)


_VISITS: dict[str, Callable[[Walk, Any], None]] = {
    name.removeprefix("visit_"): method for name, method in vars(Walk).items() if name.startswith("visit_")
}
