"""Whether random numbers are surely seeded before something is drawn.

torch.manual_seed(0)                      a seed above the draw, in its function or where that is called
set_seed(args.seed)                       a function of the script that seeds without a condition; one of another file, by its name
if args.seed: torch.manual_seed(...)      perhaps
"""

from __future__ import annotations

import ast

from ..recover.roles import Roles
from ..recover.syntax import Scope, walk_scope
from .draft import Draft

SEEDS = {
    "torch": ("torch.manual_seed", "torch.random.manual_seed"),
    "numpy": ("numpy.random.seed",),
    "random": ("random.seed",),
}
_ALL = {name for names in SEEDS.values() for name in names}
_DEPTH = 6
_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
_CONDITIONS = ast.If | ast.For | ast.While | ast.ExceptHandler | ast.Match | ast.IfExp | ast.BoolOp


def is_seeded(draft: Draft, node: ast.AST, library: str) -> bool:
    """Whether the random numbers of a library are seeded whenever a node is reached."""
    return _Seeding(draft, library).before(node, _DEPTH)


class _Seeding:
    """Looks for seeds of one library above a place, and above the calls of the function that it stands in."""

    def __init__(self, draft: Draft, library: str) -> None:
        self.draft = draft
        self.roles: Roles = draft.roles
        self.library = library

    def before(self, node: ast.AST, depth: int) -> bool:
        """Whether a seed is surely set before a node runs."""
        source = self.draft.source
        scope = source.scope_of(node)
        if any(self._stands_before(call, node) and self._seeds(call, depth) for call in self._calls(scope)):
            return True
        if not isinstance(scope, _FUNCTION) or depth == 0:
            return False
        calls: list[ast.AST] = [c for c in source.calls if self._may_call(c, scope)]
        return all(self.before(call, depth - 1) for call in calls or [scope])

    def _calls(self, scope: Scope) -> list[ast.Call]:
        return [call for call in self.draft.source.calls if self.draft.source.scope_of(call) is scope]

    def _stands_before(self, call: ast.Call, node: ast.AST) -> bool:
        """Whether a call of the same scope has run when a node is reached: it stands above, and under no condition of its own."""
        around = set(self.draft.source.ancestors(node))
        own = (a for a in self.draft.source.ancestors(call) if isinstance(a, _CONDITIONS | ast.Lambda))
        after = (getattr(call, "lineno", 0), getattr(call, "col_offset", 0)) < (
            getattr(node, "lineno", 0),
            getattr(node, "col_offset", 0),
        )
        return after and all(a in around or self._is_main(a) for a in own)

    def _is_main(self, node: ast.AST) -> bool:
        return isinstance(node, ast.If) and any(
            isinstance(n, ast.Name) and n.id == "__name__" for n in ast.walk(node.test)
        )

    def _seeds(self, call: ast.Call, depth: int) -> bool:
        """Whether a call surely seeds the library, or is named as if it did where its body cannot be seen."""
        name = self.roles.full_name(call.func)
        if name in SEEDS[self.library]:
            return True
        if name in _ALL or depth == 0:
            return False
        function = self.draft.source.function(call.func.id) if isinstance(call.func, ast.Name) else None
        if function is not None:
            calls = [n for n in walk_scope(function.body) if isinstance(n, ast.Call)]
            return any(self._is_unconditional(c, function) and self._seeds(c, depth - 1) for c in calls)
        of_object = isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Call)
        return "seed" in name.rpartition(".")[2].lower() and not of_object

    def _is_unconditional(self, call: ast.Call, function: ast.AST) -> bool:
        for ancestor in self.draft.source.ancestors(call):
            if ancestor is function:
                return True
            if isinstance(ancestor, _CONDITIONS | ast.Lambda):
                return False
        return False

    def _may_call(self, call: ast.Call, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        """Whether a call may run a function, told by its last name; a class by its constructor."""
        called = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
        above = self.draft.source.parents.get(function)
        if function.name == "__init__" and isinstance(above, ast.ClassDef):
            return bool(called == above.name)
        return bool(called == function.name)
