"""Which expressions only look: whether they are evaluated or not, nothing else comes out otherwise."""

from __future__ import annotations

import ast

from ..recover.nest import Frame
from ..recover.syntax import Scope, walk
from .draft import Draft
from .proofs import Proofs

_FUNCTIONS = {
    "abs", "all", "any", "bool", "dict", "divmod", "enumerate", "float", "format", "getattr", "hasattr", "int", "isinstance", "len", "list",
    "max", "min", "range", "repr", "round", "sorted", "str", "sum", "tuple", "type", "zip",
}  # fmt: skip
_METHODS = {
    "argmax", "avg", "capitalize", "center", "count", "cpu", "copy", "detach", "dim", "eq", "float", "format", "get", "get_last_lr", "get_lr",
    "int", "item", "items", "join", "keys", "ljust", "long", "lower", "max", "mean", "min", "norm", "numel", "numpy", "replace", "rjust",
    "round", "size", "split", "sqrt", "std", "strip", "sum", "title", "tolist", "type", "upper", "values", "var", "view", "zfill",
}  # fmt: skip
_MODULES = ("math.", "numpy.", "torch.", "time.", "datetime.", "os.path.", "psutil.", "statistics.")
_DRAWING = "numpy.random."


class Looks:
    """Answers for one draft. What is not known counts as more than looking."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.proofs = Proofs()

    def only(self, node: ast.expr, frame: Frame) -> bool:
        """Whether evaluating the expression changes nothing and draws nothing."""
        return self._looks(node, frame.scope)

    def _looks(self, node: ast.AST, scope: Scope) -> bool:
        effects = self.draft.effects.of(node, scope)
        if effects.rng or effects.model or effects.mode or effects.gradients or effects.optimizer:
            return False
        if effects.mutates and not isinstance(node, ast.stmt):
            return False
        for part in walk(node):
            if isinstance(
                part, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom | ast.Global | ast.Nonlocal | ast.Delete
            ):
                return False
            if isinstance(part, ast.Call) and not self.call(part):
                return False
        return True

    def call(self, call: ast.Call) -> bool:
        """Whether a call finds a value and does no more."""
        source, full = self.draft.source, self.draft.roles.full_name(call.func)
        if isinstance(call.func, ast.Name):
            if (function := source.function(call.func.id)) is not None:
                return self._body(function)
            if call.func.id in _FUNCTIONS and call.func.id not in self.draft.roles.origins:
                return True
        if full.partition(".")[0] in self.draft.roles.origins.values() and full.startswith(_MODULES):
            return not full.startswith(_DRAWING) and not full.endswith("_")
        if not isinstance(call.func, ast.Attribute):
            return False
        own = [
            m
            for c in source.classes.values()
            for m in c.body
            if isinstance(m, ast.FunctionDef) and m.name == call.func.attr
        ]
        return all(map(self._body, own)) if own else call.func.attr in _METHODS

    def _body(self, function: ast.FunctionDef) -> bool:
        """Whether running a function of the script's own does no more than to find a value."""
        return self.proofs.holds(function, lambda: self._only_finds(function))

    def _only_finds(self, function: ast.FunctionDef) -> bool:
        stored = (n for n in walk(function) if isinstance(n, ast.Attribute | ast.Subscript))
        if any(not isinstance(n.ctx, ast.Load) for n in stored):
            return False
        return all(self._looks(s, function) for s in function.body)
