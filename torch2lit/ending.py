"""How the program ends when it is stopped, or meets what nobody thought of: in one line, with nothing left behind."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click

from .stopping import asked, stopping_signals
from .terminal import plain_path, silence

FAILED = 123


@contextmanager
def ended_cleanly() -> Iterator[None]:
    """Turn a signal into an exit that cleans up, and an unexpected error into one line. Ends with 128 + the signal, or 123."""
    before = _listen()
    asked.clear()
    try:
        yield
    except OSError as error:
        # Files of the user are told of one by one; what is left are the streams, as in `--help > /dev/full`.
        silence(sys.stdout)
        sys.exit(_say(f"{error.strerror or error}{f': {plain_path(str(error.filename))}' if error.filename else ''}"))
    except Exception as error:
        # click lets through what it does not know itself.
        from .process_python import internal_error

        sys.exit(_say(internal_error(error)))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listen() -> dict[int, Any]:
    if threading.current_thread() is not threading.main_thread():
        return {}
    before: dict[int, Any] = {}
    for number in stopping_signals():
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            before[number] = signal.signal(number, _stop)
    return before


def _stop(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # cleaning up is not stopped by a second one
    asked.append(number)
    raise SystemExit(128 + number)


def _say(message: str) -> int:
    try:
        click.echo(f"Error: {message}", err=True)
    except (OSError, ValueError):
        silence(sys.stderr)
    return FAILED
