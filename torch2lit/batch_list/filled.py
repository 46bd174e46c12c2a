"""A list that begins empty and has all of its elements before the training begins."""

from __future__ import annotations

import ast

from ..recover.nest import Nest
from ..recover.plain_lists import filled_before
from ..recover.roles import Key, Roles


def filling_of(key: Key, nest: Nest, roles: Roles) -> list[ast.Name] | None:
    """The mentions of a list that add an element to it, all of them before the training; None where it is no such list."""
    return filled_before(key, roles, nest.outermost) if key[0] is nest.entry.scope else None
