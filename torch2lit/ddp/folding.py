"""Takes the wrapper out of a raw text, line by line, so that the rest of the engine sees a script for one process.

What the wrapper did is then Lightning's strategy. `torch2lit.plan.group` checks that every pass through the model still
goes through Lightning's own wrapper.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..comments import lost_comments
from ..files.lines import split_lines
from ..findings import Finding, finding
from ..legacy.modernise import Modernised, edits_of_lines, ledger_of_raw, performed
from ..program import Conversion, Edit, Modernisation, Outcome, Piece, at, end_of
from ..recover.nest import Nest
from ..recover.roles import Roles
from ..recover.syntax import Source
from .buffers import is_bufferless
from .group import Group, Unfoldable
from .processes import check_processes, is_optional
from .raw_twins import RawTwins
from .uses import Uses
from .wrap import Wrap, find_wrap

_CODEMOD = "ddp_strategy"
_STRATEGY = "Lightning wraps the module in the same wrapper"
_UNWRAPPED = "there is no wrapper around it any more"


@dataclass(frozen=True, slots=True)
class Folded:
    """A text without its wrapper, and what the plan has to know of it."""

    text: Modernised
    group: Group
    gone: frozenset[int]
    """The lines of which nothing is left."""


def folded(source: Source, roles: Roles, nest: Nest) -> Folded | None:
    """The script without its wrapper; None when it has none. Raises Unfoldable when the wrapper has to stay."""
    if "istributedDataParallel" not in source.text:
        return None
    wrap = find_wrap(source, roles, nest)
    if wrap is None:
        return None
    spawned = check_processes(source, roles)
    if len([c for c in source.calls if isinstance(c.func, ast.Attribute) and c.func.attr == "backward"]) != 1:
        raise Unfoldable(wrap.call.lineno, "there are several backward passes")
    uses = Uses(source, roles, wrap, nest)
    uses.follow()
    bufferless = is_bufferless(source, roles, wrap.inner, source.scope_of(wrap.statement), wrap.statement.lineno)
    if uses.bare_forwards and not bufferless:
        line = uses.bare_forwards[0].lineno
        raise Unfoldable(line, "the model is called without its wrapper, which sends its buffers to all processes")
    keys = uses.wrapped | uses.bare
    group = Group(
        wrap.statement.lineno,
        wrap.strategy,
        "" if wrap.branch is None else ast.unparse(wrap.branch.test),
        frozenset((0 if isinstance(s, ast.Module) else s.lineno, name) for s, name in keys),
        frozenset(c.lineno for c in uses.forwards),
        bufferless,
        frozenset(c.lineno for c in uses.with_gradients()),
        is_optional(source) and wrap.branch is None,
        spawned,
    )
    raw = RawTwins(source)
    wrapping = list(_without_branch(raw, uses)) or [*_without_wrapper(raw, wrap), *_without_module(raw, uses)]
    done = [(_CODEMOD, one) for one in wrapping]
    text = performed(raw.source.text, done)
    if len(text.done) != len(done):
        raise Unfoldable(wrap.call.lineno, "the wrapper is written over several lines in a way that cannot be undone")
    statement = (
        wrap.branch if len(wrapping) > 0 and wrapping[0].line == getattr(wrap.branch, "lineno", 0) else wrap.statement
    )
    assert statement is not None
    dropped = any(p.text == "pass" for p in wrapping[0].pieces) and len(_block(source, statement)) > 1
    return Folded(text, group, frozenset([statement.lineno]) if dropped else frozenset())


def _without_wrapper(raw: RawTwins, wrap: Wrap) -> Iterable[Modernisation]:
    source, call, inner, statement = (
        raw.source,
        raw.of(wrap.call),
        raw.of_expression(wrap.inner),
        raw.of(wrap.statement),
    )
    first, last = statement.lineno, statement.end_lineno or statement.lineno
    if ast.unparse(statement.targets[0]) != ast.unparse(inner):
        start, *rest = _blank(source, at(call), end_of(call))
        text = source.segment(inner)
        if "\n" in text or "\r" in text:
            head, *middle = _blank(source, at(call), at(inner))
            tail, *after = _blank(source, end_of(inner), end_of(call))
            pieces = (replace(head, text="("), *middle, replace(tail, text=")"), *after)
            yield Modernisation(first, last, pieces, _STRATEGY)
        else:
            yield Modernisation(first, last, (replace(start, text=text), *rest), _STRATEGY)
        return
    yield _nothing(source, statement)


def _nothing(source: Source, statement: ast.stmt) -> Modernisation:
    """A statement that does nothing in place of one: the engine sees a line where there is one in the raw text."""
    first, last = statement.lineno, statement.end_lineno or statement.lineno
    before = source.lines[first - 1].encode()[: statement.col_offset].strip()
    after = source.lines[last - 1].encode()[end_of(statement)[1] :].strip()
    if before or (after and not after.startswith(b"#")):
        raise Unfoldable(first, "another statement shares the line")
    alone = len(_block(source, statement)) == 1
    start, *rest = _blank(source, at(statement), end_of(statement) if alone else _end_of_line(source, last))
    return Modernisation(first, last, (replace(start, text="pass"), *rest), _STRATEGY)


def _without_branch(raw: RawTwins, uses: Uses) -> Iterable[Modernisation]:
    """Nothing of the `if` when it only wraps the model and gives its old name to a variable that holds it already."""
    wrap, branch = uses.wrap, uses.wrap.branch
    inner, target = wrap.inner, wrap.statement.targets[0]
    if branch is None or branch.orelse or wrap.statement not in branch.body:
        return
    if not (isinstance(inner, ast.Name) and isinstance(target, ast.Name) and inner.id == target.id):
        return
    gone = [read for read in uses.unwrapped if any(a in branch.body for a in uses.source.ancestors(read))]
    for statement in branch.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Attribute() as value) if value in gone:
                if not uses.holds_already(name):
                    return
            case _ if statement is not wrap.statement:
                return
    yield _nothing(raw.source, raw.of(branch))
    uses.unwrapped = [read for read in uses.unwrapped if read not in gone]
    yield from _without_module(raw, uses)


def _without_module(raw: RawTwins, uses: Uses) -> Iterable[Modernisation]:
    for read in map(raw.of, uses.unwrapped):
        piece = Piece(end_of(read.value), end_of(read), "")
        yield Modernisation(read.lineno, read.end_lineno or read.lineno, (piece,), _UNWRAPPED)


def _block(source: Source, statement: ast.stmt) -> list[ast.stmt]:
    parent = source.parents[statement]
    for name in ("body", "orelse", "finalbody"):
        block = getattr(parent, name, None)
        if isinstance(block, list) and statement in block:
            return block
    return [statement]


def _end_of_line(source: Source, line: int) -> tuple[int, int]:
    return line, len(source.lines[line - 1].rstrip("\r\n").encode())


def _blank(source: Source, start: tuple[int, int], end: tuple[int, int]) -> list[Piece]:
    """Nothing from one place to another, one piece per line."""
    found = []
    for line in range(start[0], end[0] + 1):
        left = (line, start[1]) if line == start[0] else (line, 0)
        right = end if line == end[0] else _end_of_line(source, line)
        if left < right or line == start[0]:
            found.append(Piece(left, right, ""))
    return found


def told(result: Conversion, fold: Folded) -> Conversion:
    """The conversion of the folded text, told as one of the raw text."""
    raw = fold.text
    if result.outcome is not Outcome.CONVERTED:
        return replace(result, before=raw.before, after=raw.before)
    lines = split_lines(raw.before)
    own = [_taken_away(e, lines) if e.start + 1 in fold.gone else e for e in edits_of_lines(raw, result.edits)]
    edits = tuple(sorted([*result.edits, *own], key=lambda e: (e.start, e.end)))
    from ..files.edits import apply_edits
    from ..rewrite.assemble import unused_import_edits

    after = apply_edits(split_lines(raw.before), list(edits))
    source = Source(raw.before)
    if unused := unused_import_edits(source, after, list(edits)):
        edits = tuple(sorted([*edits, *unused], key=lambda e: (e.start, e.end)))
        after = apply_edits(split_lines(raw.before), list(edits))
    notes = [_note(fold)]
    known = {f.line for f in result.findings if f.slug == "comment-removed"}
    for line, text in lost_comments(raw.before, after):
        if line not in known:
            notes.append(finding("comment-removed", line, f"gone with its statement: {text}"))
    return replace(
        result,
        before=raw.before,
        after=after,
        edits=edits,
        findings=tuple(sorted({*result.findings, *notes})),
        ledger=ledger_of_raw(result.ledger, raw),
    )


def _taken_away(edit: Edit, lines: Sequence[str]) -> Edit:
    """Nothing in place of a statement, and of a blank line above it where one follows, too."""
    blank = [0 <= n < len(lines) and not lines[n].strip() for n in (edit.start - 1, edit.end)]
    return replace(edit, text="", start=edit.start - 1 if all(blank) else edit.start)


def _note(fold: Folded) -> Finding:
    starter = "`mp.spawn`" if fold.group.spawned else "torchrun"
    text = f"the wrapper is the Trainer's strategy; the processes come from {starter} as before"
    return finding("ddp-is-a-strategy", fold.group.line, text)
