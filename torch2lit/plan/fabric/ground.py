"""What every part of the Fabric plan asks: the file, its holders, and what is to be left alone."""

from __future__ import annotations

import ast
import re

from ...recover.holders import Holder, Holders
from ...recover.neighbours import neighbours_of
from ...recover.outside import uses_oddly
from ...recover.roles import Roles
from ...recover.syntax import Source, walk
from .uses import Uses

SELF_RETURNING = {"to", "cuda", "cpu", "train", "eval", "float", "double", "half", "bfloat16", "requires_grad_"}
"""Methods of a module that give the module back."""
_LIGHTNING_BASES = ("LightningModule", "LightningDataModule")


class Ground:
    """One file as the plan sees it."""

    def __init__(self, source: Source, roles: Roles, path: str, skipped: set[int]) -> None:
        self.source = source
        self.roles = roles
        self.neighbours = roles.neighbours or neighbours_of(path, source.tree)
        self.holders = Holders(source, roles)
        self.uses = Uses(source, roles, self.holders)
        self.skipped = skipped
        """Lines with a comment that asks to leave the statement there alone."""
        self.avoid: set[str] = set()
        """Names of objects that a Trainer of the file holds already."""
        self.trainers_own: set[str] = set()
        """Functions that hooks of a LightningModule call."""
        self._look_at_trainers()

    def _look_at_trainers(self) -> None:
        """Find what the LightningModules of the file hold and call: that part is a Trainer's."""
        for owner in self.source.all(ast.ClassDef):
            if is_lightning(owner):
                self.trainers_own |= {n.id for n in walk(owner) if isinstance(n, ast.Name)}
        for call in self.source.calls:
            made = self.source.classes.get(call.func.id) if isinstance(call.func, ast.Name) else None
            if made is not None and is_lightning(made):
                for argument in [*call.args, *(k.value for k in call.keywords)]:
                    self.avoid |= {ast.unparse(n) for n in walk(argument) if isinstance(n, ast.Name | ast.Attribute)}

    def left_alone(self, node: ast.AST) -> bool:
        """Whether a skip comment, a LightningModule or a test case holds the node."""
        for ancestor in [node, *self.source.ancestors(node)]:
            if isinstance(ancestor, ast.stmt) and ancestor.lineno in self.skipped:
                return True
            if isinstance(ancestor, ast.ClassDef) and (is_lightning(ancestor) or _is_test(ancestor)):
                return True
            if isinstance(ancestor, ast.FunctionDef) and ancestor.name in self.trainers_own:
                return True
        return False

    def other_files_problem(self, holder: Holder) -> str:
        """Why an attribute of a class that only other files make cannot be wrapped; "" for all else."""
        if not isinstance(holder.owner, ast.ClassDef):
            return ""
        made = bool(self.source.calls_to(holder.owner.name))
        if made or not uses_oddly(self.neighbours.folder, holder.owner.name, holder.name):
            return ""
        return f"another file uses `{holder.name}` of `{holder.owner.name}`"

    def text(self, holder: Holder) -> str:
        """The holder as it is written where it is set up."""
        if not holder.is_attribute:
            return holder.name
        stores = self.holders.stores(holder)
        return ast.unparse(stores[0]) if stores else f"self.{holder.name}"

    def shown(self, node: ast.expr) -> str:
        """A read with what is done with it, for a message."""
        parent = self.source.parents[node]
        return ast.unparse(parent if isinstance(parent, ast.expr) else node)[:60]

    def shares_lines(self, statement: ast.stmt) -> bool:
        """Whether something else stands on the lines of a statement."""
        lines = self.source.lines
        first = lines[statement.lineno - 1].encode()[: statement.col_offset].decode()
        last = lines[(statement.end_lineno or 1) - 1].encode()[statement.end_col_offset :].decode()
        return bool(first.strip()) or (bool(last.strip()) and not last.strip().startswith("#"))

    def starts_shared_line(self, statement: ast.stmt) -> bool:
        """Whether something else stands before a statement on its line, as in ``if x: statement``."""
        return bool(self.source.lines[statement.lineno - 1].encode()[: statement.col_offset].decode().strip())

    def value_of(self, store: ast.expr) -> ast.expr | None:
        """The expression that a binding gives to its target, also in a tuple; None when it cannot be told."""
        parent = self.source.parents[store]
        if isinstance(parent, ast.Assign) and len(parent.targets) == 1:
            return parent.value
        if isinstance(parent, ast.Tuple):
            statement = self.source.parents[parent]
            if (
                isinstance(statement, ast.Assign)
                and statement.targets == [parent]
                and isinstance(statement.value, ast.Tuple)
                and len(statement.value.elts) == len(parent.elts)
                and not any(isinstance(e, ast.Starred) for e in [*parent.elts, *statement.value.elts])
            ):
                return statement.value.elts[parent.elts.index(store)]
        return None


def is_lightning(owner: ast.ClassDef) -> bool:
    """Whether a class is a LightningModule or a LightningDataModule."""
    return any(ast.unparse(b).endswith(_LIGHTNING_BASES) for b in owner.bases)


def _is_test(owner: ast.ClassDef) -> bool:
    """Whether a class is a unit test: what it steps is what it tests."""
    names = [owner.name, *map(ast.unparse, owner.bases)]
    return (
        any(re.search(r"Test(Case|Base|s)?$", name) for name in names) or re.match(r"Test[A-Z]", owner.name) is not None
    )
