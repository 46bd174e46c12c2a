"""What the page shows, as plain data: pure functions of a conversion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...files.lines import split_lines
from ...findings import Finding
from ...new_lines import LineOrigin, origins_of
from ...program import Conversion, Fate, LedgerEntry, NestSummary, Outcome

ACTIONS = {
    Fate.KEPT: "kept",
    Fate.MOVED: "moved",
    Fate.REPLACED: "replaced",
    Fate.FLAGGED: "flagged",
}
"""What a reader calls what became of a statement."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a pane. ``twins`` are line numbers of the other pane, ``action`` a class for its colour, ``why`` a sentence."""

    number: int
    code: str
    twins: tuple[int, ...]
    action: str
    why: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """A hook, the Trainer or another place of the new code, and how many raw statements went there."""

    name: str
    statements: int
    action: str


@dataclass(frozen=True, slots=True)
class Loop:
    """One training loop as the picture shows it: raw loops from the outside in, roles, and where its statements went."""

    nest: NestSummary
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the dashboard. ``obstacle`` says what stands in the way of more, ``gains`` what the conversion brings."""

    path: str
    outcome: str
    mechanism: str
    reviews: int
    notes: int
    gains: tuple[str, ...]
    obstacle: str


def row_of(one: Conversion) -> Row:
    """The dashboard's line for a file."""
    severities = Counter(finding.severity for finding in one.findings)
    return Row(
        one.path,
        one.outcome.value,
        one.mechanism.value if one.mechanism else "",
        severities["review"],
        severities["note"],
        tuple(_gains(one)),
        _obstacle(one),
    )


def _obstacle(one: Conversion) -> str:
    if one.error:
        return one.error
    refused = next((f for f in one.findings if f.severity == "refused"), None)
    if refused is not None:
        return f"{refused.code} {refused.message}"
    if one.outcome is Outcome.UNCHANGED:
        return one.reason
    kept = next(
        (f for f in one.findings if f.slug.startswith(("manual-", "one-step-per", "epochs-kept", "fabric-"))), None
    )
    return kept.message if kept is not None else ""


_GAINS = (
    ("Trainer", "devices=", "devices and strategies by option"),
    ("validation", "def validation_step", "validation by Lightning"),
    ("logging", "self.log", "numbers for loggers and callbacks"),
    ("precision", "precision=", "precision by option"),
    ("accumulation", "accumulate_grad_batches=", "accumulation by option"),
    ("clipping", "gradient_clip_val=", "clipping by option"),
    ("hyper-parameters", "save_hyperparameters", "hyper-parameters in checkpoints"),
    ("Fabric", "fabric.setup", "devices by Fabric"),
)


def _gains(one: Conversion) -> Iterable[str]:
    if one.outcome is not Outcome.CONVERTED:
        return
    for name, word, _why in _GAINS:
        if word in one.after and word not in one.before and ("Trainer(" in one.after or name == "Fabric"):
            yield name


def raw_lines(one: Conversion, codes: Sequence[str]) -> list[Line]:
    """The raw pane: each line with its twins, what became of it and its findings."""
    twins = _raw_to_new(origins_of(one))
    entries = _entry_of_line(one.ledger)
    findings: dict[int, list[Finding]] = {}
    for finding in one.findings:
        findings.setdefault(max(1, min(finding.line, len(codes))), []).append(finding)
    lines = []
    for number, code in enumerate(codes, start=1):
        entry = entries.get(number)
        action = ACTIONS[entry.fate] if entry else ""
        why = f"{action} to {entry.target}: {entry.reason}" if entry and action != "kept" else ""
        lines.append(Line(number, code, tuple(twins.get(number, ())), action, why, tuple(findings.get(number, ()))))
    return lines


def new_lines(one: Conversion, codes: Sequence[str]) -> list[Line]:
    """The converted pane: each line with its raw twin and where it comes from."""
    lines = []
    origins = {
        n: (o, o.raw + n - o.line if o.raw else 0) for o in origins_of(one) for n in range(o.line, o.end_line + 1)
    }
    for number, code in enumerate(codes, start=1):
        origin, raw = origins.get(number, (None, 0))
        action = origin.kind if origin is not None else ""
        why = (
            f"written for Lightning, in {origin.place}"
            if origin is not None and action == "written" and origin.place
            else ""
        )
        lines.append(Line(number, code, (raw,) if raw else (), action, why))
    return lines


def loops_of(one: Conversion) -> list[Loop]:
    """What the picture of a file shows, one entry per training loop."""
    found = []
    for index, nest in enumerate(one.nests):
        following = one.nests[index + 1].line if index + 1 < len(one.nests) else None
        mine = [e for e in one.ledger if len(one.nests) == 1 or _belongs(e, nest, following)]
        counts = Counter((e.target, ACTIONS[e.fate]) for e in mine if e.fate is not Fate.KEPT)
        places = [Place(target, count, action) for (target, action), count in counts.items()]
        found.append(Loop(nest, tuple(sorted(places, key=lambda p: (p.action != "moved", -p.statements, p.name)))))
    return found


def _belongs(entry: LedgerEntry, nest: NestSummary, following: int | None) -> bool:
    return entry.line >= nest.line and (following is None or entry.line < following)


def _entry_of_line(ledger: Sequence[LedgerEntry]) -> dict[int, LedgerEntry]:
    """The innermost entry over each line."""
    found: dict[int, LedgerEntry] = {}
    for entry in sorted(ledger, key=lambda e: (e.line, -(e.end_line or e.line))):
        for line in range(entry.line, (entry.end_line or entry.line) + 1):
            found[line] = entry
    return found


def _raw_to_new(origins: Sequence[LineOrigin]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for origin in origins:
        if origin.raw:
            for offset in range(origin.end_line - origin.line + 1):
                found.setdefault(origin.raw + offset, []).append(origin.line + offset)
    return found


def texts(one: Conversion) -> tuple[list[str], list[str]]:
    """Both texts as lines without their ends; no second one for a file that stays."""
    after = one.after if one.outcome is Outcome.CONVERTED else ""
    return _lines(one.before), _lines(after)


def _lines(text: str) -> list[str]:
    return [line.rstrip("\r\n") for line in split_lines(text)]
