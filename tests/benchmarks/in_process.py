"""Converting in process against F, libcst's parse and print of the same file."""

from __future__ import annotations

import importlib
import statistics
from collections.abc import Iterator
from contextlib import contextmanager

import libcst as cst
from measure import Row, Setting, ratio, spread

from torch2lit.options import Options
from torch2lit.process import process_text

_USERS = ("torch2lit.rewrite.formatting", "torch2lit.rewrite.assemble", "torch2lit.rewrite.entry")


def rows(setting: Setting) -> list[Row]:
    """Without and with black over the new code."""
    with _unformatted():
        plain = _ratios(setting)
    formatted = _ratios(setting)
    return [
        Row("convert", statistics.median(plain), 4, f"x F; {spread(plain)}"),
        Row("convert-formatted", statistics.median(formatted), 6, f"x F; {spread(formatted)}"),
    ]


def _ratios(setting: Setting) -> list[float]:
    options = Options()
    found = []
    for path in setting.scripts:
        text = path.read_text(encoding="utf-8")
        name = path.as_posix()

        def convert(text: str = text, name: str = name) -> object:
            return process_text(text, name, options)

        def floor(text: str = text) -> object:
            return cst.parse_module(text).code

        convert()
        found.append(ratio(convert, floor, setting.rounds))
    return found


@contextmanager
def _unformatted() -> Iterator[None]:
    """Let the engine leave new code as it writes it."""
    modules = [m for m in map(importlib.import_module, _USERS) if hasattr(m, "format_code")]
    kept = [(module, module.format_code) for module in modules]
    for module in modules:
        module.format_code = lambda text, _width: text  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for module, function in kept:
            module.format_code = function  # type: ignore[attr-defined]
