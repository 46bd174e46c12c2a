"""Names that numpy dropped in 1.24 and 2.0 were other names for things that are still there.

    np.int      →   int
    np.Inf      →   np.inf
    np.float_   →   np.float64

``np.bool`` and ``np.long`` are back in numpy 2, with another meaning, and run: they stay.
Source: https://numpy.org/doc/stable/release/1.24.0-notes.html, https://numpy.org/doc/stable/numpy_2_0_migration_guide.html
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..program import Modernisation, Script, replaced

_BUILTINS = {"int", "float", "complex", "object", "str"}
_NEW = {
    "Inf": "inf",
    "Infinity": "inf",
    "PINF": "inf",
    "infty": "inf",
    "NaN": "nan",
    "float_": "float64",
    "complex_": "complex128",
    "string_": "bytes_",
    "unicode_": "str_",
    "product": "prod",
    "cumproduct": "cumprod",
    "alltrue": "all",
    "sometrue": "any",
}


@dataclass(frozen=True, slots=True)
class NumpyAliases:
    """Uses what the old names stood for."""

    name: str = "numpy_aliases"
    words: tuple[str, ...] = tuple(f".{name}" for name in sorted(_BUILTINS | set(_NEW)))

    def modernise(self, script: Script) -> Iterable[Modernisation]:
        """Attributes of the module numpy that are read."""
        for node in script.all(ast.Attribute):
            if not isinstance(node.value, ast.Name) or not isinstance(node.ctx, ast.Load):
                continue
            if node.attr in _BUILTINS and script.full_name(node) == f"numpy.{node.attr}" and script.builtin(node.attr):
                yield replaced(node, node.attr, _meaning(node.attr, node.attr))
            elif node.attr in _NEW and script.full_name(node) == f"numpy.{node.attr}":
                new = f"{node.value.id}.{_NEW[node.attr]}"
                yield replaced(node, f".{_NEW[node.attr]}", _meaning(node.attr, new), after=node.value)


def _meaning(old: str, new: str) -> str:
    return f"numpy has no `{old}` any more, which was another name for `{new}`"


MODERNIZER = NumpyAliases()
