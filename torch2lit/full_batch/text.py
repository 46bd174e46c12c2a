"""The same program with a loader of one batch, and with loops over it around the parts of an epoch.

for epoch in range(n):                  loader = torch.utils.data.DataLoader([(x, y)], batch_size=None, generator=torch.Generator())
    loss = f(model(x), y)               for epoch in range(n):
    ...                         →           for q, z in loader:
                                                loss = f(model(q), z)
                                                ...

What is handed over has another name of the same length in the loops, so that no name changes its value by them and the
new code is laid out as it would be with the script's own names.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import keyword
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..files.lines import dominant_newline, split_lines
from ..recover.line_text import put, with_lines_above
from ..recover.lines_in_strings import lines_in_strings
from ..recover.syntax import Source, walk
from ..rewrite.formatting import format_code
from .part import Part
from .regions import FullBatch

_WORD = re.compile(r"\w+")
_TAKEN = {
    "L", "pl", "lightning", "batch", "batch_idx", "self", "trainer", "outputs", "args", "hparams", "torch", "log", "stop",
    *(f"{a}{b}" for a in ("", *"rRbBfFuU") for b in ("", *"rRbBfFuU")),
    *dir(builtins), *keyword.kwlist,
}  # fmt: skip
_WIDTH = 100
_COMMENT = (
    "# The whole set is the one batch of every epoch. A generator of its own keeps",
    "# the loader from drawing the script's random numbers.",
)
_OF_NOTHING = (
    "# The script trains in one go: an epoch has one batch. A generator of its own keeps",
    "# the loader from drawing the script's random numbers.",
)
_OF_EVALUATION = (
    "# The script evaluates in one go: a validation has one batch. A generator of its own",
    "# keeps the loader from drawing the script's random numbers.",
)


@dataclass
class Derived:
    """The new text; for each of its lines the raw one, both counted from 1; the script's names for the new ones."""

    text: str
    lines: dict[int, int]
    names: dict[str, str]
    loaders: dict[str, FullBatch]


def derived(source: Source, torch: str, found: list[FullBatch], above: Mapping[int, Sequence[str]]) -> Derived:
    """The program with the loops of ``found`` over loaders; ``torch`` is what it calls torch, with the lines ``above`` those of these numbers."""
    return _Writer(source, torch, above).written(found)


class _Writer:
    def __init__(self, source: Source, torch: str, above: Mapping[int, Sequence[str]]) -> None:
        self.source = source
        self.torch = torch
        self.lines = split_lines(source.text)
        self.newline = dominant_newline(source.text)
        self.taken = set(_WORD.findall(source.text)) | _TAKEN
        self.strings = lines_in_strings(source.text)
        self.above = {number: [*new] for number, new in above.items()}
        """New lines above the raw ones of these numbers."""
        self.new_names: dict[str, str] = {}
        self.loaders: dict[str, FullBatch] = {}

    def written(self, found: list[FullBatch]) -> Derived:
        for one in found:
            self._add(one)
        text, origins = with_lines_above(self.lines, self.above)
        return Derived(text, origins, {new: name for name, new in self.new_names.items()}, self.loaders)

    def _add(self, one: FullBatch) -> None:
        indent = self._indent(one.loop)
        unit = self._indent(one.loop.body[0]).removeprefix(indent) or "    "
        parts = [part for part in (one.training, one.evaluation) if part is not None]
        above = self.above.setdefault(_first_line(one.loop), [])
        shared = len(parts) == 2 and bool({*parts[0].names} & {*parts[1].names})
        names = list(dict.fromkeys(name for part in parts for name in part.names))
        loader = ""
        for part in parts:
            if not loader or not shared:
                plain = shared or (len(parts) == 1 and part is one.training)
                loader = self._free_name("loader" if plain else f"{'train' if part is one.training else 'val'}_loader")
                self.loaders[loader] = one
                comment = [] if above else _comment(one)
                above += self._construction(loader, names if shared else [*part.names], indent, comment)
            self._wrap(part, names if shared else [*part.names], loader, unit)

    def _construction(self, loader: str, names: list[str], indent: str, comment: Sequence[str]) -> list[str]:
        batch = f"({', '.join(names)})" if len(names) > 1 else "".join(names) or "0"
        made = f"{loader} = {self.torch}.utils.data.DataLoader([{batch}], batch_size=None, generator={self.torch}.Generator())"
        lines = format_code(made, max(40, _WIDTH - len(indent))).splitlines()
        return [f"{indent}{line}{self.newline}" for line in (*comment, *lines)]

    def _wrap(self, part: Part, names: list[str], loader: str, unit: str) -> None:
        first, last = _first_line(part.statements[0]), part.statements[-1].end_lineno or 0
        self._rename(part.statements, part.names)
        indent = self._indent(part.statements[0])
        while first > 1 and self.lines[first - 2].startswith(indent) and self.lines[first - 2].lstrip().startswith("#"):
            first -= 1
        targets = ", ".join(self._new_name(name) for name in names) or self._free_name("batch")
        self.above.setdefault(first, []).append(f"{indent}for {targets} in {loader}:{self.newline}")
        for number in range(first, last + 1):
            if number not in self.strings and self.lines[number - 1].strip():
                self.lines[number - 1] = unit + self.lines[number - 1]

    def _rename(self, statements: Sequence[ast.stmt], names: tuple[str, ...]) -> None:
        """Names in f-strings stay: their places are not known before Python 3.12, and their values are the same."""
        nodes = [n for statement in statements for n in walk(statement)]
        inside = {id(n) for f in nodes if isinstance(f, ast.JoinedStr) for n in walk(f)}
        found = [n for n in nodes if isinstance(n, ast.Name) and n.id in names and id(n) not in inside]
        for node in sorted(found, key=lambda n: (n.lineno, n.col_offset), reverse=True):  # places before it stay right
            put(self.lines, node, self._new_name(node.id))

    def _new_name(self, name: str) -> str:
        if name not in self.new_names:
            new = next(n for n in _alike(name) if n not in self.taken)
            self.taken.add(new)
            self.new_names[name] = new
        return self.new_names[name]

    def _free_name(self, name: str) -> str:
        several = itertools.chain([name], (f"{name}_{k}" for k in itertools.count(2)))
        found = next(n for n in several if n not in self.source.names | self.loaders.keys())
        self.taken.add(found)
        return found

    def _indent(self, statement: ast.stmt) -> str:
        line = self.source.lines[statement.lineno - 1]
        return line[: len(line) - len(line.lstrip())]


def _comment(one: FullBatch) -> Sequence[str]:
    if one.training is None:
        return _OF_EVALUATION
    return _COMMENT if one.training.names else _OF_NOTHING


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(d.lineno for d in decorators)])


def _alike(name: str) -> Iterator[str]:
    """Names of the same length as far as there are some, made of plain letters."""
    letters = string.ascii_lowercase + string.ascii_uppercase
    if len(name) == 1:
        yield from (c for c in reversed(letters) if c not in _WORDS)
    elif name.isascii():
        for place in range(len(name) - 1, 0, -1):
            yield from (name[:place] + c + name[place + 1 :] for c in string.digits + letters)
    yield from (f"one_{name}_{n}" for n in itertools.count())


_WORDS = "aAiI"
