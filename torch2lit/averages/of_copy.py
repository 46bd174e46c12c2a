"""An average in a copy of the model, when Lightning's callback keeps the same one from the first step on."""

from __future__ import annotations

import ast

from ..recover.nest import Nest
from ..recover.roles import Roles
from ..recover.syntax import walk
from .copied import formula_of, plain_uses, switched_off, without_buffers, written
from .found import Search
from .uses import Stays

FROM_START = "AverageFromStart"
"""The callback that has begun to average when the training begins."""


class OfCopy(Search):
    """An average in a copy of the model, which a function of the script's own brings up to date after every step."""

    def __init__(self, nest: Nest, roles: Roles, made: ast.Assign) -> None:
        super().__init__(nest, roles, made)
        self.call = self._fed()
        self.formula = formula_of(own, roles) if (own := self._own()) is not None else None

    def _fed(self) -> ast.Call | None:
        """The one call in the loop of an own function that gets the copy."""
        target, batches = self.made.targets[0], self.nest.batches
        inside = {id(n) for n in walk(batches.node)} if batches is not None else set()
        given = [c for c in self.source.calls if id(c) in inside and isinstance(c.func, ast.Name)]
        calls = [
            c
            for c in given
            if isinstance(target, ast.Name) and any(isinstance(a, ast.Name) and a.id == target.id for a in c.args)
        ]
        return calls[0] if len(calls) == 1 else None

    def _own(self) -> ast.FunctionDef | None:
        call = self.call
        return self.source.function(call.func.id) if call is not None and isinstance(call.func, ast.Name) else None

    def _made(self) -> tuple[ast.Name, str]:
        match self.made:
            case ast.Assign(targets=[ast.Name()], value=ast.Call(args=[ast.Name() as model], keywords=[])):
                pass
            case _:
                raise Stays(self.made, "it is made of something else than a model alone")
        self._check_place()
        if not without_buffers(self.roles):
            raise Stays(self.made, "the model may have buffers, of which the copy keeps the first ones")
        start, end = self.made.lineno, self.nest.outermost.lineno
        if (other := plain_uses(self.roles, self.roles.mentions(self._key(model)), start, end)) is not None:
            raise Stays(other, f"`{model.id}` may get other weights before the loop")
        return model, f"{FROM_START}(avg_fn={self._rule(model)}, use_buffers=False)"

    def _rule(self, model: ast.Name) -> str:
        call, own, formula, target = self.call, self._own(), self.formula, self.made.targets[0]
        assert call is not None and own is not None and formula is not None and isinstance(target, ast.Name)
        names = [a.arg for a in own.args.args]
        defaults = dict(zip(reversed(names), reversed(own.args.defaults), strict=False))
        given = {
            **defaults,
            **dict(zip(names, call.args, strict=False)),
            **{k.arg or "": k.value for k in call.keywords},
        }
        ends = (given.pop(formula.average, None), given.pop(formula.model, None))
        plain = not (own.args.vararg or own.args.kwarg or own.args.kwonlyargs or own.args.posonlyargs)
        if not plain or [ast.unparse(e) if e else "" for e in ends] != [target.id, model.id] or set(given) - set(names):
            raise Stays(call, "it is averaged with something else")
        self._check_settled(given)
        text = written(formula, {name: self.source.segment(value) for name, value in given.items()})
        if text is None:
            raise Stays(own, "the callback does not know its formula")
        return text

    def _update(self) -> tuple[ast.stmt, ast.stmt]:
        call, nest = self.call, self.nest
        if call is None or nest.batches is None or nest.step_frame.scope is not self.entry or len(nest.steps) != 1:
            raise Stays(self.made, "it is not fed once in the loop over the batches")
        update = self.source.statement_of(call)
        if not isinstance(update, ast.Expr) or update.value is not call:
            raise Stays(update, "it is not fed in every batch")
        return self._check_update(update)

    def _dropped(self) -> tuple[ast.stmt, ...]:
        target = self.made.targets[0]
        assert isinstance(target, ast.Name)
        block = self.source.block_of(self.made)
        behind = [s for s in block[block.index(self.made) + 1 :] if s.lineno < self.nest.outermost.lineno]
        return tuple(s for s in behind if switched_off(self.roles, s, target.id))

    def check_use(self, use: ast.Name, batches: ast.stmt) -> None:
        parent = self.source.parents[use]
        behind = use.lineno > (self.nest.outermost.end_lineno or 0) and self.source.scope_of(use) is self.entry
        if behind and isinstance(parent, ast.Attribute) and parent.attr in ("state_dict", "parameters", "eval"):
            return
        super().check_use(use, batches)
