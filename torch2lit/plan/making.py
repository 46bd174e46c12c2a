"""Which statements make the optimizers and schedulers of a loop, and whether ``configure_optimizers`` may run them.

optimizer = Adam(model.parameters())        if args.adam: optimizer = Adam(...)        scheduler = None
scheduler = StepLR(optimizer, 10)           else: optimizer = SGD(...)                 if args.decay: scheduler = ...
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass

from ..recover.items import only_names
from ..recover.listed_parameters import OF_NOW, methods_run
from ..recover.loops import loop_names
from ..recover.names import flow, parameter_names
from ..recover.own_classes import definition_of
from ..recover.roles import Role
from ..recover.state_names import is_state
from ..recover.syntax import root_name, walk, walk_scope
from ..recover.variables import Variable
from ..recover.ways_on import ways_on
from .asked_anew import asks_anew
from .draft import Draft
from .group_settings import groups_set
from .made_attributes import is_bound_plainly
from .making_functions import functions_run
from .may_show import may_show
from .quiet_tests import only_asks, runs_property
from .rules_asked import asks_a_rule_anew
from .same_parameters import SameParameters
from .set_elsewhere import are_set
from .statements_between import rest_of_blocks, statements_between
from .surely_read import surely_read
from .writes_elsewhere import names_reached, reads_elsewhere, writes_elsewhere

_RECKONS = {"min", "max"}
_LOGS = {"debug", "info", "warning", "warn", "error", "exception", "critical", "log"}


def on_the_way(draft: Draft, statement: ast.stmt) -> bool:
    """Whether a statement of the entry scope surely runs before the loop, as often as the loop runs."""
    if statement.lineno >= draft.nest.outermost.lineno:
        return False
    block_owner = draft.source.parents[statement]
    chain = [draft.nest.outermost, *draft.source.ancestors(draft.nest.outermost)]
    if block_owner not in chain:
        return False
    below = chain[chain.index(block_owner) - 1]
    if below not in draft.source.block_of(statement):
        return False
    between = chain[: chain.index(block_owner)]
    return not any(isinstance(a, ast.For | ast.While | ast.FunctionDef) for a in between[1:])


def makers(draft: Draft, variable: Variable, optional: bool = False) -> list[ast.stmt] | None:
    """The statements that make what the loop finds under a name of the entry scope, all of them on the way to it.

    ``optional``: a test may say that there is none, which the loop then does not ask for.
    """
    if not _is_of_entry(draft, variable):
        return None
    # One arm of an `if` without an `else` must have been taken where the loop reads the name in every turn.
    found: list[ast.stmt] = []
    scope = variable.scope
    bound = not isinstance(scope, ast.Module) and variable.name in parameter_names(scope)
    for statement in statements_between(draft, 0):
        if variable.name not in (use := flow([statement])).written:
            continue
        first, bound = not bound, True
        if not on_the_way(draft, statement):
            found = []
            continue
        chosen = isinstance(statement, ast.If) and (optional or surely_read([draft.nest.outermost], variable.name))
        definite = variable.name in use.definite or (first and chosen)
        fresh = definite and variable.name not in use.exposed
        found = [statement] if fresh else [*found, statement] if found else []
    return found or None


def _is_of_entry(draft: Draft, variable: Variable) -> bool:
    """Whether the entry function makes what the loop finds: under a name of its own, or as an attribute that it alone binds."""
    if not is_state(variable.name):
        return variable.scope is draft.nest.entry.scope
    return is_bound_plainly(draft, variable)


@dataclass(frozen=True)
class Making:
    """The statements that make several variables together, and the names that they bind."""

    draft: Draft
    statements: list[ast.stmt]
    names: frozenset[str]
    bar: ast.stmt | None = None
    """What makes the bar of the loop, in whose place the Trainer shows its own."""

    def may_run_later(self) -> bool:
        """Whether they do the same at the start of fit, after all that stands between them and the loop."""
        roles = self.draft.roles
        if any(runs_property(roles, node) for s in self.statements for node in walk(s)):
            return False
        return all(self._only_binds(s) and not self._asks_of_now(s) and self._waits(s) for s in self.statements)

    def _asks_of_now(self, statement: ast.stmt) -> bool:
        """Whether a statement asks a network for its mode or its place, which the Trainer changes before it asks for optimizers."""
        roles, scope = self.draft.roles, self.draft.nest.entry.scope
        asked = [n for n in walk(statement) if isinstance(n, ast.Attribute) and n.attr in OF_NOW]
        functions = [f for n in walk(statement) if isinstance(n, ast.Call) for f in functions_run(roles, n)]
        modes = [n for f in functions for n in walk(f) if isinstance(n, ast.Attribute) and n.attr == "training"]
        return bool(modes) or any(roles.role(scope, root_name(n)) is Role.MODEL for n in asked)

    def _only_binds(self, statement: ast.stmt) -> bool:
        """Whether a statement does no more than binding names to what calls give, whichever way its tests go."""
        match statement:
            case ast.For() | ast.Assign() if owners := groups_set(self.draft, statement):
                return all(owner.id in self.names for owner in owners)
            case ast.Assign(targets=[target]):
                return bool(only_names(target))
            case ast.If(test=test, body=body, orelse=orelse):
                return only_asks(self.draft.roles, test) and all(self._only_binds(s) for s in [*body, *orelse])
            case ast.Expr(value=ast.Call(func=ast.Name(id="print"), args=args, keywords=[])):
                return not any(isinstance(n, ast.Call | ast.NamedExpr | ast.Await) for a in args for n in walk(a))
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=owner)), args=args, keywords=[])):
                return owner in self.names and all(isinstance(a, ast.Name | ast.Constant) for a in args)
            case ast.For(target=ast.Name(), iter=ast.Call(func=ast.Name(id="range"), args=args), body=body, orelse=[]):
                return all(self._is_number(a) for a in args) and all(self._only_binds(s) for s in body)
        return isinstance(statement, ast.Pass | ast.Raise)

    def _is_number(self, part: ast.expr) -> bool:
        """Whether a part of a range only reckons with numbers."""
        calls = [n for n in walk(part) if isinstance(n, ast.Call)]
        if any(isinstance(n, ast.NamedExpr | ast.Await) for n in walk(part)):
            return False
        scope = self.draft.nest.entry.scope
        return all(
            isinstance(c.func, ast.Name) and c.func.id in _RECKONS and self.draft.roles.key(scope, c.func.id) is None
            for c in calls
        )

    def _waits(self, statement: ast.stmt) -> bool:
        draft, scope = self.draft, self.draft.nest.entry.scope
        if any(isinstance(n, ast.NamedExpr | ast.Await) for n in walk(statement)):
            return False
        if draft.effects.draws(statement, scope) or asks_anew(draft.roles, statement, self.names):
            return False
        if asks_a_rule_anew(draft, statement):
            return False
        used = set(flow([statement]).read) - self.names
        if used & self._changed_later(statement) or any(map(self._is_defined_inside, used)):
            return False
        behind = [*rest_of_blocks(draft, statement), *statements_between(draft, statement.lineno)]
        passed = [s for s in behind if s not in self.statements]
        calls = [n for s in passed for n in walk(s) if isinstance(n, ast.Call)]
        if _speaks(draft, statement) and not all(_is_silent(draft, call) for call in calls):
            return False
        shows = _raises(draft, statement) or _logs(draft, statement)
        shown = [n for s in passed if s is not self.bar for n in walk(s) if isinstance(n, ast.Call)]
        if shows and any(may_show(draft.roles, call) for call in shown):
            return False
        if (told := writes_elsewhere(draft.roles, statement)) and told & names_reached(draft.source, passed):
            return False
        parts = [part for s in passed for part in ways_on(s)]
        if (read := reads_elsewhere(draft.roles, statement)) and are_set(draft.roles, scope, read, parts):
            return False
        same = SameParameters(draft.roles, scope, self.statements)
        used = {n for n in used if not self._is_static(n)} | (same.used_by(statement) - self.names)
        return all(same.after(part, used) and not _object_may_change(draft, part, used) for part in parts)

    def _is_static(self, name: str) -> bool:
        """Whether a name stands for nothing but an import, a function or a class: it means the same later."""
        key = self.draft.roles.key(self.draft.nest.entry.scope, name)
        return key is not None and self.draft.variables.is_static(key)

    def _is_defined_inside(self, name: str) -> bool:
        """Whether a name is a definition or an import of the entry function's own, which the module may not see."""
        scope = self.draft.nest.entry.scope
        key = self.draft.roles.key(scope, name)
        inside = key is not None and not isinstance(scope, ast.Module) and key[0] is scope
        return inside and key is not None and self.draft.variables.is_static(key)

    def _changed_later(self, statement: ast.stmt) -> set[str]:
        """What has another value in the loop: its own counters, and all that a lambda would read only then."""
        nest = self.draft.nest
        loops = [loop for loop in (nest.epochs, nest.batches) if loop is not None]
        changed = {name for loop in loops for name in loop_names(loop)}
        if any(isinstance(n, ast.Lambda) for n in walk(statement)):
            use = self.draft.variables.sequence(self.draft.all_items())
            changed |= {v.name for v in use.written if v.scope is nest.entry.scope}
        return changed


def _object_may_change(draft: Draft, statement: ast.AST, used: Collection[str]) -> bool:
    """Whether a statement runs methods of the script's own object that may touch what a construction reads of it."""
    escapes = draft.roles.escapes
    if escapes is None or not any(is_state(name) for name in used):
        return False
    read, written = escapes.through_calls(statement)
    return bool((read | written) & set(used)) or escapes.touches(statement, draft.nest.entry.scope)


def _speaks(draft: Draft, statement: ast.stmt, depth: int = 3) -> bool:
    """Whether a statement, or a function of the project that it calls, prints: that has its place among the other output."""
    for node in walk_scope(statement):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id == "print":
            return True
        own = _function_called(draft, node)
        if own is not None and depth and any(_speaks(draft, s, depth - 1) for s in own.body):
            return True
        if depth and any(_speaks(draft, s, 0) for m in methods_run(draft.roles, node) for s in m.body):
            return True
        made = definition_of(draft.roles, node.func)
        if isinstance(made, ast.ClassDef) and depth and any(_speaks(draft, s, depth - 1) for s in _run_by_making(made)):
            return True
    return False


def _logs(draft: Draft, statement: ast.stmt) -> bool:
    """Whether what a statement runs of the project tells a log, which has its place among what else is told."""
    called = [n for n in walk(statement) if isinstance(n, ast.Call)]
    run = [m for c in called for m in (*functions_run(draft.roles, c), *methods_run(draft.roles, c))]
    parts: list[ast.AST] = [statement, *run]
    return any(
        isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr in _LOGS
        for part in parts
        for n in walk(part)
    )


def _raises(draft: Draft, statement: ast.stmt) -> bool:
    """Whether a statement, or a function of the project that it calls, raises an error, which has its place among what is shown."""
    run = [f for n in walk(statement) if isinstance(n, ast.Call) for f in functions_run(draft.roles, n)]
    return any(isinstance(n, ast.Raise) for part in (statement, *run) for n in walk(part))


def _run_by_making(definition: ast.ClassDef) -> list[ast.stmt]:
    """What may run when an object is made: all of its methods, when torch makes it of them."""
    methods = [m for m in definition.body if isinstance(m, ast.FunctionDef)]
    names = ("__init__", "__new__", "__post_init__")
    return [s for m in methods if definition.bases or m.name in names for s in m.body]


def _is_silent(draft: Draft, call: ast.Call) -> bool:
    """Whether a call shows and keeps nothing: a clock that is read, a model that is moved or set to a mode."""
    match call.func:
        case ast.Attribute(value=ast.Name() as owner, attr="train" | "eval" | "to" | "cuda" | "cpu" as method):
            own = any(f.name == method and draft.source.in_class(f) for f in draft.source.functions)
            return not own and draft.roles.of(owner, draft.nest.entry.scope) is Role.MODEL
        case ast.Name(id="len" | "range" | "float" | "int" | "str" as name):
            return draft.source.function(name) is None
    return draft.roles.full_name(call.func) in ("time.time", "time.perf_counter", "torch.device")


def _function_called(draft: Draft, call: ast.Call) -> ast.FunctionDef | None:
    if isinstance(call.func, ast.Attribute):
        methods = [f for f in draft.source.functions if f.name == call.func.attr]
        return methods[0] if len(methods) == 1 and isinstance(methods[0], ast.FunctionDef) else None
    found = definition_of(draft.roles, call.func)
    return found if isinstance(found, ast.FunctionDef) else None
