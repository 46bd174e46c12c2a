"""Whether a signal has asked the program to end, for code that may have missed the exception."""

from __future__ import annotations

import signal

asked: list[int] = []
"""The signals so far; emptied when the program begins."""


def stopping_signals() -> list[signal.Signals]:
    """The signals that ask a program to end, as far as this system has them."""
    return [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def end_if_stopped() -> None:
    """Exit where a signal has asked for it and Python has dropped the exception, as it does in code that runs around a fork."""
    if asked:
        raise SystemExit(128 + asked[0])
