"""Which raw line, statement or word is this? The way back from a derived text to the one that it was made of.

A program is looked at in many texts: modernised, without its wrapper, with its functions taken apart, as a plain view, as the
cells of a notebook, after an earlier conversion. Each has an `Origin`; two of them one after the other are one (`then`). What a
mechanism says of a derived text is told of the raw one in `told`, and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from .files.lines import split_lines
from .findings import Finding
from .memory import once
from .program import Conversion, Edit, Fate, LedgerEntry, Mechanism, NestSummary, Outcome

_ORDER = list(Mechanism)
_OF_TEXT = "comment-removed"
"""The finding that is about a text and not about the training: where there is no raw line, nothing is lost."""
_LONGEST = 400
_LINE = re.compile(r"\bline (\d+)\b")
"""How a sentence speaks of a line of the text that it is about."""


@dataclass(frozen=True, slots=True)
class Change:
    """What was rewritten on a raw line before the mechanism saw it, for the ledger: by which codemod, and what it means."""

    line: int
    codemod: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Words:
    """How the raw program says what a derived text says: in a sentence, and as a function's name alone."""

    sentence: Callable[[str], str]
    name: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the lines and words of a derived text come from.

    ``lines`` has for each derived line its raw one, both counted from 1; None when all keep their numbers. What has no raw line
    is told of line ``beside``, 0 for the whole file. ``columns`` has the raw column of a derived place, the same where it is left
    out. ``raw`` is the raw text, None where its lines are no statements.
    """

    raw: str | None
    lines: Mapping[int, int] | None = None
    words: tuple[Words, ...] = ()
    changes: tuple[Change, ...] = ()
    beside: int = 0
    columns: Callable[[int, int], int] | None = None

    def line(self, derived: int) -> int:
        """The raw line of a derived one."""
        if self.lines is None:
            return derived
        return self.lines.get(derived, 0) or self.beside

    def has(self, derived: int) -> bool:
        """Whether a derived line is made of a raw one."""
        return self.lines is None or derived in self.lines

    def span(self, first: int, last: int) -> tuple[int, int]:
        """The raw lines from the first to the last of some derived ones; a ``last`` of 0 stays."""
        line = self.line(first)
        if not last or self.lines is None:
            return line, last
        return line, max(line, self.lines.get(last, line))

    def said(self, text: str) -> str:
        """A sentence in the words of the raw program."""
        for words in self.words:
            text = words.sentence(text)
        return text

    def told(self, text: str) -> str:
        """The same for a sentence that may speak of lines."""
        if self.raw is None or self.lines is None:
            return self.said(text)
        return self.said(_LINE.sub(lambda found: f"line {self.line(int(found.group(1))) or found.group(1)}", text))

    def named(self, name: str) -> str:
        """What the raw program calls a function."""
        for words in self.words:
            name = words.name(name)
        return name

    def finding(self, one: Finding) -> Finding:
        """A finding about the derived text as one about the raw one."""
        message, because = self.told(one.message), self.told(one.because)
        if self.beside and not self.has(one.line):
            return replace(one, line=self.beside, end_line=self.beside, column=1, message=message, because=because)
        line, end = self.span(one.line, one.end_line)
        column = self.columns(one.line, one.column) if self.columns is not None and one.line else one.column
        return replace(one, line=line, column=column, end_line=end, message=message, because=because)

    def entry(self, one: LedgerEntry) -> LedgerEntry | None:
        """A statement's entry; None for a statement that the raw text does not have."""
        line, end = self.span(one.line, one.end_line)
        source = self.said(one.source)
        if not self.has(one.line):
            return None
        if self.raw is not None:
            raw = self.raw
            lines = once(("lines of a raw text", raw), lambda: split_lines(raw))
            if line > len(lines):
                return None
            source = lines[line - 1][:_LONGEST].strip()
        return replace(
            one, line=line, end_line=end, source=source, target=self.said(one.target), reason=self.said(one.reason)
        )

    def nest(self, one: NestSummary) -> NestSummary:
        """The summary of a nest."""
        return replace(
            one,
            line=self.line(one.line),
            function=self.named(one.function),
            loops=tuple(map(self.said, one.loops)),
            roles=tuple((role, self.said(name)) for role, name in one.roles),
            phases=tuple((phase, self.line(line)) for phase, line in one.phases),
            obstacles=tuple((name, self.line(line), self.told(why)) for name, line, why in one.obstacles),
        )

    def then(self, other: Origin) -> Origin:
        """The way back from what ``other`` derives from this derived text."""
        lines = self.lines if other.lines is None else other.lines
        if other.lines is not None and self.lines is not None:
            lines = {line: raw for line, middle in other.lines.items() if (raw := self.lines.get(middle, 0))}
        changes = tuple(replace(c, line=self.line(c.line)) for c in other.changes if self.line(c.line))
        beside = self.line(other.beside) or self.beside
        return Origin(self.raw, lines, (*other.words, *self.words), (*self.changes, *changes), beside)


def origin_of_edits(before: str, edits: tuple[Edit, ...], *, beside: int = 0) -> Origin:
    """The way back from a text to the one that the edits led from: their own lines are new."""
    lines = split_lines(before)
    found: dict[int, int] = {}
    raw, new = 0, 0
    for edit in [*sorted(edits, key=lambda e: (e.start, e.end)), Edit(len(lines), len(lines), "")]:
        while raw < edit.start:
            raw, new = raw + 1, new + 1
            found[new] = raw
        new += len(split_lines(edit.text))
        raw = edit.end
    return Origin(before, found, beside=beside)


def told(result: Conversion, origin: Origin) -> Conversion:
    """What became of a derived text, told of the raw one; ``after`` and ``edits`` are still those of the derived text."""
    before = result.before if origin.raw is None else origin.raw
    findings = (one for one in result.findings if one.slug != _OF_TEXT or origin.has(one.line))
    entries = tuple(entry for one in result.ledger if (entry := origin.entry(one)) is not None)
    return replace(
        result,
        before=before,
        after=result.after if result.outcome is Outcome.CONVERTED else before,
        findings=tuple(sorted({origin.finding(one) for one in findings})),
        ledger=sorted_ledger(_with_changes(entries, origin)),
        nests=tuple(map(origin.nest, result.nests)),
    )


def after_one_another(first: Conversion, second: Conversion) -> Conversion:
    """Two conversions of one text, the second one of what the first one made of it, with its findings told of the raw text.

    The second one knows what became of the lines that the first one left; the first one knows the rest.
    """
    later = {entry.line for entry in second.ledger}
    mechanisms = [one.mechanism for one in (first, second) if one.mechanism is not None]
    return replace(
        second,
        before=first.before,
        mechanism=max(mechanisms, key=_ORDER.index, default=None),
        findings=tuple(sorted({*first.findings, *second.findings})),
        ledger=sorted_ledger([*(entry for entry in first.ledger if entry.line not in later), *second.ledger]),
        nests=(*first.nests, *second.nests),
    )


def sorted_ledger(entries: list[LedgerEntry] | tuple[LedgerEntry, ...]) -> tuple[LedgerEntry, ...]:
    """The entries in the order of their lines."""
    return tuple(sorted(entries, key=lambda e: (e.line, e.end_line, e.source, e.target)))


def _with_changes(entries: tuple[LedgerEntry, ...], origin: Origin) -> list[LedgerEntry]:
    """The entries with what was rewritten before, beside the other codemods."""
    if not origin.changes or origin.raw is None:
        return list(entries)
    lines = split_lines(origin.raw)
    found: list[LedgerEntry] = []
    covered: set[int] = set()
    for entry in entries:
        if mine := [change for change in origin.changes if entry.line <= change.line <= entry.end_line]:
            covered |= {change.line for change in mine}
            names = dict.fromkeys([entry.codemod, *(change.codemod for change in mine)])
            reasons = dict.fromkeys([entry.reason, *(change.meaning for change in mine)])
            entry = replace(
                entry,
                fate=Fate.FLAGGED if entry.fate is Fate.FLAGGED else Fate.REPLACED,
                codemod=", ".join(filter(None, names)),
                reason="; ".join(filter(None, reasons)),
            )
        found.append(entry)
    for change in origin.changes:
        if change.line not in covered:
            covered.add(change.line)
            text = lines[change.line - 1].strip()[:_LONGEST]
            found.append(LedgerEntry(change.line, change.line, text, Fate.REPLACED, "", change.codemod, change.meaning))
    return found
