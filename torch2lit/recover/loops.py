"""What a `for` loop runs over: a loader, a range, or something unknown, with its wrappers taken off."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import Enum

from .batch_sources import source_makings
from .makings import Value, sources, yields
from .names import bound_names, target_names
from .own_words import is_meant
from .roles import Role, Roles, is_loader_name
from .syntax import Scope, dotted

_BARS = {
    "tqdm",
    "TQDM",
    "trange",
    "track",
    "progress_bar",
    "tqdm_notebook",
    "master_bar",
    "ProgressBar",
    "progressbar",
}


DATA_LOADERS = {"torch.utils.data.DataLoader", "torch.utils.data.dataloader.DataLoader"}
"""The full names of torch's own loader."""


class Iterable(str, Enum):
    """The kind of thing that a loop runs over."""

    LOADER = "loader"
    RANGE = "range"
    TURNS = "turns"
    """A `while` loop: it turns until its condition fails."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Loop:
    """A `for` loop, seen through ``enumerate`` and progress bars, or a `while` loop, which has no items.

    ``items`` is the target for one element; ``index`` the counter of ``enumerate`` and ``first`` its start;
    ``base`` the expression below all wrappers; ``bar_name`` the variable that holds the wrapped loader. ``asks_twice``: the bar
    asks for an iterator when it is made, and for another one when the loop starts; a DataLoader draws a random number for each.
    ``started`` is the statement in front of the loop that starts the loader already: ``batches = enumerate(loader)``.
    """

    node: ast.For | ast.While
    kind: Iterable
    base: ast.expr
    items: ast.expr
    index: str | None
    first: ast.expr | None
    bar: bool
    bar_name: str | None
    asks_twice: bool = False
    started: ast.stmt | None = None


def describe_any(node: ast.For | ast.While, scope: Scope, roles: Roles) -> Loop:
    """The loop, of whichever kind it is. A `while` loop turns over an endless count."""
    if isinstance(node, ast.While):
        count = ast.Call(ast.Attribute(ast.Name("itertools", ast.Load()), "count", ast.Load()), [], [])
        return Loop(node, Iterable.TURNS, count, ast.Tuple([], ast.Store()), None, None, False, None)
    return describe(node, scope, roles)


def describe(node: ast.For, scope: Scope, roles: Roles) -> Loop:
    """Look through the wrappers of a loop's iterable."""
    items: ast.expr = node.target
    index: str | None = None
    first: ast.expr | None = None
    bar = False
    bar_name: str | None = None
    base: ast.expr = node.iter
    asks_twice = False
    before: ast.stmt = node
    once = False
    started: ast.stmt | None = None
    seen = 0
    while seen < 8:
        seen += 1
        if isinstance(base, ast.NamedExpr):
            bar_name = base.target.id
            base = base.value
            continue
        if isinstance(base, ast.Name) and (found := _wrapper_behind(base, before, scope, roles)) is not None:
            value, before = found
            if not (bar or is_bar_call(value)) and _read_elsewhere(base.id, node, value, scope):
                break
            starts = any(
                isinstance(n, ast.Call) and dotted_call(n) in ("enumerate", *_ITERATORS) for n in ast.walk(value)
            )
            if starts and _asked_itself(base.id, node, value, scope, roles):
                break  # it stays, and would start its loader beside the Trainer
            once = once or not _made_for(node, value, roles)
            if once and starts:
                break  # it is used up after the first time
            started = before if starts else started
            bar_name = base.id
            base = value
            continue
        if bar and isinstance(base, ast.Name) and base.id == bar_name and before is not node:
            held = _held_before(base.id, before, scope, roles)
            if held is not None and not _asked_itself(base.id, node, base, scope, roles):
                base = held
                continue
        if isinstance(base, ast.IfExp) and (inner := _same_below(base)) is not None:
            if any(asks_for_itself(side, roles) for side in (base.body, base.orelse)):
                break  # it draws a random number where there is a bar, and none where there is not
            bar, base = True, inner
            continue
        if not isinstance(base, ast.Call):
            break
        if not is_meant(base.func, scope, roles):
            break
        last = dotted(base.func).rpartition(".")[2]
        if (
            last == "enumerate"
            and base.args
            and isinstance(items, ast.Tuple)
            and len(items.elts) == 2
            and index is None
        ):
            counter = items.elts[0]
            if not isinstance(counter, ast.Name):
                break
            asks_twice = False
            index = counter.id
            first = base.args[1] if len(base.args) > 1 else next((k.value for k in base.keywords), None)
            items = items.elts[1]
            base = base.args[0]
        elif last in _BARS and (base.args or any(k.arg == "iterable" for k in base.keywords)):
            bar = bar or _is_shown(base)
            asks_twice = asks_for_itself(base, roles)
            if last == "trange":
                call = ast.Call(ast.Name("range", ast.Load()), base.args[:3], [])
                base = ast.copy_location(call, base)
            else:
                base = base.args[0] if base.args else next(k.value for k in base.keywords if k.arg == "iterable")
        else:
            break
    kind = Iterable.LOADER if _zips_loaders(base, items, scope, roles) else _kind(base, scope, roles)
    asks_twice = asks_twice and not once and dotted_call(base) not in _ITERATORS
    return Loop(node, kind, base, items, index, first, bar, bar_name, asks_twice, started)


def _is_shown(bar: ast.Call) -> bool:
    """Whether a bar is not switched off for good, as by ``tqdm(loader, disable=True)``."""
    off = (k.value for k in bar.keywords if k.arg == "disable")
    return not any(isinstance(value, ast.Constant) and value.value is True for value in off)


_ITERATORS = ("zip", "iter", "map", "filter", "reversed")


def asks_for_itself(node: ast.expr, roles: Roles) -> bool:
    """Whether a bar is one of tqdm's that can be awaited: it makes an iterator at once of what is none yet."""
    if not isinstance(node, ast.Call) or not roles.full_name(node.func).startswith(("tqdm.auto.", "tqdm.asyncio.")):
        return False
    return bool(node.args) or any(k.arg == "iterable" for k in node.keywords)


def _zips_loaders(base: ast.expr, items: ast.expr, scope: Scope, roles: Roles) -> bool:
    """Whether the loop runs over several loaders side by side, each batch unpacked at once or taken by its number only."""
    match base:
        case ast.Call(func=ast.Name(id="zip"), args=[_, _, *_] as loaders, keywords=[]):
            unpacked = isinstance(items, ast.Tuple) and len(items.elts) == len(loaders)
            taken = unpacked or (isinstance(items, ast.Name) and _is_only_indexed(items, scope, roles))
            taken = taken and is_meant(base.func, scope, roles)
            return taken and all(_kind(loader, scope, roles) is Iterable.LOADER for loader in loaders)
    return False


def _is_only_indexed(target: ast.Name, scope: Scope, roles: Roles) -> bool:
    """Whether nobody sees more of a name than single elements, so that it may hold a list as well as a tuple."""
    key = roles.key(scope, target.id)
    if key is None or roles.rebound_unseen(key):
        return False
    parents = roles.source.parents
    for use in roles.mentions(key):
        above = parents.get(use)
        number = above.slice if isinstance(above, ast.Subscript) and above.value is use else None
        counted = isinstance(number, ast.Constant) and isinstance(number.value, int)
        if use is not target and not (counted and isinstance(above, ast.Subscript) and isinstance(above.ctx, ast.Load)):
            return False
    return True


def _wrapper_behind(name: ast.Name, before: ast.stmt, scope: Scope, roles: Roles) -> tuple[ast.expr, ast.stmt] | None:
    """The ``tqdm(...)``, ``enumerate(...)`` or ``zip(...)`` that a looped-over name surely holds, and the statement that says so; None for
    anything else."""
    key = roles.key(scope, name.id)
    bindings = roles.bindings(key) if key else []
    found: tuple[ast.expr, ast.stmt] | None = None
    if bindings and bindings[0].statement is before:
        return None  # a value made of what the name held before
    if len(bindings) == 1 and bindings[0].index is None and bindings[0].value is not None:
        found = bindings[0].value, bindings[0].statement if key is not None and key[0] is scope else before
    elif key is not None and key[0] is scope:
        found = _last_value(name.id, before, scope, roles)
    if found is not None and (is_bar_call(found[0]) or dotted_call(found[0]) in ("enumerate", "zip")):
        return found
    return None


def _made_for(loop: ast.For, value: ast.expr, roles: Roles) -> bool:
    """Whether the value is made anew each time that the loop starts: in the same turn of the loop around it."""
    return _loop_around(loop, roles) is _loop_around(value, roles)


def _loop_around(node: ast.AST, roles: Roles) -> ast.AST | None:
    parents = roles.source.parents
    while node in parents:
        node = parents[node]
        if isinstance(node, ast.For | ast.While | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.Module):
            return node
    return None


def _read_elsewhere(name: str, loop: ast.For, value: ast.expr, scope: Scope) -> bool:
    """Whether something else than the loop's head reads the name: it may take an element away."""
    heads = {id(n) for part in (loop.iter, value) for n in ast.walk(part)}
    return any(
        isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load) and id(n) not in heads
        for n in ast.walk(scope)
    )


def _asked_itself(name: str, loop: ast.For, value: ast.expr, scope: Scope, roles: Roles) -> bool:
    """Whether something looks at the object, its length perhaps, other than by a statement that calls one of its methods."""
    heads = {id(n) for part in (loop.iter, value) for n in ast.walk(part)}
    for node in ast.walk(scope):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load) and id(node) not in heads:
            if name in bound_names([roles.source.statement_of(node)]):
                continue  # another bar around it
            method = roles.source.parents.get(node)
            if isinstance(method, ast.Attribute) and method.attr == "desc" and isinstance(method.ctx, ast.Store):
                continue  # the text of a bar
            call = roles.source.parents.get(method) if isinstance(method, ast.Attribute) else None
            if not isinstance(call, ast.Call) or not isinstance(roles.source.parents.get(call), ast.Expr):
                return True
            if isinstance(method, ast.Attribute) and method.attr == "__next__":
                return True
    return False


def _last_value(name: str, place: ast.stmt, scope: Scope, roles: Roles) -> tuple[ast.expr, ast.stmt] | None:
    """What a name was given last before a statement, by one or a `with` that surely ran, and by which; None when unknown."""
    parents = roles.source.parents
    current: ast.AST = place
    while current is not scope:
        parent = parents[current]
        for block in _blocks(parent):
            if current in block:
                for earlier in reversed(block[: block.index(current)]):
                    match earlier:
                        case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                            return value, earlier
                        case ast.If(body=[ast.Assign(targets=[ast.Name(id=target)], value=value)], orelse=[]) if (
                            target == name and is_bar_around(value, name) and not asks_for_itself(value, roles)
                        ):
                            return value, earlier
                    if name in bound_names([earlier]):
                        bar = _bar_around_the_same(earlier, name, block)
                        return (bar, earlier) if bar is not None and not asks_for_itself(bar, roles) else None
        if isinstance(parent, ast.With):
            for item in parent.items:
                match item.optional_vars:
                    case ast.Name(id=target) if target == name:
                        return item.context_expr, parent
        if isinstance(parent, ast.For | ast.While) and name in bound_names([parent]):
            return None
        current = parent
    return None


def _held_before(name: str, bar: ast.stmt, scope: Scope, roles: Roles) -> ast.expr | None:
    """The loader under another name that a name holds in front of an `if` that puts a bar around it: ``batches = loader``."""
    found = _last_value(name, bar, scope, roles)
    if found is None or not isinstance(found[0], ast.Name) or not isinstance(bar, ast.If):
        return None
    block = next((b for b in _blocks(roles.source.parents[bar]) if bar in b and found[1] in b), None)
    if block is None or found[0].id in bound_names(block[block.index(found[1]) : block.index(bar) + 1]):
        return None
    return found[0]


def _bar_around_the_same(statement: ast.stmt, name: str, block: list[ast.stmt]) -> ast.expr | None:
    """The bar that an `if` may give a name, when it is around what the name holds already: ``if rank == 0: batches = tqdm(loader)``."""
    if not isinstance(statement, ast.If) or statement.orelse:
        return None
    stores = [s for s in statement.body if name in bound_names([s])]
    before = [s for s in block[: block.index(statement)] if name in bound_names([s])]
    match stores, before[-1:]:
        case [ast.Assign(targets=[ast.Name()], value=ast.Call(args=[inner, *_]) as bar)], [
            ast.Assign(targets=[ast.Name()], value=held)
        ] if is_bar_call(bar) and ast.dump(inner) == ast.dump(held):
            between = block[block.index(before[-1]) + 1 : block.index(statement) + 1]
            kept = {n.id for n in ast.walk(held) if isinstance(n, ast.Name)}
            return bar if not kept & set(bound_names(between)) else None
    return None


def is_bar_around(value: ast.expr, name: str) -> bool:
    """Whether a value is a progress bar around what the name holds already: with or without it, the loop sees the same."""
    match value:
        case ast.Call(args=[ast.Name(id=inner), *_]) if inner == name:
            return is_bar_call(value)
    return False


def _blocks(node: ast.AST) -> list[list[ast.stmt]]:
    return [block for field in ("body", "orelse", "finalbody") if isinstance(block := getattr(node, field, None), list)]


def is_bar_call(node: ast.expr) -> bool:
    """Whether an expression makes a progress bar."""
    return dotted_call(node).rpartition(".")[2] in _BARS


def _same_below(node: ast.IfExp) -> ast.expr | None:
    """``loader`` for ``tqdm(loader) if rank == 0 else loader``."""
    sides = []
    for side in (node.body, node.orelse):
        if isinstance(side, ast.Call) and dotted(side.func).rpartition(".")[2] in _BARS and side.args:
            side = side.args[0]
        sides.append(side)
    return sides[0] if ast.unparse(sides[0]) == ast.unparse(sides[1]) else None


def _kind(base: ast.expr, scope: Scope, roles: Roles) -> Iterable:
    if isinstance(base, ast.Call) and dotted(base.func) in ("range", "np.arange"):
        return Iterable.RANGE if _is_range(base, scope, roles) else Iterable.UNKNOWN
    if isinstance(base, ast.Name):
        key = roles.key(scope, base.id)
        bindings = roles.bindings(key) if key else []
        if len(bindings) == 1 and bindings[0].index is None and _is_range(bindings[0].value, scope, roles):
            return Iterable.RANGE
    if isinstance(base, ast.Name) and is_loader_name(base.id) and roles.key(scope, base.id) is None:
        unknown = any(_is_no_loader(p) for p in sources(Value(base, scope, roles)))
        return Iterable.UNKNOWN if unknown else Iterable.LOADER  # of `from data import *`
    if isinstance(base, ast.Name) and _is_list(base, scope, roles):
        return Iterable.UNKNOWN
    if isinstance(base, ast.Name | ast.Attribute | ast.Subscript) and roles.of(base, scope) is Role.LOADER:
        return (
            Iterable.UNKNOWN if any(_is_no_loader(p) for p in sources(Value(base, scope, roles))) else Iterable.LOADER
        )
    if isinstance(base, ast.Call) and roles.of(base, scope) is Role.LOADER:
        return Iterable.LOADER
    made = _is_made_as_loader(base, scope, roles) or source_makings(Value(base, scope, roles))
    return Iterable.LOADER if made else Iterable.UNKNOWN


def _is_range(node: ast.AST | None, scope: Scope, roles: Roles) -> bool:
    """Whether a range is made whose bounds stand there one by one; ``range(*bounds)`` does not tell which is which."""
    match node:
        case ast.Call(func=ast.Name(id="range") as made, args=[_] | [_, _] | [_, _, _] as bounds, keywords=[]):
            return not any(isinstance(bound, ast.Starred) for bound in bounds) and is_meant(made, scope, roles)
    return False


def _is_made_as_loader(base: ast.expr, scope: Scope, roles: Roles) -> bool:
    """Whether the project's own functions or containers surely give a DataLoader of torch's."""
    if not isinstance(base, ast.Name | ast.Attribute | ast.Subscript):
        return False
    parts = sources(Value(base, scope, roles))
    return bool(parts) and all(
        isinstance(p.node, ast.Call) and p.roles.full_name(p.node.func) in DATA_LOADERS for p in parts
    )


_COLLECTIONS = (
    ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip
_GIVES_NO_LOADER = frozenset({
    "list", "tuple", "sorted", "reversed", "set", "dict", "map", "zip", "filter", "iter", "enumerate", "range", "pickle.load",
    "pickle.loads", "json.load", "json.loads", "joblib.load", "open",
})  # fmt: skip
_PARTS_OF_A_WHOLE = {"split", "chunk", "unbind", "view", "reshape", "values", "items", "keys", "tolist"}


def _is_no_loader(value: Value) -> bool:
    """Whether a loop over the value surely runs over no loader, whatever its name is: a collection, tensors, an iterator."""
    node, roles = value.node, value.roles
    if isinstance(node, _COLLECTIONS):
        return True
    if not isinstance(node, ast.Call):
        return False
    full = roles.full_name(node.func)
    if full in _GIVES_NO_LOADER and roles.key(value.scope, full) is None:
        return True
    if full.startswith(("numpy.", "itertools.", "torch.")) and not full.startswith("torch.utils.data."):
        return True
    if isinstance(node.func, ast.Attribute) and node.func.attr in _PARTS_OF_A_WHOLE:
        return True
    own = roles.function_named(full) if full else None
    return own is not None and yields(own[0])


def _is_list(base: ast.Name, scope: Scope, roles: Roles) -> bool:
    """Whether the name is bound to a list somewhere: Lightning would take its elements for several loaders."""
    key = roles.key(scope, base.id)
    values = [b.value for b in roles.bindings(key) if b.index is None] if key else []
    return any(
        isinstance(v, ast.List | ast.ListComp | ast.Tuple) or dotted_call(v) in ("list", "tuple", "sorted")
        for v in values
    )


def dotted_call(node: ast.expr) -> str:
    """The dotted name of the function that an expression calls, "" when it is no call."""
    return dotted(node.func) if isinstance(node, ast.Call) else ""


def loop_names(loop: Loop) -> list[str]:
    """The names that the loop itself binds for each element."""
    return ([loop.index] if loop.index else []) + target_names(loop.items)
