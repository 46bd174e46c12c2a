"""Whether variables of other files get other values by some statements.

optimizer = SGD(model.parameters(), lr=settings.RATE)
settings.RATE = 0.01                            the optimizer has the rate from before
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable

from ..recover.roles import Roles
from ..recover.syntax import Scope
from .same_parameters import SameParameters
from .writes_elsewhere import imported_owners, writes_elsewhere


def are_set(roles: Roles, scope: Scope, variables: Collection[str], passed: Iterable[ast.AST]) -> bool:
    """Whether statements may give variables of other files other values: by themselves, or by what they call."""
    several = [*passed]
    if any(writes_elsewhere(roles, s) & {*variables} for s in several):
        return True
    owners, same = imported_owners(roles, variables), SameParameters(roles, scope, [])
    return not all(same.after(part, owners) for part in several)
