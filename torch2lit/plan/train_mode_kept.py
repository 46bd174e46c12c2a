"""Code that switches a model and back: before and behind it the model is in the same mode, as a whole.

def evaluate(model, loader):            Lightning switches to eval mode before a validation and back behind it: where the
    model.eval()                        script's own function does so as well, both leave every mode as it was.
    ...
    model.train()
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..recover.bindings import Key
from ..recover.items import Item, parts
from ..recover.makings import Value, sources, yields
from ..recover.names import parameter_names
from ..recover.roles import bound_argument
from ..recover.syntax import Scope, dotted, walk, walk_scope
from ..recover.torch_calls import mode_of
from ..recover.variables import Variable
from .before import statements_before
from .draft import Draft
from .given_away import gives_model_away
from .handed_on import leaves_modes
from .making import makers
from .may_run import may_run
from .models_apart import models_apart
from .modes import mode_calls, only_mode_call
from .runs_again import runs_again
from .same_model import gives_itself
from .statements_between import statements_between
from .train_mode import made_in_train, may_switch_by

_DEEPEST = 4
_LEAVING = (ast.Return, ast.Break, ast.Continue, ast.Raise, ast.Yield, ast.YieldFrom, ast.Await)
_DECORATORS = {"no_grad", "inference_mode", "enable_grad"}


def is_mode_switch(node: ast.AST) -> bool:
    """Whether a node may give anything another mode, be it by another name."""
    match node:
        case ast.Attribute(attr="train") | ast.Attribute(attr="training", ctx=ast.Store() | ast.Del()):
            return True
        case ast.Call(func=ast.Attribute(attr="eval"), args=[], keywords=[]):
            return True
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("setattr", "exec", "vars")
    )


def begins_in_train(draft: Draft, model: Variable) -> bool:
    """Whether a model surely is in train mode, as a whole, when the loop begins: it was made so, and nothing has switched it."""
    if not made_in_train(draft, model):
        return False
    if _made_for_loop(draft, model):
        before = statements_between(draft, 0)
    elif runs_again(draft):
        return False
    else:
        before = [statement for statement, _ in statements_before(draft)]
    before = [s for s in before if not _switches_to_train(draft, s, model)]
    return not any(may_switch_by(draft, n) for n in may_run(draft.source, before))


def _switches_to_train(draft: Draft, statement: ast.stmt, model: Variable) -> bool:
    """Whether a statement of the loop's own scope puts the model in train mode, in which it is already, and does nothing else."""
    if draft.source.scope_of(statement) is not draft.nest.entry.scope:
        return False
    item = Item(statement, draft.nest.entry)
    return only_mode_call(item) and mode_calls(draft, item) == [(model, "train")]


def keeps_train_mode(draft: Draft, items: Iterable[Item], model: Variable) -> bool:
    """Whether each of some statements surely leaves a model in train mode that it finds so."""
    return _keeps(draft, items, model, trains=True)


def keeps_eval_mode(draft: Draft, items: Iterable[Item], model: Variable) -> bool:
    """The same of eval mode."""
    return _keeps(draft, items, model, trains=False)


def _keeps(draft: Draft, items: Iterable[Item], model: Variable, *, trains: bool) -> bool:
    apart = models_apart(draft, model)
    for item in items:
        for part, frame in parts(item):
            names = {n.id for n in walk(part) if isinstance(n, ast.Name)}
            of = {n: draft.variables.of(frame, n) for n in names}
            keys = {draft.roles.key(frame.scope, n) for n in names if of[n] == model} | {(model.scope, model.name)}
            others = {draft.roles.key(frame.scope, n) for n, v in of.items() if v and (v.scope, v.name) in apart}
            models, rest = (frozenset(k for k in group if k is not None) for group in (keys, others))
            place = _Place(draft, frame.scope, models, rest, trains)
            if not (place.keeps(part) if isinstance(part, ast.stmt) else not place.may_switch(part)):
                return False
    return True


def _made_for_loop(draft: Draft, model: Variable) -> bool:
    """Whether every running of the loop has a model of its own, made in the function that holds the loop."""
    scope = draft.nest.entry.scope
    if isinstance(scope, ast.Module) or model.scope is not scope:
        return False
    if any(
        isinstance(a, ast.For | ast.While) and a in walk(scope) for a in draft.source.ancestors(draft.nest.outermost)
    ):
        return False
    made = sources(Value(ast.Name(model.name, ast.Load()), scope, draft.roles))
    return makers(draft, model) is not None and all(
        one.scope is scope and isinstance(one.node, ast.Call) for one in made
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Code of one scope, and the names by which it knows the model."""

    draft: Draft
    scope: Scope
    models: frozenset[Key]
    others: frozenset[Key] = frozenset()
    """The names of models that have nothing in common with it."""
    trains: bool = True
    """Whether it is train mode that is asked for."""
    depth: int = 0

    def keeps(self, node: ast.stmt) -> bool:
        """Whether a statement leaves the model in that mode, if it finds it so."""
        if not self.may_switch(node) or self._switches(node) or self._switches_other(node):
            return True
        match node:
            case ast.If(test=head, body=body, orelse=orelse) | ast.While(test=head, body=body, orelse=orelse):
                return not self.may_switch(head) and self.all(body) and self.all(orelse)
            case ast.For(iter=head, body=body, orelse=orelse):
                return not self.may_switch(head) and self.all(body) and self.all(orelse)
            case ast.With(items=items, body=body):
                return not any(map(self.may_switch, items)) and self.all(body)
            case ast.Expr(value=ast.Call() as call) | ast.Return(value=ast.Call() as call):
                return self._gives_back(call)
            case ast.Assign(targets=targets, value=ast.Call() as call):
                return not any(map(self.may_switch, targets)) and self._gives_back(call)
        return False

    def all(self, body: list[ast.stmt]) -> bool:
        """The same of statements in a row, in which the last one that switches may put the model back."""
        back = max((n for n, s in enumerate(body) if self._switches(s)), default=-1)
        if any(isinstance(n, _LEAVING) for s in body[:back] for n in walk_scope(s)):
            back = -1
        return all(self.keeps(s) for s in body[back + 1 :])

    def may_switch(self, code: ast.AST) -> bool:
        """Whether the code, or what it may call, may give anything another mode."""
        return any(map(is_mode_switch, may_run(self.draft.source, [code])))

    def _switches(self, node: ast.stmt) -> bool:
        """Whether a statement puts the whole model in that mode and does nothing else."""
        owner, mode = _switched(node)
        if owner is None or mode is not self.trains or self.draft.roles.is_bare_object(owner, self.scope):
            return False
        return self.draft.roles.key(self.scope, owner.id) in self.models

    def _switches_other(self, node: ast.stmt) -> bool:
        """Whether a statement switches a model that has nothing in common with it, and does nothing else."""
        owner, _mode = _switched(node)
        return owner is not None and self.draft.roles.key(self.scope, owner.id) in self.others

    def _gives_back(self, call: ast.Call) -> bool:
        """Whether a call runs a function of the file at whose end the model is in that mode."""
        function = self.draft.source.function(call.func.id) if isinstance(call.func, ast.Name) else None
        if function is None or self.depth >= _DEEPEST or yields(function):
            return False
        decorators = [d.func if isinstance(d, ast.Call) else d for d in function.decorator_list]
        if not all(dotted(d).rpartition(".")[2] in _DECORATORS for d in decorators):
            return False
        given = [*call.args, *(k.value for k in call.keywords)]
        if any(map(self.may_switch, given)):
            return False
        models, others = set(self.models), set(self.others)
        for name in parameter_names(function):
            argument = bound_argument(function, call, name)
            key = self.draft.roles.key(self.scope, argument.id) if isinstance(argument, ast.Name) else None
            if key in self.models:
                models.add((function, name))
            elif key in self.others:
                others.add((function, name))
        stored = (n for n in walk(function) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load))
        parents, draft = self.draft.source.parents, self.draft
        rebound = {n.id for n in stored if not gives_itself(draft, parents[n], function, n.id)}
        if any(name in rebound for scope, name in models | others if scope is function):
            return False
        inner = replace(self, scope=function, models=frozenset(models), others=frozenset(others))
        return replace(inner, depth=self.depth + 1).all(function.body)


def _switched(node: ast.stmt) -> tuple[ast.Name | None, bool | None]:
    """What a statement switches by its name, and whether to train mode, where it does nothing else."""
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name() as owner)) as call):
            mode = mode_of(call)
            return (owner, mode) if mode is not None else (None, None)
    return None, None


def is_handed_on(draft: Draft, items: Iterable[Item]) -> bool:
    """Whether any code that items may run hands a model to code of which the project does not show what it does with the mode."""
    for node in may_run(draft.source, [part for i in items for part, _ in parts(i)]):
        if isinstance(node, ast.Call) and gives_model_away(draft, node) and not leaves_modes(draft, node):
            return True
    return False
