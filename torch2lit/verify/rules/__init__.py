"""The rules: one pattern by which raw PyTorch and Lightning are known to part, each.

A rule looks at facts that a trace holds (which batch went into a loss, torch's random state, the modes of the modules,
norms of the gradients, how optimizers, schedulers, loaders and the Trainer are set up) and says nothing unless they fit. The order is
that of trust: what is set up otherwise, and can explain the first difference, comes before what is only a pattern.
"""

from __future__ import annotations

from .data import DATA, SEEDS_AND_LOADERS
from .ends import ENDS, RAW_DID_NOT_STEP, TOO_SHORT
from .gradients import GRADIENTS
from .losses import LOSSES, MODES
from .optimizers import BUILT, OPTIMIZERS, TURNS
from .rule import Rule
from .saves import SAVES
from .schedule import SCHEDULE

__all__ = ["RAW_DID_NOT_STEP", "RULES", "Rule"]

RULES: tuple[Rule, ...] = (
    *TOO_SHORT,
    *BUILT,
    *SCHEDULE,
    *ENDS,
    *TURNS,
    *OPTIMIZERS,
    *MODES,
    *SEEDS_AND_LOADERS,
    *LOSSES,
    *DATA,
    *GRADIENTS,
    *SAVES,
)
