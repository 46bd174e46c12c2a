"""What a constructor keeps of its settings in the place of an optimizer's making, so that the method that makes it finds the same values.

self.optimizer = Adam(self.net.parameters(), lr=args.lr)      →      self.lr = args.lr
"""

from __future__ import annotations

import ast
import builtins
import keyword
from collections.abc import Sequence

from ..recover.names import flow, parameter_names
from ..recover.syntax import dotted, root_name, walk
from .on_call_settings import Settings


class Keeper:
    """The values that one class keeps for its optimizers."""

    def __init__(
        self, owner: ast.ClassDef, init: ast.FunctionDef, between: Sequence[ast.stmt], made: Sequence[ast.Assign]
    ) -> None:
        self.itself = (parameter_names(init) or [""])[0]
        self.taken = {n.attr for n in walk(owner) if isinstance(n, ast.Attribute) and _is_of_object(n, owner)}
        self.taken |= {name for s in owner.body for name in flow([s]).written}
        self.between = [s for s in between if s not in made]
        self.names: dict[str, str] = {}
        """The attribute that keeps each value, by the value's syntax."""

    def words(
        self, settings: Settings, statement: ast.Assign, method: ast.FunctionDef, own: set[str]
    ) -> tuple[dict[ast.expr, str], tuple[str, ...]] | None:
        """How the method calls what a statement names, and the statements that keep it; None when some of it cannot be kept."""
        itself = parameter_names(method)[0]
        found: dict[ast.expr, str] = {n: itself for t in statement.targets for n in walk(t) if isinstance(n, ast.Name)}
        lines: list[str] = []
        waiting: list[tuple[str, ast.AST]] = [("", statement.value)]
        while waiting:
            label, node = waiting.pop(0)
            if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and not settings.is_known(node, own):
                name = self._kept(settings, label, node, lines)
                if not name:
                    return None
                found[node] = f"{itself}.{name}"
                continue
            if isinstance(node, ast.Name | ast.Attribute):
                found.update({n: itself for n in walk(node) if isinstance(n, ast.Name) and n.id == settings.itself})
                continue
            if isinstance(node, ast.expr) and not settings.is_plain(node, statement, own):
                return None
            if isinstance(node, ast.Call) and node is not statement.value:
                found.update({n: itself for n in walk(node) if isinstance(n, ast.Name) and n.id == settings.itself})
                held = {n: settings.held.get(n.id) for n in walk(node) if isinstance(n, ast.Name)}
                found.update({n: f"{itself}.{name}" for n, name in held.items() if name})
                continue
            own_label = node.arg or "" if isinstance(node, ast.keyword) else label
            waiting += [(own_label, child) for child in ast.iter_child_nodes(node)]
        return found, tuple(lines)

    def _kept(self, settings: Settings, label: str, value: ast.expr, lines: list[str]) -> str:
        """The attribute of a value, which a new line binds if no statement does; "" when the object cannot keep it."""
        if not _only_names(value) or root_name(value) == settings.itself:
            return ""
        same = ast.dump(value)
        if same in self.names:
            root = root_name(value)
            named = any(isinstance(n, ast.Name) and n.id == root for s in self.between for n in walk(s))
            return "" if named else self.names[same]
        name = settings.attribute_of(value)
        if not name:
            name = next((n for n in self._possible(label, value) if self._is_free(n)), "")
            if not name:
                return ""
            self.taken.add(name)
            lines.append(f"{self.itself}.{name} = {settings.source.segment(value)}")
        self.names[same] = name
        return name

    def _possible(self, label: str, value: ast.expr) -> list[str]:
        last = dotted(value).rpartition(".")[2]
        if isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Constant):
            last = str(value.slice.value)
        return [last, label, f"{label}_{last}"]

    def _is_free(self, name: str) -> bool:
        return (
            name.isidentifier()
            and not keyword.iskeyword(name)
            and name not in self.taken
            and not hasattr(builtins, name)
        )


def _is_of_object(node: ast.Attribute, owner: ast.ClassDef) -> bool:
    """Whether an attribute may be one of the object itself."""
    names = {(parameter_names(f) or [""])[0] for f in owner.body if isinstance(f, ast.FunctionDef)}
    return isinstance(node.value, ast.Name) and node.value.id in names


def _only_names(value: ast.expr) -> bool:
    """Whether a value is a name, an attribute or an item by a written-out key, and asking for it runs no call."""
    match value:
        case ast.Name():
            return True
        case ast.Attribute(value=inner) | ast.Subscript(value=inner, slice=ast.Constant()):
            return _only_names(inner)
    return False
