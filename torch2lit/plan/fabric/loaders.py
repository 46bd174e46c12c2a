"""The loaders of a file that Fabric may set up."""

from __future__ import annotations

import ast

from ...recover.holders import Holder
from ...recover.loops import DATA_LOADERS
from .ground import Ground


class Loaders:
    """Finds them."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.source, self.roles, self.holders = ground.source, ground.roles, ground.holders

    def find(self) -> list[tuple[str, ast.Assign]]:
        """Each of them as it is written, with the statement that makes it."""
        found: list[tuple[str, ast.Assign]] = []
        made: dict[Holder, list[ast.Assign]] = {}
        for statement in sorted(self.source.all(ast.Assign), key=lambda s: (s.lineno, s.col_offset)):
            if len(statement.targets) == 1 and isinstance(statement.value, ast.Call):
                holder = self.holders.of(statement.targets[0])
                if holder is not None and self.roles.full_name(statement.value.func) in DATA_LOADERS:
                    made.setdefault(holder, []).append(statement)
        for holder, statements in made.items():
            fits = (
                len(statements) == len(self.holders.stores(holder))
                and holder.name not in self.holders.shadowed
                and self.ground.text(holder) not in self.ground.avoid
                and not any(self.ground.shares_lines(s) or self.ground.left_alone(s) for s in statements)
                and all(self.source.scope_of(s) is holder.owner or holder.is_attribute for s in statements)
                and all(self._plain_sampling(s.value) for s in statements if isinstance(s.value, ast.Call))
                and not self.ground.other_files_problem(holder)
                and not self.ground.uses.odd("loader", holder)
            )
            if fits:
                found += [(self.ground.text(holder), s) for s in statements]
        return found

    def _plain_sampling(self, call: ast.Call) -> bool:
        """Whether the loader has a sampler of torch's own: Fabric counts the epochs of any other."""
        if len(call.args) > 3 or any(isinstance(a, ast.Starred) for a in call.args):
            return False
        for keyword in call.keywords:
            if keyword.arg in ("sampler", "batch_sampler"):
                return isinstance(keyword.value, ast.Constant) and keyword.value.value is None
            if keyword.arg is None and not self._plain_options(keyword.value):
                return False
        return True

    def _plain_options(self, node: ast.expr) -> bool:
        """Whether ``**options`` surely hold no sampler."""
        values = [node]
        if isinstance(node, ast.Name):
            key = self.roles.key(self.source.scope_of(node), node.id)
            bindings = self.roles.bindings(key) if key else []
            if not bindings or key is None or self.holders.is_parameter(Holder(*key)):
                return False
            values = [b.value for b in bindings]
        flat: list[ast.expr] = []
        for value in values:
            flat += [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
        for value in flat:
            if not isinstance(value, ast.Dict):
                return False
            for entry in value.keys:
                if not isinstance(entry, ast.Constant) or "sampler" in str(entry.value):
                    return False
        return True
