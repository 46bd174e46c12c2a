"""A program that goes on from a file of its own: as one whose Trainer goes on from a checkpoint (``fit(ckpt_path=...)``)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ..comments import lost_notes
from ..files.edits import edits_between
from ..findings import finding
from ..origin import sorted_ledger
from ..plan.ledger import entry_of
from ..program import Conversion, Fate, Outcome
from ..resuming.block import Block, Stays, find_block
from ..resuming.text import gone_statements, without_block
from .way import RESUMED, UNCONVERTED, Blocked, Program, Way

_WHY = "the Trainer loads all of it from its checkpoint"


class ResumedView:
    """A program without the block that loads what it goes on from."""

    name = RESUMED

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The text without it, where Lightning's checkpoints are asked for."""
        if program.options.asked("checkpoints") != "lightning" or program.view is not None or program.group is not None:
            return
        if len(program.nests) != 1 or program.skipped:
            return
        try:
            found = find_block(program.nests[0], program.roles)
            if found is None:
                return
            text, origin = without_block(program.source, found)
        except Stays as kept:
            yield Blocked(RESUMED, kept.reason, line=kept.line)
            return
        seen = program.moved(text, origin.lines or {}, RESUMED)
        yield Way(replace(seen, resumed=found.path), origin, partial(_finished, program, found))

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program with the reason why it loads its own files."""
        if not blocked:
            return program
        return replace(program, kept_resume=(blocked[-1].line, blocked[-1].reason), closed=program.closed | {RESUMED})


def _finished(program: Program, found: Block, told: Conversion, result: Conversion) -> Conversion | Blocked:
    """With what is not loaded by hand any more in the ledger, and what that means."""
    line = found.statement.lineno
    if result.outcome is not Outcome.CONVERTED or "ckpt_path=" not in result.after:
        because = next((f.message for f in result.findings if f.slug == "resume-kept"), "no Trainer holds the loop")
        return Blocked(UNCONVERTED, because, line=line)
    source = program.source
    gone = [
        entry_of(source, one, Fate.REPLACED, "fit(ckpt_path=...)", "resume", _WHY) for one in gone_statements(found)
    ]
    known = {entry.line for entry in told.ledger}
    notes = [finding("resumed-by-lightning", line, _told(program, found))]
    notes += [n for n in lost_notes(program.text, result.after) if n not in told.findings]
    return replace(
        told,
        ledger=sorted_ledger([*told.ledger, *(entry for entry in gone if entry.line not in known)]),
        findings=tuple(sorted({*told.findings, *notes})),
        edits=edits_between(program.text, result.after),
    )


def _told(program: Program, found: Block) -> str:
    text = f"`fit(ckpt_path={found.path})` goes on from Lightning's checkpoints; files that the script saved before are none"
    if found.unsaid:
        lines = ", ".join(str(s.lineno) for s in found.unsaid)
        text += f"; what line{'s' if len(found.unsaid) > 1 else ''} {lines} printed of the file is not printed"
    if found.start.made is None:
        option = program.source.segment(found.start.node)
        text += f"; epochs are counted from {found.start.fresh}, whatever `{option}` was when the checkpoint's training began"
    return text
