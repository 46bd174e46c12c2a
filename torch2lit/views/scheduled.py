"""A program that writes its learning rate into the optimizer itself: as one whose schedule gives the same rates, where Lightning may step it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from ..comments import lost_notes
from ..files.edits import edits_between
from ..origin import sorted_ledger
from ..plan.ledger import entry_of
from ..program import Conversion, Fate, LedgerEntry, Mechanism, Outcome
from ..recover.syntax import walk
from ..recover.wanted_names import WantedNames
from ..schedules.found import Schedule, find_schedule
from ..schedules.text import scheduled_text
from .way import SCHEDULED, UNCONVERTED, Blocked, Program, Way

_WRITES = re.compile(r"""\[\s*["']lr["']\s*\]\s*=[^=]""")
_SAVES = re.compile(r"""opt\w*(\(\)|\[\d+\])?\.state_dict\(""")
"""What would save a state with the rates of the schedule in it."""
_WHY = "the schedule gives the same rates, and Lightning steps it"


class ScheduledView:
    """A program with a ``LambdaLR`` in place of the statement that writes the rate."""

    name = SCHEDULED

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The text with the first such schedule."""
        if program.view is not None or program.group is not None or not _WRITES.search(program.text):
            return
        wanted, options = WantedNames(program.path), program.options
        spread = (options.devices, options.num_nodes, options.strategy) != (None, None, None)
        for nest in program.nests:
            by_lightning = options.asked("checkpoints") == "lightning"
            found = find_schedule(nest, program.roles, wanted, saved=by_lightning)
            if found is not None and by_lightning and _is_of_numpy(program, found):
                return  # its checkpoints would hold a number that torch does not load without being told to trust the file
            if found is not None and spread and (found.interval == "step" or nest.batches is None):
                return  # each process takes fewer steps, and its loader is not the script's
            if found is not None and (new := scheduled_text(program.roles, found)) is not None:
                text, origin = new
                seen = program.moved(text, origin.lines or {}, SCHEDULED)
                yield Way(seen, origin, partial(_finished, program, found))
                return

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program as it is."""
        return program


def _is_of_numpy(program: Program, found: Schedule) -> bool:
    """Whether the rate may be a number of NumPy's."""
    origins = program.roles.origins
    written = found.written.function or found.written.statement
    nodes = [n for s in (written, *found.gone, *program.source.functions) for n in walk(s)]
    return any(isinstance(n, ast.Name) and origins.get(n.id, "").partition(".")[0] == "numpy" for n in nodes)


def _finished(program: Program, found: Schedule, told: Conversion, result: Conversion) -> Conversion | Blocked:
    """With the statements that wrote the rate in the ledger, when Lightning steps the schedule."""
    stepped = f'"lr_scheduler":{{"scheduler":{found.name},"interval":'
    whole = result.outcome is Outcome.CONVERTED and result.mechanism is not Mechanism.FABRIC
    if not whole or stepped not in "".join(result.after.split()) or _SAVES.search(result.after):
        return Blocked(UNCONVERTED)
    known = {entry.line for entry in told.ledger}
    entries = [entry for entry in _entries(program, found) if entry.line not in known]
    notes = [n for n in lost_notes(program.text, result.after) if n not in told.findings]
    return replace(
        told,
        ledger=sorted_ledger([*told.ledger, *entries]),
        findings=tuple(sorted({*told.findings, *notes})),
        edits=edits_between(program.text, result.after),
    )


def _entries(program: Program, found: Schedule) -> Iterator[LedgerEntry]:
    """What became of the statements that wrote the rate."""
    whole = [*found.gone, *([] if found.result else [found.written.statement])]
    body = [] if found.written.function is None else found.written.function.body
    for statement in _all_in([*whole, *body]):
        stays = (
            found.called
            and statement is not found.written.loop
            and found.written.loop not in _around(program, statement)
        )
        if stays and statement not in _all_in(whole):
            yield entry_of(program.source, statement, Fate.KEPT, "", "", "stays where it is")
        else:
            yield entry_of(program.source, statement, Fate.REPLACED, "LambdaLR", "schedule", _WHY)


def _all_in(statements: Sequence[ast.stmt]) -> list[ast.stmt]:
    return [n for s in statements for n in walk(s) if isinstance(n, ast.stmt)]


def _around(program: Program, statement: ast.stmt) -> list[ast.AST]:
    return list(program.source.ancestors(statement))
