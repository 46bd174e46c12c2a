"""Methods of a base in another file that drive the training of a class: written into the class, where they can be taken apart.

class Trainer(BaseTrainer):                       class Trainer(BaseTrainer):
    def _train_epoch(self, epoch): ...       →        def train(self):
                                                          for epoch in range(self.epochs):
                                                              self._train_epoch(epoch)
                                                      def _train_epoch(self, epoch): ...

The class then has as its own what it would inherit. The base stays as it is, for all other classes that extend it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..objects.classes import Family
from ..program import Edit
from ..recover.names import parameter_names
from ..recover.neighbours import Definition, absolute_module
from ..recover.reach import ProjectFiles
from ..recover.roles import Roles
from ..recover.stepping import STEP_METHODS
from ..recover.syntax import Source, dotted, walk
from ..rewrite.pull_in import CannotPullIn, pull_methods

_DEPTH = 8


@dataclass(frozen=True, slots=True)
class _Above:
    """A class above a family, in another file."""

    definition: Definition

    @property
    def node(self) -> ast.ClassDef:
        assert isinstance(self.definition.node, ast.ClassDef)
        return self.definition.node

    def methods(self) -> list[ast.FunctionDef]:
        return [s for s in self.node.body if isinstance(s, ast.FunctionDef)]


def drivers_brought_down(source: Source, roles: Roles, family: Family, others: str) -> tuple[Edit, ...] | str:
    """Edits that give a family the inherited methods which run its training, or why they cannot stand there.

    No edits when the class inherits no such method.
    """
    if roles.neighbours is None:
        return ()
    files = ProjectFiles(roles, roles.neighbours)
    found = _classes_above(files, source, roles, family)
    if found is None:
        return ()
    owner, above = found
    drivers = _drivers(family, above)
    if not drivers:
        return ()
    where = f"`{drivers[0].node.name}` of {drivers[0].file.name} runs it"
    if past := next((one.node.name for one in drivers if _is_named(source.text, others, one)), ""):
        return f"{where}, and `{past}` of the base is called past the class"
    try:
        return pull_methods(source, roles, files, owner, drivers)
    except CannotPullIn as reason:
        return f"{where}, and cannot stand in the class: {reason}"
    except SyntaxError:
        return ()


def _classes_above(
    files: ProjectFiles, source: Source, roles: Roles, family: Family
) -> tuple[ast.ClassDef, list[_Above]] | None:
    """The class of the family that extends one of another file, and the line of classes above it, nearest first."""
    owners = [c for c in family.classes if any(dotted(b) not in source.classes for b in c.bases)]
    if len(owners) != 1 or len(owners[0].bases) != 1:
        return None
    full = roles.full_name(owners[0].bases[0])
    definition = files.neighbours.definition(full)
    above: list[_Above] = []
    while definition is not None and isinstance(definition.node, ast.ClassDef) and len(above) < _DEPTH:
        above.append(_Above(definition))
        inner, seen = files.source(definition.file)
        bases = [b for b in definition.node.bases if dotted(b).rpartition(".")[2] not in ("ABC", "object")]
        if len(bases) > 1:
            return None
        if not bases:
            break
        following: Definition | None = None
        if (own := inner.classes.get(dotted(bases[0]))) is not None:
            following = Definition(definition.file, definition.module, own)
        elif (there := files.neighbours.beside(definition.file).definition(seen.full_name(bases[0]))) is not None:
            module = absolute_module(definition.module, definition.file, there.module)
            following = Definition(there.file, module, there.node) if module else None
        if following is None:
            return None
        definition = following
    return (owners[0], above) if above else None


def _drivers(family: Family, above: list[_Above]) -> list[Definition]:
    """The inherited methods that train, or call one that does, in the order in which their classes have them."""
    own = {m.name: m for m in family.names if isinstance(m, ast.FunctionDef)}
    inherited: dict[str, tuple[_Above, ast.FunctionDef]] = {}
    for one in above:
        for method in one.methods():
            if method.name not in own:
                inherited.setdefault(method.name, (one, method))
    resolved = {**own, **{name: method for name, (_one, method) in inherited.items()}}
    training = {name for name, method in resolved.items() if _has_step(method)}
    grown = True
    while grown:
        more = {name for name, method in resolved.items() if name not in training and _mentions(method) & training}
        grown = bool(more)
        training |= more
    if "__init__" in training:
        return []
    chosen = [(one, method) for name, (one, method) in inherited.items() if name in training]
    return [Definition(one.definition.file, one.definition.module, method) for one, method in chosen]


def _has_step(method: ast.FunctionDef) -> bool:
    attributes = {n.attr for n in walk(method) if isinstance(n, ast.Attribute)}
    return "backward" in attributes and not attributes.isdisjoint(STEP_METHODS)


def _mentions(method: ast.FunctionDef) -> set[str]:
    """What a method reads of its object, by name or by a text that may be a name."""
    own = parameter_names(method)[:1]
    found = {n.attr for n in walk(method) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)
             and n.value.id in own}  # fmt: skip
    return found | {n.value for n in walk(method) if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def _is_named(text: str, others: str, method: Definition) -> bool:
    """Whether some file calls the base's own method past the class, as ``BaseTrainer.train(trainer)`` or by ``super()``."""
    name = method.node.name
    if f"super().{name}" in text or f").{name}" in text:
        return True
    owners = {line.split("class ", 1)[1].split("(")[0].strip(" :") for line in f"{text}\n{others}".splitlines()
              if line.lstrip().startswith("class ")}  # fmt: skip
    return any(f"{owner}.{name}" in whole for owner in owners for whole in (text, others))
