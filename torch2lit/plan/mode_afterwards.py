"""Whether the mode in which training leaves a model shows afterwards: behind the loop, in the callers of its function, and in theirs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from ..recover.bindings import Key
from ..recover.mode_paths import Path, Place, block_path, code_path
from ..recover.names import parameter_names
from ..recover.roles import bound_argument
from ..recover.state_names import is_attribute, is_state, is_whole
from ..recover.syntax import Scope, root_name, walk, walk_scope
from ..recover.variables import Variable
from .draft import Draft
from .model_parts import parts_of
from .moved_back import NO_HOLDERS, made_of

_DEEPEST = 6
_COPIES = ("copy.deepcopy", "torch.optim.swa_utils.AveragedModel")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_BLOCKS = ("body", "orelse", "finalbody")


def mode_shows_after(draft: Draft, model: Variable) -> bool:
    """Whether anything that runs after the loop may see the mode of a model before it switches the model itself."""
    entry = draft.nest.entry.scope
    key = draft.roles.key(entry, model.name)
    if (is_attribute(model.name) and _is_handed_whole(draft)) or key != (model.scope, model.name):
        return True
    return _Afterwards(draft).after(draft.nest.outermost, entry, frozenset({key}), 0)


def _is_handed_whole(draft: Draft) -> bool:
    """Whether the object whose attribute a model is goes by a name of its own, by which others may see the model."""
    return any(is_whole(name.id) for name in draft.source.all(ast.Name))


def mode_shows_to_callers(draft: Draft, model: Variable) -> bool:
    """Whether anything that runs when the loop's function has been left may see the mode of a model before it switches the model itself."""
    entry = draft.nest.entry.scope
    return _Afterwards(draft).in_callers(entry, frozenset({(model.scope, model.name)}))


def holders(draft: Draft, models: frozenset[Key]) -> frozenset[Key]:
    """The variables that are made of one of the models, or stand for a part of it."""
    found: set[Key] = set()
    for key in models:
        found |= made_of(draft, key) | parts_of(draft, key)
    return frozenset(key for key in found - models if not _is_copy(draft, key))


def _is_copy(draft: Draft, key: Key) -> bool:
    """Whether a variable surely holds a copy, which has modes of its own: an average of the weights, the best model so far or None."""
    made = [b.value for b in draft.roles.bindings(key) if not _is_none(b.value)]
    return bool(made) and all(is_copied(draft, m) for m in made)


def is_copied(draft: Draft, value: ast.AST | None) -> bool:
    """Whether an expression copies a model: the copy has modes of its own."""
    return isinstance(value, ast.Call) and draft.roles.full_name(value.func) in _COPIES


def _is_none(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


class _Afterwards:
    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.source = draft.source

    def after(self, node: ast.stmt, scope: Scope, models: frozenset[Key], depth: int) -> bool:
        """Whether the mode shows in what runs after a statement of a scope."""
        known = [name for where, name in models if isinstance(where, ast.Module)]
        if depth > _DEEPEST or any(name in self.draft.wanted_elsewhere for name in known):
            return True
        watched = any(self._is_named_in_classes(name) for name in known)
        skipped = frozenset(second.call for second in self.draft.seconds)
        place = Place(self.draft.roles, scope, models, self._holders(models), skipped, watched)
        path = self._behind(node, place)
        if path.shows or path.switches:
            return path.shows
        return not isinstance(scope, ast.Module) and self._in_callers(scope, models, depth)

    def _behind(self, node: ast.stmt, place: Place) -> Path:
        """What the rest of the scope does, from the statement outwards."""
        current: ast.AST = node
        leaves = False
        own = getattr(node, "orelse", []) if isinstance(node, ast.For | ast.While) else []
        if node is self.draft.nest.outermost and block_path(own, place).shows:
            return Path(shows=True)
        for ancestor in self.source.ancestors(node):
            for path in self._rest(ancestor, current, place):
                if path.shows:
                    return Path(shows=True)
                if path.switches and not isinstance(ancestor, ast.Try):
                    return Path(False, False, leaves)
                leaves |= path.leaves
            if ancestor is place.scope:
                break
            current = ancestor
        return Path(False, True, leaves)

    def _rest(self, ancestor: ast.AST, current: ast.AST, place: Place) -> Iterator[Path]:
        """What may run of a block around a statement after it, and the other blocks of the statement around that one."""
        for name in _BLOCKS:
            block = getattr(ancestor, name, None)
            if isinstance(block, list) and current in block:
                rest, before = block[block.index(current) + 1 :], block[: block.index(current)]
                path = block_path(rest, place)
                if isinstance(ancestor, ast.For | ast.While) and name == "body":
                    yield replace(path, ends=path.ends or path.leaves)
                    if not path.switches:
                        again = [ancestor.test] if isinstance(ancestor, ast.While) else []
                        yield replace(code_path(again, place), ends=True)
                        yield replace(block_path(before, place), ends=True)
                        yield replace(block_path(ancestor.orelse, place), ends=True)
                else:
                    yield path
        if isinstance(ancestor, ast.Try):
            for handler in ancestor.handlers:
                if current is not handler:
                    yield replace(block_path(handler.body, place), ends=True)
            for block in (ancestor.orelse, ancestor.finalbody):
                if current not in block:
                    yield block_path(block, place)

    # ---- callers

    def in_callers(self, function: Scope, models: frozenset[Key]) -> bool:
        """Whether the mode shows where a function that ends has been called."""
        return not isinstance(function, ast.Module) and self._in_callers(function, models, 0)

    def _in_callers(self, function: Scope, models: frozenset[Key], depth: int) -> bool:
        assert not isinstance(function, ast.Module)
        returned = list(_returned_places(function, models, self.draft))
        parameters = [n for n in parameter_names(function) if (function, n) in models]
        wide = {key for key in models if key[0] is not function}
        if self._kept_by_closures(function, models):
            return True
        if not returned and not parameters and not wide:
            return False
        if isinstance(function, ast.AsyncFunctionDef) or self._is_called_unseen(function):
            return True
        return any(
            self._in_caller(function, call, parameters, returned, frozenset(wide), depth)
            for call in self.source.calls_to(function.name)
        )

    def _is_called_unseen(self, function: ast.FunctionDef) -> bool:
        """Whether other code than the file's plain calls may call a function."""
        calls = self.source.calls_to(function.name)
        if self.source.function(function.name) is not function or function.name in self.draft.wanted_elsewhere:
            return True
        if function.decorator_list or not calls:
            return True
        uses = sum(n.id == function.name for n in self.source.all(ast.Name))
        return uses != len(calls) or (self.source.view is not None and is_state(function.name))

    def _in_caller(
        self,
        function: ast.FunctionDef,
        call: ast.Call,
        parameters: list[str],
        returned: list[int | None],
        wide: frozenset[Key],
        depth: int,
    ) -> bool:
        scope, statement = self.source.scope_of(call), self.source.statement_of(call)
        models = set(wide)
        for name in parameters:
            argument = bound_argument(function, call, name)
            if argument is None:
                return True
            if isinstance(argument, ast.Call) and not self._names_any(argument):
                continue  # made for this call, and nobody else has it
            key = self.draft.roles.key(scope, argument.id) if isinstance(argument, ast.Name) else None
            if key is None:
                return True
            models.add(key)
        for index in returned:
            target = _target(statement, call, index)
            if target is None:
                return True
            if isinstance(target, ast.Name):
                key = self.draft.roles.key(scope, target.id)
                if key is None:
                    return True
                models.add(key)
        if not _is_alone(statement, call):
            return True
        if not models:
            return False
        return self.after(statement, scope, frozenset(models), depth + 1)

    def _names_any(self, node: ast.AST) -> bool:
        return any(isinstance(n, ast.Name) and n.id in self.draft.roles.source.names and n.id not in self.source.classes
                   and n.id not in self.draft.roles.origins for n in walk(node))  # fmt: skip

    # ---- who else has the model

    def _is_named_in_classes(self, name: str) -> bool:
        inside = (n for definition in self.source.classes.values() for n in walk(definition))
        return any(isinstance(n, ast.Name) and n.id == name for n in inside)

    def _holders(self, models: frozenset[Key]) -> frozenset[Key]:
        """The variables that may hold one of the models: wrappers, lists, parts, objects that were handed it."""
        found = {*holders(self.draft, models)}
        for key in models:
            for node in self.draft.roles.mentions(key):
                if isinstance(node.ctx, ast.Load):
                    found |= set(self._kept_in(node))
        return frozenset(found - models)

    def _kept_in(self, node: ast.Name) -> Iterator[Key]:
        """The variables that a use of the model's name may put it in."""
        parent = self.source.parents.get(node)
        if isinstance(parent, ast.keyword):
            parent = self.source.parents.get(parent)
        names: list[str] = []
        if isinstance(parent, ast.Assign) and parent.value is node:
            names = [root_name(t) for t in parent.targets if not isinstance(t, ast.Name)]
        elif isinstance(parent, ast.Lambda) or any(isinstance(a, ast.Lambda) for a in self.source.ancestors(node)):
            statement = self.source.statement_of(node)
            if isinstance(statement, ast.Assign):
                names = [root_name(t) for t in statement.targets]
        elif isinstance(parent, ast.Call) and isinstance(parent.func, ast.Attribute) and parent.func.value is not node:
            names = [root_name(parent.func)]
        elif isinstance(parent, ast.Call) and parent.func is not node and self._may_keep(parent, node):
            statement = self.source.statement_of(node)
            names = [root_name(t) for t in statement.targets] if isinstance(statement, ast.Assign) else []
        for name in names:
            key = self.draft.roles.key(self.source.scope_of(node), name) if name else None
            if key is None or name in self.draft.roles.origins:
                continue
            if self.draft.roles.role_of(key) not in NO_HOLDERS:
                yield key

    def _may_keep(self, call: ast.Call, node: ast.Name) -> bool:
        """Whether what a call gives may hold the model: that of a function whose text does not say otherwise."""
        function = self.source.function(call.func.id) if isinstance(call.func, ast.Name) else None
        if function is None:
            return True
        names = [n for n in parameter_names(function) if bound_argument(function, call, n) is node]
        models = frozenset((function, n) for n in names)
        held = (n for r in walk_scope(function.body) if isinstance(r, ast.Return) and r.value for n in walk(r.value))
        given = [n for n in held if isinstance(n, ast.Name) and n.id in names]
        return not names or any(not self._is_asked(n) for n in given) or self._kept_by_closures(function, models)

    def _kept_by_closures(self, function: Scope, models: frozenset[Key]) -> bool:
        """Whether functions inside of a function use its model and may do so when it is over, because they are more than called."""
        names = {name for scope, name in models if scope is function}
        for inner in walk(function):
            if inner is function or not isinstance(inner, (*_FUNCTIONS, ast.Lambda, ast.ClassDef)):
                continue
            if not any(isinstance(n, ast.Name) and n.id in names for n in walk(inner)):
                continue
            if not isinstance(inner, ast.FunctionDef) or inner.decorator_list:
                return True
            uses = sum(isinstance(n, ast.Name) and n.id == inner.name for n in walk(function))
            if uses != len(self.source.calls_to(inner.name)):
                return True
        return False

    def _is_asked(self, node: ast.Name) -> bool:
        parent = self.source.parents.get(node)
        return isinstance(parent, ast.Attribute) or (isinstance(parent, ast.Call) and parent.func is node)


def _returned_places(function: Scope, models: frozenset[Key], draft: Draft) -> Iterator[int | None]:
    """Where a function's results hold one of the models: None for the whole result, a place in a tuple."""
    assert not isinstance(function, ast.Module)
    for node in walk_scope(function.body):
        if not isinstance(node, ast.Return) or node.value is None:
            continue
        elements = node.value.elts if isinstance(node.value, ast.Tuple) else []
        for index, element in [(None, node.value), *enumerate(elements)]:
            if isinstance(element, ast.Name) and draft.roles.key(function, element.id) in models:
                yield index


def _target(statement: ast.stmt, call: ast.Call, index: int | None) -> ast.AST | None:
    """What gets the part of a call's result: a name, the statement itself when nothing does, None when it is not seen."""
    match statement:
        case ast.Expr():
            return statement
        case ast.Assign(targets=[ast.Name() as target]) if index is None:
            return target
        case ast.Assign(targets=[ast.Tuple(elts=elements)]) if index is not None and index < len(elements):
            return elements[index] if isinstance(elements[index], ast.Name) else None
    return None


def _is_alone(statement: ast.stmt, call: ast.Call) -> bool:
    """Whether a statement does nothing but the call, so that what runs after it are the statements behind."""
    return isinstance(statement, ast.Expr | ast.Assign) and statement.value is call
