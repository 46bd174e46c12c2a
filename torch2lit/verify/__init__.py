"""Proves that a converted script trains as the raw one did: runs both, compares every step, names the
likely cause.

Nothing here imports torch into the tool's own process, except `torch2lit.verify.trace.record` when it is
called.
"""

from __future__ import annotations

from .errors import VerifyError
from .proof import verify
from .result import VerifyResult

__all__ = ["VerifyError", "VerifyResult", "verify"]
