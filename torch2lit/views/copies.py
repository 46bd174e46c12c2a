"""The ledger of a program whose statements stand in its text once for each way in which they run."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace

from ..origin import Origin, sorted_ledger
from ..program import Conversion, Fate, LedgerEntry
from ..recover.syntax import Source, blocks

_CODEMOD = "switch_decided"


def ledger_of_copies(
    source: Source, origin: Origin, result: Conversion, inside: Mapping[int, ast.stmt], decided: str, left: bool
) -> tuple[LedgerEntry, ...]:
    """One entry for each raw statement: what the training did with it, otherwise what the evaluation did.

    ``inside`` has the statements with copies by their lines, ``decided`` says why one has none; ``left``: those without an entry may have
    stayed where they are.
    """
    copies: dict[int, list[int]] = {}
    for new, raw in sorted((origin.lines or {}).items()):
        copies.setdefault(raw, []).append(new)
    entries = sorted(result.ledger, key=lambda e: (e.line, e.end_line))
    found = [entry for one in entries if (entry := origin.entry(one)) is not None and entry.line not in inside]
    for line, statement in sorted(inside.items()):
        entry = next((e for n in copies.get(line, ()) for e in entries if e.line <= n <= e.end_line), None)
        text, end = source.lines[line - 1].strip()[:400], _header_end(statement)
        if entry is not None:
            said = replace(entry, target=origin.said(entry.target), reason=origin.said(entry.reason))
            found.append(replace(said, line=line, end_line=end, source=text))
        elif line not in copies:
            found.append(LedgerEntry(line, end, text, Fate.REPLACED, "", _CODEMOD, decided))
        elif left:
            found.append(LedgerEntry(line, end, text, Fate.KEPT, "", "", "stays where it is"))
    return sorted_ledger(found)


def _header_end(statement: ast.stmt) -> int:
    below = [block[0].lineno for block in blocks(statement)]
    if not below:
        return statement.end_lineno or statement.lineno
    return max(statement.lineno, min(below) - 1)
