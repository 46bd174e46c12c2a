"""Progress bars go to stderr in a traced run, so that stdout holds what the script prints. Runs in the child: plain Python only.

tqdm's own bars go there anyway. Lightning gives its bar stdout, where it would stand on the lines of the script's prints.
"""

from __future__ import annotations

import functools
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def keep_off_stdout(folder: Path) -> None:
    """Send the bars of tqdm and rich to stderr. A module in ``folder`` that is named like one of them is left alone."""
    for name, redirect in (("tqdm", _tqdm), ("rich", _rich)):
        if not (folder / f"{name}.py").exists() and not (folder / name).exists() and find_spec(name) is not None:
            redirect()


def _tqdm() -> None:
    bar: Any = import_module("tqdm.std").tqdm
    original = bar.__init__

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        if kwargs.get("file") is sys.stdout:
            kwargs["file"] = sys.stderr
        original(self, *args, **kwargs)

    bar.__init__ = init


def _rich() -> None:
    live: Any = import_module("rich.live").Live
    console: Any = import_module("rich.console").Console
    original = live.__init__

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **{**kwargs, "console": console(stderr=True)})

    live.__init__ = init
