"""Who uses an average and its model, and in which mode: the conditions that are the same for all averages."""

from __future__ import annotations

import ast

from ..recover.nest import Nest
from ..recover.roles import Key, Roles
from ..recover.syntax import Scope, Source, walk


class Stays(Exception):
    """Why the script goes on averaging itself."""

    def __init__(self, node: ast.AST, reason: str) -> None:
        super().__init__(reason)
        self.line: int = node.lineno  # type: ignore[attr-defined]
        self.reason = reason


class Uses:
    """What is asked about every mention of an average and of its model."""

    nest: Nest
    roles: Roles
    source: Source
    made: ast.Assign
    entry: Scope

    def check_use(self, use: ast.Name, batches: ast.stmt) -> None:
        """It is called, handed to a function or switched to eval mode behind the batches, or read behind the loop."""
        behind = use.lineno > (self.nest.outermost.end_lineno or 0)
        if (
            self.source.scope_of(use) is not self.entry
            or use.lineno <= (batches.end_lineno or 0)
            or not isinstance(use.ctx, ast.Load)
        ):
            raise Stays(use, f"line {use.lineno} uses it elsewhere")
        parent = self.source.parents[use]
        match parent, self.source.parents[parent]:
            case ast.Call(), _:
                return
            case ast.Attribute(attr="eval"), ast.Call():
                return
            case ast.Attribute(attr="module"), ast.Attribute(attr="state_dict" | "parameters" | "eval" | "forward") if (
                behind
            ):
                return
            case ast.Attribute(attr="module"), ast.Call() if behind:
                return
        raise Stays(use, f"`{self.source.segment(self.source.statement_of(use))[:60]}` needs the average itself")

    def check_modes(self, uses: tuple[ast.Name, ...], batches: ast.stmt) -> None:
        """Whether the average is in eval mode by the script's own word, and the model in train mode."""
        first = min((u for u in uses), key=lambda u: u.lineno)
        parent = self.source.parents[first]
        switched = isinstance(parent, ast.Attribute) and parent.attr == "eval"
        if not switched and not self.switches(parent):
            raise Stays(first, "it is evaluated in the mode in which it was made")
        self.check_trains(batches)

    def check_trains(self, batches: ast.stmt) -> None:
        """Whether the model is put in train mode in every epoch, by the script's own word."""
        model = self.made.value.args[0].id  # type: ignore[attr-defined]
        epochs = self.nest.epochs
        assert epochs is not None
        before = [s for s in epochs.node.body if s.lineno < batches.lineno]
        trains = [c for s in before for c in walk(s) if isinstance(c, ast.Call) and isinstance(c.func, ast.Attribute)]
        if not any(
            c.func.attr == "train" and is_named(c.func.value, model) and not c.args
            for c in trains
            if isinstance(c.func, ast.Attribute)
        ):
            raise Stays(batches, f"`{model}` is not put in train mode in every epoch")

    def switches(self, call: ast.AST) -> bool:
        """Whether a call is of a function that begins by switching what it is given to eval mode."""
        own = (
            self.source.function(call.func.id)
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
            else None
        )
        for statement in own.body[:3] if own is not None else []:
            match statement:
                case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="eval"))):
                    return own is not None and name in [a.arg for a in own.args.args]
        return False

    def check_model(self, key: Key, model: str, update: ast.stmt, batches: ast.stmt) -> None:
        """Whether the model itself is in nothing but the training."""
        for node in self.roles.mentions(key):
            if node.lineno < self.nest.outermost.lineno and self.source.scope_of(node) is self.entry:
                continue
            parent = self.source.parents[node]
            if within(node, batches) or (isinstance(parent, ast.Attribute) and parent.attr in ("train", "eval")):
                continue
            raise Stays(
                node, f"line {node.lineno} uses `{model}` itself, and the callback leaves the average in its place"
            )


def is_named(node: ast.expr, name: str) -> bool:
    """Whether an expression is this name."""
    return isinstance(node, ast.Name) and node.id == name


def within(node: ast.expr, statement: ast.stmt) -> bool:
    """Whether an expression stands in a statement."""
    return any(n is node for n in walk(statement))
