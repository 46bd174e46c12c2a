"""Loops over a generator of the script's own that loops over what it is given.

for image, target in logger.log_every(loader, 10):          i = 0
    loss = criterion(model(image), target)                  for image, target in loader:
    ...                                              →          loss = criterion(model(image), target)
                                                                ...
                                                                if i % 10 == 0:
                                                                    print(logger)
                                                                i += 1

Python runs the generator's code exactly there: up to its `yield` when the loop asks for a batch, behind it when the loop asks for the next.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..recover.names import bound_names, free_names, target_names
from ..recover.roles import Roles
from ..recover.syntax import Scope, leaves, walk
from ..rewrite.pull_in import OF_PLACE, CannotPullIn, brought_names
from .called import Called, called_by
from .given import Given, Naming, bound_arguments
from .parts import Parts


@dataclass(frozen=True, slots=True)
class GeneratorLoop:
    """A loop, the generator that it runs through, and what the names of the generator are there.

    ``counter`` is what counts the batches of a loop over ``enumerate(...)``, ``target`` what gets each batch. ``imports`` are
    statements that the generator's names need, by the line after which they belong.
    """

    loop: ast.For
    scope: Scope
    called: Called
    given: Given
    counter: ast.Name | None
    target: ast.expr
    imports: tuple[tuple[int, str], ...] = ()

    @property
    def parts(self) -> Parts:
        """The pieces of the generator."""
        return self.called.parts


def find_generator_loops(roles: Roles, path: str) -> list[GeneratorLoop]:
    """Such loops in source order."""
    taken: dict[Scope, set[str]] = {}
    loops = sorted(roles.source.all(ast.For), key=lambda one: one.lineno)
    found = (_seen(roles, loop, path, taken) for loop in loops)
    return [one for one in found if one is not None]


def _seen(roles: Roles, loop: ast.For, path: str, taken: dict[Scope, set[str]]) -> GeneratorLoop | None:
    source, scope = roles.source, roles.source.scope_of(loop)
    counted = _counted(roles, loop, scope)
    call, target = (counted[0], counted[2]) if counted is not None else (loop.iter, loop.target)
    if not isinstance(call, ast.Call) or loop.orelse or not _has_own_lines(roles, loop):
        return None
    if isinstance(source.parents[loop], ast.ClassDef) or isinstance(scope, ast.AsyncFunctionDef):
        return None
    called = called_by(roles, call, scope, path)
    if called is None or not _runs_as_one(called.parts, loop, scope, counted is not None):
        return None
    if source.view is not None or called.parts.function is scope:
        return None
    arguments = bound_arguments(called, call)
    if arguments is None or any(isinstance(n, ast.NamedExpr) for _, one in arguments for n in walk(one)):
        return None
    known = _brought(roles, called, loop, scope)
    if known is None:
        return None
    brought, imports = known
    around = taken.setdefault(scope, _names_around(roles, scope))
    around |= {*brought.values(), *free_names(called.parts.function)}
    given = Naming(called, roles, loop, scope, around).given(arguments, roles.source.segment)
    if given is None or any("\n" in text for text in (source.segment(target), *given.names.values(), *given.made)):
        return None
    given = Given({**given.names, **{name: new for name, new in brought.items() if name != new}}, given.made)
    return GeneratorLoop(loop, scope, called, given, counted[1] if counted is not None else None, target, imports)


def _counted(roles: Roles, loop: ast.For, scope: Scope) -> tuple[ast.expr, ast.Name, ast.expr] | None:
    """The call, the counter and the batch of ``for i, batch in enumerate(generator(...))``."""
    match loop:
        case ast.For(
            target=ast.Tuple(elts=[ast.Name() as counter, batch]),
            iter=ast.Call(func=ast.Name(id="enumerate"), args=[call], keywords=[]),
        ) if roles.key(scope, "enumerate") is None and not isinstance(batch, ast.Starred):
            return call, counter, batch
    return None


def _has_own_lines(roles: Roles, loop: ast.For) -> bool:
    """Whether nothing but a comment stands behind the loop's head."""
    end = loop.iter.end_lineno or loop.lineno
    line = roles.source.lines[end - 1].encode()[loop.iter.end_col_offset or 0 :].decode().lstrip(") ")
    rest = line[1:].strip() if line.startswith(":") else line or "?"
    return (not rest or rest.startswith("#")) and loop.body[0].lineno > end


def _runs_as_one(parts: Parts, loop: ast.For, scope: Scope, counted: bool) -> bool:
    """Whether each turn of the loop runs the code of the generator around its own, and the last one what is behind."""
    if leaves(loop.body, ast.Break) and parts.after:
        return False  # the generator is closed and runs no more of its code
    if leaves(loop.body, ast.Continue) and parts.behind:
        return False
    if counted and parts.passes_over:
        return False
    around = walk(scope)
    return not any(isinstance(n, ast.Name) and n.id in OF_PLACE - {"super"} for n in around)


def _brought(
    roles: Roles, called: Called, loop: ast.For, scope: Scope
) -> tuple[dict[str, str], tuple[tuple[int, str], ...]] | None:
    """What the names that the generator reads outside of itself are called at the loop, and the imports for that; None where one means something else."""
    source = roles.source
    free = free_names(called.parts.function)
    brought: dict[str, str] = {name: name for name in free}
    imports: tuple[tuple[int, str], ...] = ()
    if called.elsewhere is not None:
        outer = next(s for s in source.tree.body if any(n is loop for n in walk(s)))
        try:
            brought, imports = brought_names(source, roles, called.elsewhere, outer.lineno)
        except (CannotPullIn, SyntaxError):
            return None
    new = {text.split()[-1].split(".")[0] for _line, text in imports}
    for name in brought.values():
        key = roles.key(scope, name)
        if name not in new and key is not None and not isinstance(key[0], type(source.tree)):
            return None
        if name in new and key is not None:
            return None
    return brought, imports


def _names_around(roles: Roles, scope: Scope) -> set[str]:
    """What may mean something where the loop stands."""
    if isinstance(scope, ast.Module):
        return {*roles.source.names, *roles.origins}
    found = {n.id for n in walk(scope) if isinstance(n, ast.Name)} | {
        n.arg for n in walk(scope) if isinstance(n, ast.arg)
    }
    declared = {name for n in walk(scope) if isinstance(n, ast.Global | ast.Nonlocal) for name in n.names}
    return found | declared | {*bound_names(scope.body)}


def names_of(target: ast.expr) -> list[str] | None:
    """The names that a loop's target binds; None when it binds anything else."""
    names = target_names(target)
    nodes = [n for n in walk(target) if isinstance(n, ast.expr)]
    plain = all(isinstance(n, ast.Name | ast.Tuple | ast.List) for n in nodes)
    return names if plain and names else None
