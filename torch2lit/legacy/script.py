"""One file as the modernisers see it (the protocol ``torch2lit.program.Script``)."""

from __future__ import annotations

import ast
import builtins
import functools
from collections.abc import Sequence

from ..files.lines import split_lines
from ..program import Node, at, end_of
from ..recover.names import parameter_names, target_names
from ..recover.roles import Key, Roles
from ..recover.syntax import Scope, Source, dotted, walk_scope
from .scalars import Scalar, Scalars


class SourceScript:
    """Answers from the file's tree, names and roles."""

    def __init__(self, source: Source, roles: Roles) -> None:
        self._source = source
        self._roles = roles
        self._scalars = Scalars(source, roles, self.values)
        self._sorted: dict[type[ast.AST], Sequence[ast.AST]] = {}
        self._elements: dict[tuple[ast.expr, int], ast.expr] = {}

    def all(self, kind: type[Node]) -> Sequence[Node]:
        if kind not in self._sorted:
            self._sorted[kind] = sorted(self._source.all(kind), key=at)
        return self._sorted[kind]  # type: ignore[return-value]

    def full_name(self, node: ast.AST) -> str:
        name = dotted(node)
        head = name.partition(".")[0]
        if head not in self._roles.origins:
            return name if hasattr(builtins, head) and self.builtin(head) else ""
        bound = node
        while isinstance(bound, ast.Attribute):
            bound = bound.value
        if self._bound_within(bound, head):
            return ""
        key = self._roles.key(self._source.scope_of(node), head)
        if key is not None and (self._roles.bindings(key) or _is_parameter(key)):
            return ""
        return self._roles.full_name(node)

    def role(self, node: ast.expr) -> str:
        role = self._roles.of(node, self._source.scope_of(node))
        return role.value if role else ""

    def values(self, name: ast.Name) -> Sequence[ast.expr] | None:
        key = self._roles.key(self._source.scope_of(name), name.id)
        if key is None or name.id in self._bound_in_passing or self._bound_within(name, name.id):
            return None
        return self._values_of(key)

    @functools.cached_property
    def _bound_in_passing(self) -> set[str]:
        """The names that a walrus or a pattern binds."""
        source = self._source
        walrus = {n.target.id for n in source.all(ast.NamedExpr)}
        patterns = {n.name for n in source.all(ast.MatchAs) if n.name} | {
            n.name for n in source.all(ast.MatchStar) if n.name
        }
        return walrus | patterns

    def _bound_within(self, node: ast.AST, name: str) -> bool:
        """Whether a comprehension or a lambda around the node binds the name."""
        for around in self._source.ancestors(node):
            match around:
                case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                    if any(name in target_names(g.target) for g in around.generators):
                        return True
                case ast.Lambda(args=arguments):
                    if any(a.arg == name for a in ast.walk(arguments) if isinstance(a, ast.arg)):
                        return True
                case ast.stmt():
                    return False
        return False

    def _values_of(self, key: Key) -> Sequence[ast.expr] | None:
        scope, name = key
        if isinstance(scope, ast.Module) and name in self._roles.global_writes:
            return None
        found: list[ast.expr] = []
        for binding in self._roles.bindings(key):
            value = self._element(binding.value, binding.index)
            if value is None:
                return None
            found.append(value)
        found += [
            n.value
            for n in walk_scope(scope.body)
            if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name) and n.target.id == name
        ]
        if _is_parameter(key):
            given = [argument for _, argument in self._roles.arguments(scope, name)]
            if not given:
                return None
            found += given
        return found

    def _element(self, value: ast.expr, index: int | None) -> ast.expr | None:
        """What is bound, as an expression: an element of what is unpacked; None when it is looped over or nested."""
        if index is None:
            return value
        if index < 0:
            return None
        if isinstance(value, ast.Tuple | ast.List):
            return value.elts[index] if index < len(value.elts) else None
        if isinstance(value, ast.Call):
            place = (value, index)  # one node for one element, so that circles are seen
            if place not in self._elements:
                element = ast.Subscript(value=value, slice=ast.Constant(value=index), ctx=ast.Load())
                self._elements[place] = ast.copy_location(element, value)
            return self._elements[place]
        return None

    def scalar(self, node: ast.expr) -> Scalar:
        return self._scalars.of(node)

    def parent(self, node: ast.AST) -> ast.AST | None:
        return self._source.parents.get(node)

    def builtin(self, name: str) -> bool:
        return name not in self._bound

    @functools.cached_property
    def _bound(self) -> set[str]:
        """Every name that the file binds anywhere."""
        source = self._source
        found = {f.name for f in source.functions} | set(source.classes)
        found |= {a.arg for a in source.all(ast.arg)}
        found |= {(a.asname or a.name).split(".")[0] for a in source.all(ast.alias)}
        return found | {n.id for n in source.all(ast.Name) if not isinstance(n.ctx, ast.Load)}

    def rest(self, inner: ast.AST, outer: ast.AST) -> str:
        return self._between(end_of(inner), end_of(outer))

    def before(self, inner: ast.AST, outer: ast.AST) -> str:
        return self._between(at(outer), at(inner))

    def text(self, node: ast.AST) -> str:
        return self._between(at(node), end_of(node))

    @functools.cached_property
    def _lines(self) -> list[bytes]:
        return [line.encode() for line in split_lines(self._source.text)]

    def _between(self, start: tuple[int, int], end: tuple[int, int]) -> str:
        if not start <= end:
            return ""
        lines = self._lines[start[0] - 1 : end[0]]
        lines[-1] = lines[-1][: end[1]]
        lines[0] = lines[0][start[1] :]
        return b"".join(lines).decode("utf-8", "replace")


def _is_parameter(key: Key) -> bool:
    scope: Scope = key[0]
    return not isinstance(scope, ast.Module) and key[1] in parameter_names(scope)
