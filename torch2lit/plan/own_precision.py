"""A script that lowers precision itself, asked to let the Trainer do so as well: both together would scale and cast twice."""

from __future__ import annotations

import ast

from ..recover.syntax import dotted
from .draft import Draft

_FULL = "32-true"


def own_precision(draft: Draft) -> ast.Call | None:
    """The script's first call of autocast or of a gradient scaler that is not switched off for good."""
    for call in sorted(draft.source.calls, key=lambda c: (c.lineno, c.col_offset)):
        if dotted(call.func).rpartition(".")[2] in ("autocast", "GradScaler") and not _never(call):
            return call
    return None


def _never(call: ast.Call) -> bool:
    values = [k.value for k in call.keywords if k.arg == "enabled"]
    return any(isinstance(v, ast.Constant) and v.value is False for v in values)


def precision_argument(draft: Draft) -> str:
    """What the Trainer is told of precision, as source; "" when it is told nothing."""
    precision = draft.options.precision
    if precision is None:
        return ""
    if (call := own_precision(draft)) is None:
        return repr(precision)
    name = dotted(call.func)
    if precision == _FULL:
        draft.note("own-precision", call, f"`{name}` stays, and `--precision {precision}` does not switch it off")
        return repr(precision)
    draft.note(
        "own-precision",
        call,
        f"`{name}` stays and decides the precision; the Trainer is not given `{precision}` as well",
    )
    return ""
