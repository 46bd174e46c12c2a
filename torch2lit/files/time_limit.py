"""An end for what may take for ever."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class TooSlow(BaseException):
    """The time was up. No error of the work itself: nothing on the way takes it for one."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise TooSlow when the block takes longer.

    Even one endless match of a regular expression is ended: it looks for signals. Where there are none of this kind (on Windows, and in
    another thread than the main one) there is no limit.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: object) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, end)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left, interval)
        signal.signal(signal.SIGALRM, before)
