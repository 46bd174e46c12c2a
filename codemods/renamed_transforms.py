"""``transforms.Scale`` is ``Resize``, ``RandomSizedCrop`` is ``RandomResizedCrop``: torchvision dropped the old names.

    transforms.Scale(256)             →   transforms.Resize(256)
    transforms.RandomSizedCrop(224)   →   transforms.RandomResizedCrop(224)
    import Scale                      →   import Resize as Scale

The old classes were the new ones with a warning, from torchvision 0.2 to 0.12.
Source: https://github.com/pytorch/vision/releases/tag/v0.2.0 (Scale and RandomSizedCrop renamed).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..program import Modernisation, Piece, Script, left, replaced

_MODULES = ("torchvision.transforms", "torchvision.transforms.transforms")
_NEW = {"Scale": "Resize", "RandomSizedCrop": "RandomResizedCrop"}


@dataclass(frozen=True, slots=True)
class RenamedTransforms:
    """Uses the names that torchvision has now."""

    name: str = "renamed_transforms"
    words: tuple[str, ...] = tuple(_NEW)

    def modernise(self, script: Script) -> Iterable[Modernisation]:
        """Attributes of the module and imports from it."""
        for node in script.all(ast.Attribute):
            module, _, last = script.full_name(node).rpartition(".")
            if module in _MODULES and last == node.attr and last in _NEW:
                if _second_by_place(node, script):
                    yield left(
                        node, f"`{last}` is gone, and its second argument is not that of `{_NEW[last]}`: name it there"
                    )
                else:
                    yield replaced(node, f".{_NEW[last]}", _meaning(last), after=node.value)
        for statement in script.all(ast.ImportFrom):
            if statement.module in _MODULES and not statement.level:
                for alias in statement.names:
                    if alias.name in _NEW:
                        start = (alias.lineno, alias.col_offset)
                        new = _NEW[alias.name] + ("" if alias.asname else f" as {alias.name}")
                        piece = Piece(start, (start[0], start[1] + len(alias.name)), new)
                        yield Modernisation(start[0], start[0], (piece,), _meaning(alias.name))


def _second_by_place(node: ast.Attribute, script: Script) -> bool:
    """Whether a second argument is given by its place: ``RandomResizedCrop`` takes another one there."""
    call = script.parent(node)
    return isinstance(call, ast.Call) and call.func is node and node.attr == "RandomSizedCrop" and len(call.args) > 1


def _meaning(name: str) -> str:
    return f"torchvision dropped the name `{name}` in 0.13: `{_NEW[name]}` is the same transform"


MODERNIZER = RenamedTransforms()
