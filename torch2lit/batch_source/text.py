"""The same program with a class for the batches, and the loop over its object.

for step in range(n):                   class TrainBatches:
    x, y = get_batch(data, step)            ...
    loss = f(model(x), y)           →           for step in self.steps:
    ...                                             x, y = get_batch(self.data, step)
                                                    yield x, y

                                        for x, y in TrainBatches(data, n):
                                            loss = f(model(x), y)
                                            ...
"""

from __future__ import annotations

import ast
import itertools
import re
from dataclasses import dataclass, field

from ..files.lines import dominant_newline, split_lines
from ..recover.line_text import put
from ..recover.lines_in_strings import lines_in_strings
from ..recover.syntax import Source, blocks
from ..rewrite.formatting import format_code
from .found import BatchSource
from .turn_bars import trange_imported

_WORD = re.compile(r"\w+")
_NAME = "TrainBatches"
_WIDTH = 88
_DOC = '"""One batch for each step of the training, made when its turn comes."""'


@dataclass
class Derived:
    """The new text; for each of its lines the raw one, both counted from 1; the class of each source."""

    text: str
    lines: dict[int, int]
    classes: dict[str, BatchSource] = field(default_factory=dict)


def derived(source: Source, found: list[BatchSource]) -> Derived | None:
    """The program with the loops of ``found`` over sources; None when a place has no text of its own."""
    writer = _Writer(source)
    if not all(writer.can_add(one) for one in found):
        return None
    for one in found:
        writer.add(one)
    return writer.written()


class _Writer:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.lines: list[str] = split_lines(source.text)
        self.newline = dominant_newline(source.text)
        self.words = set(_WORD.findall(source.text))
        self.strings = lines_in_strings(source.text)
        self.above: dict[int, list[tuple[str, int]]] = {}
        """New lines above the raw ones of these numbers, each with the raw line that it is made of, 0 for none."""
        self.gone: set[int] = set()
        self.classes: dict[str, BatchSource] = {}
        self.words_added: set[str] = set()

    def written(self) -> Derived:
        """The text after all of it."""
        lines: list[str] = []
        origins: dict[int, int] = {}
        for number, line in enumerate(self.lines, start=1):
            for text, raw in [*self.above.get(number, []), *([] if number in self.gone else [(line, number)])]:
                lines.append(text)
                if raw:
                    origins[len(lines)] = raw
        return Derived("".join(lines), origins, self.classes)

    def can_add(self, one: BatchSource) -> bool:
        """Whether each statement has lines of its own, none of which begins in a string."""
        taken = {n for s in (*one.heads, *one.made) for n in range(s.lineno, (s.end_lineno or 0) + 1)}
        if one.made:
            taken |= {*range(one.made[0].lineno, (one.made[-1].end_lineno or 0) + 1)}
        own = {id(n) for s in (*one.heads, *one.made) for n in ast.walk(s)}
        others = (
            n for n in ast.walk(self.source.tree) if isinstance(n, ast.stmt) and id(n) not in own and not blocks(n)
        )
        shared = any(n in taken for s in others for n in (s.lineno, s.end_lineno))
        lines = [self.source.lines[n - 1] for n in sorted(taken)]
        tabs = any("\t" in line for line in lines) or any(line.rstrip().endswith("\\") for line in lines)
        return not shared and not tabs and not taken & self.strings and "\f" not in self.source.text

    def add(self, one: BatchSource) -> None:
        """The class above what holds the loop, and the loop over its object."""
        name = next(
            n for n in itertools.chain([_NAME], (f"{_NAME}{k}" for k in itertools.count(2))) if n not in self.words
        )
        self.words.add(name)
        self.classes[name] = one
        for node in sorted(one.inside, key=lambda n: (n.lineno, n.col_offset), reverse=True):
            if self._is_held(node, one):
                put(self.lines, node, f"self.{node.id}")
        heads = [line for head in one.heads for line in self._moved([head])]
        moved = self._moved([*one.made], leads=one.loop.body[0] is one.made[0]) if one.made else []
        if one.argument is not None:
            one_line = self._taken_out(one.argument, one.batch[0])
            moved = [(f"yield {one_line}{self.newline}", one.argument.lineno)]
        place = self._place(one.loop)
        blank = 0
        while place - 1 - blank > 0 and not self.lines[place - 2 - blank].strip():
            blank += 1
        missing = max(0, 2 - blank) if place - 1 - blank and place not in self.above else 0
        new = [*[(self.newline, 0)] * missing, *self._class(name, one, heads, moved)]
        self.above.setdefault(place, []).extend(new)
        self._head(name, one)

    # ---- the class

    def _is_held(self, node: ast.Name, one: BatchSource) -> bool:
        """Whether the source reads the name for its batches, and not for its range alone."""
        return any(node in ast.walk(s) for s in (*one.heads, *one.made, *filter(None, [one.argument])))

    def _taken_out(self, argument: ast.expr, name: str) -> str:
        """The text of an argument, in whose place the name stands now."""
        line = self.lines[argument.lineno - 1].encode()
        before = self.source.lines[argument.lineno - 1].encode()
        start, end = argument.col_offset, argument.end_col_offset or 0
        end += len(line) - len(before.rstrip(b"\r\n")) - (len(line) - len(line.rstrip(b"\r\n")))
        text = line[start:end].decode()
        self.lines[argument.lineno - 1] = (line[:start] + name.encode() + line[end:]).decode()
        return text

    def _moved(self, statements: list[ast.stmt], *, leads: bool = False) -> list[tuple[str, int]]:
        """The lines of some statements with their own comments; with ``leads`` the empty ones behind them go, too."""
        indent = self._indent(statements[0])
        first, last = statements[0].lineno, statements[-1].end_lineno or 0
        while first > 1 and self._is_comment(first - 1, indent):
            first -= 1
        found: list[tuple[str, int]] = []
        for number in range(first, last + 1):
            text = self.lines[number - 1]
            found.append((text.removeprefix(indent) if text.strip() else self.newline, number))
            self.gone.add(number)
        following = last + 1
        while following <= len(self.lines) and not self.lines[following - 1].strip() and leads:
            self.gone.add(following)
            following += 1
        return found

    def _is_comment(self, number: int, indent: str) -> bool:
        line = self.lines[number - 1]
        return line.startswith(f"{indent}#")

    def _class(
        self, name: str, one: BatchSource, heads: list[tuple[str, int]], moved: list[tuple[str, int]]
    ) -> list[tuple[str, int]]:
        base = one.described.base
        assert isinstance(base, ast.Call)
        steps = ast.unparse(ast.Call(ast.Name("range", ast.Load()), base.args, []))
        held = dict.fromkeys(n.id for n in one.inside if self._is_held(n, one))
        parameters = ", ".join(["self", *one.given])
        counter = one.counter if self._turn_reads(one) else "_"
        handed = ([one.counter] if self._hands_counter(one) else []) + [*one.batch]
        new = [
            f"class {name}:",
            f"    {_DOC}",
            "",
            *(
                f"    {line}" if line else ""
                for line in format_code(f"def __init__({parameters}):\n    pass", _WIDTH - 4).splitlines()[:-1]
            ),
            *(f"        self.{held_name} = {held_name}" for held_name in held),
            f"        self.steps = {steps}",
            "",
            "    def __len__(self):",
            "        return len(self.steps)",
            "",
            "    def __iter__(self):",
        ]
        lines = [(f"{line}{self.newline}", 0) for line in new]
        lines += [(f"        {text}" if text.strip() else text, raw) for text, raw in heads]
        lines += [(f"        for {counter} in self.steps:{self.newline}", 0)]
        lines += [(f"            {text}" if text.strip() else text, raw) for text, raw in moved]
        if one.made:
            lines += [(f"            yield {', '.join(handed)}{self.newline}", 0)]
        return [*lines, *[(self.newline, 0)] * 2]

    def _turn_reads(self, one: BatchSource) -> bool:
        """Whether the class needs the counter: for the batch, or to hand it over."""
        parts = [*one.made, *filter(None, [one.argument])]
        inside = any(isinstance(n, ast.Name) and n.id == one.counter for s in parts for n in ast.walk(s))
        return inside or self._hands_counter(one)

    # ---- the loop

    def _hands_counter(self, one: BatchSource) -> bool:
        """Whether the rest of the turn gets the counter with the batch: it counts in another way than ``enumerate``."""
        return one.counted and not one.counts_on

    def _head(self, name: str, one: BatchSource) -> None:
        base, described = one.described.base, one.described
        assert isinstance(base, ast.Call)
        handed = ([one.counter] if self._hands_counter(one) else []) + [*one.batch]
        targets = ", ".join(handed)
        line = one.loop.lineno
        text = self.source.lines[line - 1].encode()
        iterated = text[one.loop.iter.col_offset : one.loop.iter.end_col_offset].decode()
        if one.shown is None:
            iterated = self._iterated(name, one, one.loop.iter)
        else:
            put(self.lines, one.shown, self._iterated(name, one, one.shown))
        group = f"({targets})" if len(handed) > 1 else targets
        if described.index is not None:
            targets = f"{described.index}, {group}"
        elif one.counted and one.counts_on:
            start = f", {ast.unparse(base.args[0])}" if len(base.args) == 2 else ""
            targets, iterated = f"{one.counter}, {group}", f"enumerate({iterated}{start})"
        rest = text[one.loop.iter.end_col_offset :].decode()
        before = text[: one.loop.col_offset].decode()
        self.lines[line - 1] = f"{before}for {targets} in {iterated}{rest}{self.newline}"

    def _iterated(self, name: str, one: BatchSource, head: ast.expr) -> str:
        """What a head runs over, with the source in place of the range."""
        made, base = f"{name}({', '.join(one.given)})", one.described.base
        if one.bar:
            self._import_bar()
            further = "".join(f", {ast.unparse(k)}" for k in head.keywords) if isinstance(head, ast.Call) else ""
            return f"{one.bar}({made}{further})"
        text = self.source.lines[head.lineno - 1].encode()
        whole = text[head.col_offset : head.end_col_offset].decode()
        return whole.replace(text[base.col_offset : base.end_col_offset].decode(), made, 1)

    def _import_bar(self) -> None:
        """Let the import that brings ``trange`` bring ``tqdm``, where the script has no name for it."""
        alias = trange_imported(self.source)
        if alias is not None and "tqdm" not in self.words_added:
            self.words_added.add("tqdm")
            uses = sum(isinstance(n, ast.Name) and n.id == "trange" for n in ast.walk(self.source.tree))
            put(self.lines, alias, "tqdm" if uses == 1 else "tqdm, trange")

    # ---- places

    def _place(self, loop: ast.For) -> int:
        """The line of the statement at module level that holds the loop, or of the comments that stand over it."""
        node: ast.AST = loop
        for above in self.source.ancestors(loop):
            if isinstance(above, ast.Module):
                break
            node = above
        assert isinstance(node, ast.stmt)
        decorators: list[ast.expr] = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(d.lineno for d in decorators)])
        while first > 1 and self.lines[first - 2].startswith("#") and not self.lines[first - 2].startswith(_MARKS):
            first -= 1
        return first

    def _indent(self, statement: ast.stmt) -> str:
        line = self.source.lines[statement.lineno - 1]
        return line[: len(line) - len(line.lstrip())]


_MARKS = ("#!", "# %%", "#%%", "# In[", "# -*-")
