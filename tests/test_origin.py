"""What is said of a derived text is told of the raw one, however many texts lie between."""

from __future__ import annotations

import random

import pytest

from torch2lit import catalogue as catalogue
from torch2lit.files.edits import apply_edits
from torch2lit.files.lines import split_lines
from torch2lit.findings import finding
from torch2lit.origin import Change, Origin, Words, after_one_another, origin_of_edits, told
from torch2lit.program import Conversion, Edit, Fate, LedgerEntry, Mechanism, NestSummary, Outcome

RAW = "a = 1\nb = 2\nc = 3\nd = 4\n"
EDITS = (Edit(0, 0, "import new\n"), Edit(1, 2, "two\nlines\n"), Edit(3, 4, ""))
DERIVED = "import new\na = 1\ntwo\nlines\nc = 3\n"
HIDDEN = Words(lambda text: text.replace("_v_", "self."), lambda name: name.removeprefix("_v_"))


def _entry(line: int, end: int, text: str, reason: str = "stays") -> LedgerEntry:
    return LedgerEntry(line, end, text, Fate.KEPT, "", "", reason)


def _conversion(text: str, *entries: LedgerEntry, line: int = 1) -> Conversion:
    nest = NestSummary(
        line, "_v_train", ("for _v_x in y:",), (("model", "_v_net"),), (("train", line),), "manual", "LitNet"
    )
    found = (finding("manual-optimization", line, "`_v_net` steps twice"), finding("comment-removed", line, "gone"))
    return Conversion("f.py", Outcome.CONVERTED, text, "new\n", Mechanism.MANUAL, found, entries, (nest,))


def _random_edits(source: random.Random, text: str) -> tuple[Edit, ...]:
    count, edits, line = len(split_lines(text)), [], 0
    while line < count:
        start = line + source.randrange(3)
        end = min(count, start + source.randrange(3))
        if start > count:
            break
        edits.append(
            Edit(min(start, count), end, "".join(f"new {source.random()}\n" for _ in range(source.randrange(3))))
        )
        line = max(end, start) + 1
    return tuple(e for e in edits if e.start <= e.end)


def test_lines_that_edits_leave_keep_their_origin() -> None:
    origin = origin_of_edits(RAW, EDITS)
    assert apply_edits(split_lines(RAW), EDITS) == DERIVED
    assert [origin.line(n) for n in range(1, 6)] == [0, 1, 0, 0, 3]


@pytest.mark.parametrize("seed", range(30))
def test_two_ways_back_are_one(seed: int) -> None:
    """Told of the text between and then of the raw one, it is what is told of the raw one at once."""
    source = random.Random(seed)
    raw = "".join(f"line {n}\n" for n in range(12))
    first = _random_edits(source, raw)
    middle = apply_edits(split_lines(raw), first)
    second = _random_edits(source, middle)
    last = apply_edits(split_lines(middle), second)
    outer, inner = origin_of_edits(raw, first), origin_of_edits(middle, second)
    both = outer.then(inner)
    lines = split_lines(last)
    for number, line in enumerate(lines, 1):
        assert both.line(number) == outer.line(inner.line(number))
        if both.line(number):
            assert split_lines(raw)[both.line(number) - 1] == line
    entries = tuple(_entry(n, n, line.strip()) for n, line in enumerate(lines, 1))
    for number in range(1, len(lines) + 1):
        result = _conversion(last, *entries, line=number)
        assert told(told(result, inner), outer) == told(result, both)


def test_words_and_changes_compose() -> None:
    """The words of a view and the codemods of a modernised text are told together."""
    modern = Origin("a = old()\nb = 2\n", changes=(Change(1, "new_calls", "it is called otherwise"),))
    view = Origin("a = new()\nb = 2\n", words=(HIDDEN,))
    result = _conversion("_v_a = new()\nb = 2\n", _entry(1, 1, "_v_a = new()", "`_v_a` stays"))
    found = told(result, modern.then(view))
    assert found == told(told(result, view), modern)
    (entry,) = found.ledger
    assert (entry.source, entry.codemod, entry.fate) == ("a = old()", "new_calls", Fate.REPLACED)
    assert entry.reason == "`self.a` stays; it is called otherwise"
    assert found.nests[0].function == "train" and found.nests[0].roles == (("model", "self.net"),)


def test_what_has_no_raw_line() -> None:
    """New code has no entry, its comments were never lost, and its findings are the whole file's, or stand where it came from."""
    result = _conversion(DERIVED, _entry(1, 1, "import new"), _entry(5, 5, "c = 3"))
    found = told(result, origin_of_edits(RAW, EDITS))
    assert [entry.line for entry in found.ledger] == [3]
    assert [(f.slug, f.line) for f in found.findings] == [("manual-optimization", 0)]
    beside = told(result, origin_of_edits(RAW, EDITS, beside=2))
    assert [(f.line, f.column, f.end_line) for f in beside.findings] == [(2, 1, 2)]


def test_an_unconverted_text_stays_raw() -> None:
    result = Conversion("f.py", Outcome.REFUSED, DERIVED, DERIVED)
    assert told(result, origin_of_edits(RAW, EDITS)) == Conversion("f.py", Outcome.REFUSED, RAW, RAW)


def test_the_second_conversion_knows_the_lines_that_the_first_left() -> None:
    first = _conversion(RAW, _entry(1, 1, "a = 1", "first"), _entry(2, 2, "b = 2", "first"))
    second = _conversion(RAW, _entry(1, 1, "a = 1", "second"))
    both = after_one_another(first, second)
    assert [(entry.line, entry.reason) for entry in both.ledger] == [(1, "second"), (2, "first")]
    assert len(both.nests) == 2 and both.before == RAW
