"""An average that an object of the script's own keeps and lends to the model for its evaluations, when Lightning's callback does the same."""

from __future__ import annotations

import ast

from ..recover.nest import Nest
from ..recover.roles import Roles
from ..recover.syntax import walk
from ..schedules.counts import own_controls
from .copied import plain_uses, written
from .found import Average, Search
from .of_copy import FROM_START
from .shadow import Shadow, shadow_of, trains_all
from .uses import Stays, is_named, within


class OfShadow(Search):
    """An average in a dictionary, which an object of a class of the script's own feeds after every step."""

    def __init__(self, nest: Nest, roles: Roles, made: ast.Assign) -> None:
        super().__init__(nest, roles, made)
        self.shadow = self._shadow()

    def _shadow(self) -> Shadow | None:
        match self.made.value:
            case ast.Call(func=ast.Name(id=name)) if (own := self.source.classes.get(name)) is not None:
                return shadow_of(own)
        return None

    def found(self) -> Average:
        """Every condition, one after the other. Raises Stays."""
        model, callback = self._made()
        target = self._key(self.made.targets[0])
        calls = self._calls([n for n in self.roles.mentions(target) if n is not self.made.targets[0]])
        update, batches = self._fed(calls, model)
        spans = self._spans(calls, batches)
        self._check_evaluated(self._key(model), model.id, spans, batches)
        self.check_trains(batches)
        assert self.shadow is not None
        gone = [s for s, _ in calls if s is not update]
        begun = [s for s, method in calls if method in self.shadow.starts]
        if not self.shadow.made and len(begun) != 1:
            raise Stays(self.made, "it does not begin in one place")
        for statement in begun:
            block = self.source.block_of(self.made)
            if statement not in block or statement.lineno > self.nest.outermost.lineno:
                raise Stays(statement, "it begins elsewhere than where it is made")
        start, end = self.made.lineno, self.nest.outermost.lineno
        if (other := plain_uses(self.roles, self.roles.mentions(self._key(model)), start, end)) is not None:
            inside = any(n is other for s in gone for n in walk(s))
            if not inside:
                raise Stays(other, f"`{model.id}` may get other weights before the loop")
        return Average(self.made, model.id, update, (), callback, tuple(gone))

    def _made(self) -> tuple[ast.Name, str]:
        shadow, call = self.shadow, self.made.value
        assert shadow is not None and isinstance(call, ast.Call)
        names = [a.arg for a in self._init(shadow).args.args[1:]]
        defaults = self._init(shadow).args.defaults
        given: dict[str, ast.expr] = dict(zip(reversed(names), reversed(defaults), strict=False))
        given |= dict(zip(names, call.args, strict=False)) | {k.arg or "": k.value for k in call.keywords}
        model = given.pop(shadow.model, None)
        if not isinstance(model, ast.Name) or set(given) - set(names) or len(self.made.targets) != 1:
            raise Stays(self.made, "it is made of something else than a model and numbers")
        self._check_place()
        if shadow.asks and not trains_all(self.roles, shadow.node):
            raise Stays(self.made, "parameters that are not trained may be left out of it")
        self._check_settled(given)
        texts = {name: self.source.segment(value) for name, value in given.items()}
        rules = {written(formula, texts) for formula in shadow.updates.values()}
        if len(rules) != 1 or (rule := rules.pop()) is None:
            raise Stays(shadow.node, "the callback does not know its formula")
        return model, f"{FROM_START}(avg_fn={rule}, use_buffers=False)"

    def _init(self, shadow: Shadow) -> ast.FunctionDef:
        return next(f for f in shadow.node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__")

    def _calls(self, mentions: list[ast.Name]) -> list[tuple[ast.stmt, str]]:
        """The statements that call its methods, which are all that names it."""
        found: list[tuple[ast.stmt, str]] = []
        for mention in mentions:
            statement = self.source.statement_of(mention)
            match statement:
                case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr=method), keywords=[])) if (
                    owner is mention and self.source.scope_of(mention) is self.entry
                ):
                    found.append((statement, method))
                case _:
                    raise Stays(mention, f"line {mention.lineno} uses it elsewhere")
        return found

    def _fed(self, calls: list[tuple[ast.stmt, str]], model: ast.Name) -> tuple[ast.stmt, ast.stmt]:
        assert self.shadow is not None
        nest = self.nest
        fed = [s for s, method in calls if method in self.shadow.updates]
        if len(fed) != 1 or nest.batches is None or nest.step_frame.scope is not self.entry or len(nest.steps) != 1:
            raise Stays(self.made, "it is not fed once in the loop over the batches")
        known = {*self.shadow.starts, *self.shadow.updates, *self.shadow.lends, *self.shadow.returns}
        for statement, method in calls:
            given = statement.value.args if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call) else []  # fmt: skip
            if method not in known or [ast.unparse(a) for a in given] not in ([], [model.id]):
                raise Stays(statement, f"`{method}` does something else")
        return self._check_update(fed[0])

    def _spans(self, calls: list[tuple[ast.stmt, str]], batches: ast.stmt) -> list[tuple[int, int]]:
        """The lines between which the model has the average: lent and given back in one block behind the batches, or lent for good behind the loop."""
        assert self.shadow is not None
        epochs, outermost = self.nest.epochs, self.nest.outermost
        assert epochs is not None
        spans: list[tuple[int, int]] = []
        lent: tuple[ast.stmt, str] | None = None
        for statement, method in sorted(calls, key=lambda c: c[0].lineno):
            if method in self.shadow.lends:
                if lent is not None:
                    raise Stays(statement, "it is lent twice")
                lent = statement, method
            elif method in self.shadow.returns:
                if lent is None or self.source.block_of(lent[0]) is not self.source.block_of(statement):
                    raise Stays(statement, "it is not lent and given back in one block")
                if self.shadow.returns[method] and not self.shadow.lends[lent[1]]:
                    raise Stays(statement, "the weights are given back into the tensors of the average")
                block = self.source.block_of(statement)
                between = block[block.index(lent[0]) : block.index(statement)]
                if any(True for _ in own_controls(between, ast.Continue, ast.Break, ast.Return)):
                    raise Stays(statement, "it may not be given back")
                spans.append((lent[0].lineno, statement.lineno))
                lent = None
        if lent is not None:
            if lent[0].lineno < (outermost.end_lineno or 0):
                raise Stays(lent[0], "it is not given back")
            around = [outermost, *self.source.ancestors(outermost)]
            if not any(s in around for s in self.source.block_of(lent[0])):
                raise Stays(lent[0], "it may not be lent")
            spans.append((lent[0].lineno, len(self.source.lines) + 1))
        inside = [s for s in spans if s[0] < (outermost.end_lineno or 0)]
        if not inside or any(first <= (batches.end_lineno or 0) for first, _ in inside):
            raise Stays(self.made, "nothing in the loop evaluates it")
        return spans

    def _check_evaluated(
        self, key: tuple[object, str], model: str, spans: list[tuple[int, int]], batches: ast.stmt
    ) -> None:
        """The model is in nothing but the training and, with the average and in eval mode, in evaluations."""
        outermost = self.nest.outermost
        for node in self.roles.mentions(key):  # type: ignore[arg-type]
            parent = self.source.parents[node]
            if node.lineno < outermost.lineno and self.source.scope_of(node) is self.entry:
                continue
            if within(node, batches) or (isinstance(parent, ast.Attribute) and parent.attr in ("train", "eval")):
                continue
            if self.source.scope_of(node) is not self.entry or not any(a < node.lineno < b for a, b in spans):
                if not any(n is node for s in self._own_statements() for n in walk(s)):
                    raise Stays(node, f"line {node.lineno} uses `{model}` itself, and the callback leaves the average in its place")  # fmt: skip
                continue
            if node.lineno < (outermost.end_lineno or 0) and not self._in_eval_mode(node, model, batches):
                raise Stays(node, "it is evaluated in the mode in which the model is")

    def _own_statements(self) -> list[ast.stmt]:
        target = self._key(self.made.targets[0])
        return [self.source.statement_of(n) for n in self.roles.mentions(target)]

    def _in_eval_mode(self, node: ast.Name, model: str, batches: ast.stmt) -> bool:
        """Whether the model is in eval mode where it is named, by the script's own word behind the batches, or by the function that gets it."""
        if self.switches(self.source.parents[node]):
            return True
        around = [a for a in self.source.ancestors(node) if isinstance(a, ast.stmt)]
        before = [s for a in around for s in self.source.block_of(a) if (batches.end_lineno or 0) < s.lineno < a.lineno]
        evals = [s.lineno for s in before if ast.unparse(s) == f"{model}.eval()"]
        modes = [n for n in self.source.all(ast.Attribute) if n.attr == "train" and is_named(n.value, model)]
        return bool(evals) and not any(max(evals) < n.lineno < node.lineno for n in modes)
