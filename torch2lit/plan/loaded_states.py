"""States that a script loads into its optimizer or scheduler before the loop: the module loads them where it makes the two.

optimizer = Adam(...)                                              optimizer_state = None
if args.resume:                                                    if args.resume:
    checkpoint = torch.load(args.resume)                    →          checkpoint = torch.load(args.resume)
    optimizer.load_state_dict(checkpoint["optimizer"])                 optimizer_state = checkpoint["optimizer"]

What is surely loaded is not None; and what has a name already is handed over under it:

    start, state = load(args.resume, model)                            start, state = load(args.resume, model)
    if state is not None:                                       →
        optimizer.load_state_dict(state)
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..recover.names import flow, target_names
from ..recover.roles import Role
from ..recover.state_names import is_state
from ..recover.syntax import dotted, root_name, walk
from ..recover.variables import Variable
from .draft import Draft
from .statements_between import statements_between

_MOVES = {"to", "cuda", "cpu", "float", "double", "half", "bfloat16", "type", "load_state_dict_hook"}
_CHANGES = {"update", "pop", "popitem", "clear", "setdefault", "append", "extend", "insert", "remove"}
"""What changes a state, or a part of it, in place."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A state that is loaded: into what, by which statements, what it is called until then, and what made the object.

    ``surely``: nothing decides whether it is. ``named``: the script has that name for it; ``bound``: on every way to the loop.
    """

    variable: Variable
    statements: tuple[ast.Expr, ...]
    name: str
    made: ast.stmt
    surely: bool = False
    named: bool = False
    bound: bool = False

    @property
    def maybe(self) -> ast.Expr | None:
        """The one statement that loads it, if something decides whether it does."""
        return self.statements[0] if len(self.statements) == 1 and not self.surely else None


def loaded_states(draft: Draft, variables: list[Variable], making: list[ast.stmt]) -> list[Loaded]:
    """What is loaded into the objects between their making and the loop, when that may as well happen in the module."""
    if draft.source.view is not None:
        return []
    found = []
    for variable in variables:
        loads = [s for s in draft.source.all(ast.Expr) if _loads(draft, s, variable, making)]
        made = [s for s in making if _chooses(s, variable.name) or _makes(s, variable.name)]
        if len(made) == 1:  # what is loaded elsewhere goes to the object that another training has
            end = made[0].end_lineno or made[0].lineno
            loads = [s for s in loads if end < s.lineno < draft.nest.outermost.lineno]
        if not loads or len(made) != 1 or "{" in "".join(map(draft.source.segment, loads)):
            continue
        if any(loads[0].lineno < s.lineno < loads[-1].lineno for s in making):
            continue  # one of the two comes before what is made of the state, the other one behind it
        surely = len(loads) == 1 and loads[0] in draft.source.block_of(made[0])
        given = given_name(draft, loads)
        tests = [test for s in loads if (test := test_of(draft, s)) is not None]
        bound = len(loads) == 1 and (tests[0] if tests else loads[0]) in draft.source.block_of(made[0])
        own = _own_name(draft, loads[0]) if surely else given
        name = own or f"{variable.name}_state"
        if not own and name in draft.source.names:
            continue
        if any(";" in draft.source.lines[s.lineno - 1] for s in [*loads, *made]):
            continue
        if all(_may_wait(draft, s, made[0]) for s in loads):
            found.append(Loaded(variable, tuple(loads), name, made[0], surely, bool(own), bound))
    return found


def state_of(load: ast.Expr) -> ast.expr:
    """What a statement loads."""
    assert isinstance(load.value, ast.Call)
    return load.value.args[0]


def test_of(draft: Draft, load: ast.Expr) -> ast.If | None:
    """The test whether there is a state, when it decides about its loading alone."""
    parent = draft.source.parents[load]
    match parent, state_of(load):
        case (
            ast.If(
                test=ast.Compare(left=ast.Name(id=asked), ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]),
                body=[_],
                orelse=[],
            ),
            ast.Name(id=name),
        ) if asked == name:
            return parent if isinstance(parent, ast.If) and draft.source.segment(parent)[:2] == "if" else None
    return None


def given_name(draft: Draft, loads: list[ast.Expr]) -> str:
    """The variable of the entry scope that is bound right before each loading, and for nothing else; "" when it is none."""
    states = [state_of(s) for s in loads]
    names = {s.id for s in states if isinstance(s, ast.Name)}
    if len(names) != 1 or not all(isinstance(s, ast.Name) for s in states):
        return ""
    if len(loads) > 1 and any(test_of(draft, s) is not None for s in loads):
        return ""  # the one that was loaded before stays when there is none
    name = names.pop()
    above = [_above(draft, test_of(draft, s) or s) for s in loads]
    binding = [s for s in above if isinstance(s, ast.Assign) and name in flow([s]).definite]
    inside: list[ast.AST] = [*binding, *(test_of(draft, s) or s for s in loads)]
    known = {id(n) for s in inside for n in walk(s)}
    alone = all(id(n) in known for n in _mentions(draft, name)) and not is_state(name)
    return name if alone and len(binding) == len(loads) else ""


def _mentions(draft: Draft, name: str) -> list[ast.Name]:
    """Where the variable of the entry scope is named."""
    key = draft.roles.key(draft.nest.entry.scope, name)
    named = [n for n in draft.source.all(ast.Name) if n.id == name]
    return [n for n in named if draft.roles.key(draft.source.scope_of(n), name) == key]


def _above(draft: Draft, statement: ast.stmt) -> ast.stmt | None:
    """The statement before it that does not load a state."""
    block = draft.source.block_of(statement)
    before = block[: block.index(statement)] if statement in block else []
    return next((s for s in reversed(before) if not _only_loads(s)), None)


def _only_loads(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(), attr="load_state_dict"), args=[ast.Name()])):
            return True
        case ast.If(test=ast.Compare(left=ast.Name(), ops=[ast.IsNot()]), body=[inner], orelse=[]):
            return _only_loads(inner)
    return False


def _own_name(draft: Draft, load: ast.Expr) -> str:
    """The variable of the entry scope that holds the state until the loop starts; "" when it is none."""
    state = state_of(load)
    variable = draft.variable(state, draft.nest.entry)
    if variable is None or not isinstance(state, ast.Name) or variable.scope is not draft.nest.entry.scope:
        return ""
    later = (n for s in statements_between(draft, load.lineno) for n in walk(s))
    named = any(isinstance(n, ast.Name) and n.id == state.id for n in later)
    return "" if named or is_state(state.id) else state.id


def _makes(statement: ast.stmt, name: str) -> bool:
    match statement:
        case ast.Assign(targets=[ast.Name(id=bound)]):
            return bound == name
    return False


def _chooses(statement: ast.stmt, name: str) -> bool:
    """Whether a statement makes what a name holds, whichever way its tests go."""
    return isinstance(statement, ast.If) and name in (use := flow([statement])).definite and name not in use.exposed


def _loads(draft: Draft, statement: ast.Expr, variable: Variable, making: list[ast.stmt]) -> bool:
    match statement.value:
        case ast.Call(func=ast.Attribute(value=ast.Name() as owner, attr="load_state_dict"), args=[state], keywords=[]):
            scope = draft.source.scope_of(statement)
            if scope is not variable.scope or draft.variable(owner, draft.nest.entry) is not variable:
                return False
            names = {n.id for n in walk(state) if isinstance(n, ast.Name)}
            return not any(_makes(s, name) for s in making for name in names)
    return False


def _may_wait(draft: Draft, load: ast.Expr, made: ast.stmt) -> bool:
    """Whether a state may be kept until the Trainer starts: it is loaded at most once, and parameters keep device and kind after that."""
    if not _errors_end_the_program(draft, load):
        return False
    top: ast.AST = load
    while top not in draft.source.block_of(made):
        parent = draft.source.parents[top]
        if not isinstance(parent, ast.If | ast.With):
            return False
        top = parent
    read = _names_of_parts(draft, state_of(load))
    later = [s for s in statements_between(draft, made.lineno) if (s.end_lineno or 0) > load.lineno]
    for node in (n for s in later for n in walk(s)):
        if getattr(node, "lineno", 0) <= load.lineno:
            continue
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name() as owner, attr=method)) if method in _MOVES:
                if draft.roles.of(owner, draft.nest.entry.scope) is Role.MODEL:
                    return False
        if _changes(node, read) or _hands_to_what_changes(draft, node, read):
            return False
    return True


def _changes(node: ast.AST, parts: set[str] | None) -> bool:
    """Whether the node changes in place what one of these names holds; None stands for any name."""
    match node:
        case ast.Subscript(ctx=ast.Store() | ast.Del()):
            return parts is None or root_name(node) in parts
        case ast.Call(func=ast.Attribute(value=owner, attr=method)) if method in _CHANGES:
            return parts is None or root_name(owner) in parts
    return False


def _hands_to_what_changes(draft: Draft, node: ast.AST, parts: set[str]) -> bool:
    """Whether a function of the script's that changes anything in place is given a part."""
    if not isinstance(node, ast.Call):
        return False
    function = draft.source.function(dotted(node.func))
    given = any(root_name(a) in parts for a in (*node.args, *(k.value for k in node.keywords)))
    return function is not None and given and any(_changes(n, None) for n in walk(function))


def _errors_end_the_program(draft: Draft, load: ast.Expr) -> bool:
    """Whether nothing takes an error of the loading that would not take one of the training as well."""
    around_both = {*draft.source.ancestors(draft.nest.outermost)}
    return all(
        isinstance(a, ast.If) or (isinstance(a, ast.With) and all(_lets_errors_out(draft, i) for i in a.items))
        for a in draft.source.ancestors(load)
        if a not in around_both
    )


def _lets_errors_out(draft: Draft, item: ast.withitem) -> bool:
    """Whether a context is known to suppress nothing: a file that is open, or one of PyTorch's own."""
    if not isinstance(item.context_expr, ast.Call):
        return False
    full = draft.roles.full_name(item.context_expr.func) or dotted(item.context_expr.func)
    return full.startswith("torch.") or (full == "open" and draft.source.function("open") is None)


def _names_of_parts(draft: Draft, state: ast.expr) -> set[str]:
    """The names in the expression of a state, and those that the script gives to parts of what they name."""
    known = {n.id for n in walk(state) if isinstance(n, ast.Name)} - {*draft.roles.origins}
    size = 0
    while size != len(known):
        size = len(known)
        parts = [(one.value, one.targets) for one in draft.source.all(ast.Assign)]
        parts += [(one.iter, [one.target]) for one in draft.source.all(ast.For)]
        for value, targets in parts:
            if root_name(value) in known:
                known |= {name for target in targets for name in target_names(target)}
    return known
