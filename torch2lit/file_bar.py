"""How far a run over many files is, on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

_GONE = "\r\033[K\033[?25h"
"""An empty line, and the cursor that the bar hid."""
_FEW = 20
"""Files that are done before anybody waits."""


@contextmanager
def file_bar(given: dict[str, Any]) -> Iterator[Callable[[int, int], object]]:
    """What is to be told how many of how many files are done. The bar is on stderr, for people alone, and gone in the end."""
    stream = sys.stderr
    if given["quiet"] or stream is None or not stream.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda done, of: None
        return
    bars: list[Any] = []

    def tell(done: int, of: int) -> None:
        if of < _FEW:
            return
        if not bars or bars[-1].length != of:
            bars.append(click.progressbar(length=of, label="files", file=stream, show_pos=True))
            bars[-1].__enter__()
        bars[-1].update(1)

    try:
        yield tell
    finally:
        if bars:
            stream.write(_GONE)
            stream.flush()
