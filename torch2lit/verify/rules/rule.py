"""What rules share: the shape of a rule, and small questions that several of them ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..compare import losses_of
from ..events import Fact, Trace
from ..evidence import Cause, Evidence

Rule = Callable[[Evidence], Cause | None]

_LAST_BITS = 1e-5


def close(a: float, b: float) -> bool:
    """Whether two numbers agree to the last bits of a float32."""
    return abs(a - b) <= _LAST_BITS * max(abs(a), abs(b))


LAST_BITS = _LAST_BITS


def factor(a: float, b: float) -> int | None:
    """The whole factor from 2 on between two numbers."""
    if not a or not b:
        return None
    ratio = max(abs(a / b), abs(b / a))
    if ratio == float("inf") or ratio != ratio:
        return None
    whole = round(ratio)
    return whole if whole > 1 and abs(ratio - whole) < _LAST_BITS * whole else None


def accumulates(trace: Trace, up_to: int) -> bool:
    """Whether some step up to that one (from 0) is made of several backward passes."""
    return any(len(losses_of(trace, index)) > 1 for index in range(min(up_to + 1, len(trace.steps))))


def optimizers(trace: Trace) -> list[str]:
    """The optimizers that step, in the order of their first step."""
    return list(dict.fromkeys(step.optimizer for step in trace.steps))


def other_settings(
    raw: Sequence[Fact], converted: Sequence[Fact], without: Sequence[str] = ()
) -> list[tuple[str, str, str]]:
    """(setting, raw, converted) of what is told by both and is not the same, for each pair of facts."""
    found = []
    for a, b in zip(raw, converted, strict=False):
        for key in a.settings.keys() & b.settings.keys() - set(without):
            if a.settings[key] != b.settings[key]:
                found.append((key, a.settings[key], b.settings[key]))
    return sorted(set(found))


def told(differences: Sequence[tuple[str, str, str]], most: int = 4) -> str:
    """Differences of settings in one clause."""
    parts = [f"{key} is {a} in the raw run and {b} in the converted one" for key, a, b in differences[:most]]
    return "; ".join(parts) + ("; ..." if len(differences) > most else "")


def trainer_setting(trace: Trace, name: str) -> str:
    """What Lightning's Trainer was told, "" without a Trainer."""
    return next((fact.settings.get(name, "") for fact in trace.of_kind("trainer")), "")
