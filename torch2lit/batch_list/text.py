"""The same program with a loader over each list, made above the loop over the epochs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from ..files.lines import dominant_newline, split_lines
from ..recover.line_text import put, with_lines_above
from ..recover.syntax import Source
from ..rewrite.formatting import format_code
from .found import BatchList

_WIDTH = 88
_COMMENT = (
    "# Each element of the list is a batch, as it is. A generator of its own keeps the",
    "# loader from drawing the script's random numbers.",
)


def over_loaders(
    source: Source, torch: str, found: list[BatchList], above: Mapping[int, Sequence[str]]
) -> tuple[str, dict[int, int], set[str]]:
    """The text, the raw line of each line that has one, and the new loaders.

    ``torch`` is what it calls torch, with the lines ``above`` those of these numbers.
    """
    lines, newline = split_lines(source.text), dominant_newline(source.text)
    added = {number: [*new] for number, new in above.items()}
    loaders: set[str] = set()
    for one in found:
        loader = _free_name(source, loaders)
        loaders.add(loader)
        first = source.lines[one.outermost.lineno - 1]
        indent = first[: len(first) - len(first.lstrip())]
        made = (
            f"{loader} = {torch}.utils.data.DataLoader({one.name.id}, batch_size=None, "
            f"collate_fn=lambda batch: batch, generator={torch}.Generator())"
        )
        new = [*_COMMENT, *format_code(made, max(40, _WIDTH - len(indent))).splitlines()]
        added.setdefault(one.outermost.lineno, []).extend(f"{indent}{line}{newline}" for line in new)
        put(lines, one.name, loader)
    return *with_lines_above(lines, added), loaders


def _free_name(source: Source, taken: set[str]) -> str:
    several = itertools.chain(["loader", "train_loader"], (f"loader_{n}" for n in itertools.count(2)))
    return next(name for name in several if name not in source.names and name not in taken)
