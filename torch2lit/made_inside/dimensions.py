"""Whether an expression gives how large an array is (``data.shape[1]``): a number, whatever array it is.

What asks by that name only gets something else where a class of the program answers it with its own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from ..recover.reached_files import reached_files
from ..recover.roles import Roles

_SHAPE = "shape"
_ANY = {"__getattr__", "__getattribute__", "__class_getitem__"}
"""Methods by which a class may answer any name."""


def is_dimension(value: ast.expr, files: Iterable[Roles]) -> bool:
    """Whether a value is one number of a shape, in a program in which nothing but arrays has one."""
    match value:
        case ast.Subscript(value=ast.Attribute(attr=attribute), slice=ast.Constant(value=int())):
            return attribute == _SHAPE and not any(_gives_own(f) for r in files for f in reached_files(r))
    return False


def _gives_own(file: Roles) -> bool:
    """Whether a file may give an object of its own something under that name."""
    source = file.source
    if any(a.attr == _SHAPE and not isinstance(a.ctx, ast.Load) for a in source.all(ast.Attribute)):
        return True
    if any(f.name == _SHAPE or f.name in _ANY for f in source.functions):
        return True
    if any(_SHAPE in str(c.value).replace(",", " ").split() for c in source.all(ast.Constant) if _is_text(c)):
        return True  # setattr, a named tuple
    in_classes = (n for n in source.all(ast.Name) if n.id == _SHAPE and not isinstance(n.ctx, ast.Load))
    return any(isinstance(source.parents[source.statement_of(n)], ast.ClassDef) for n in in_classes)


def _is_text(constant: ast.Constant) -> bool:
    """Whether a constant is a text of names alone, and no sentence."""
    return isinstance(constant.value, str) and constant.value.replace(",", " ").replace(" ", "_").isidentifier()
