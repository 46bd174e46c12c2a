"""Takes the wrapper out of a raw text, line by line, so that the rest of the engine sees a script for one process.

What the wrapper did is then Lightning's strategy. `torch2lit.plan.group` checks that every pass through the model still
goes through Lightning's own wrapper.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ..comments import lost_notes
from ..ddp.arms import is_all, is_elif
from ..ddp.buffers import is_bufferless
from ..ddp.group import Group
from ..ddp.hindrances import Hindrance, Hindrances, Unfoldable, unfoldable
from ..ddp.joined import check_joined, joined_device
from ..ddp.own_group import OwnGroup, group_to_leave
from ..ddp.pieces import blank, end_of_line, is_alone, lines_of, nothing
from ..ddp.processes import check_one_group, check_processes, is_optional
from ..ddp.raw_twins import RawTwins
from ..ddp.samplers import Sharded, sharded_loaders
from ..ddp.sync_batchnorm import conversion_of_layers
from ..ddp.through import with_prefix, without_choice, without_prefix
from ..ddp.unsharded import without_group, without_sampler
from ..ddp.uses import Uses
from ..ddp.wrap import WRAPPERS, Wrap, find_wrap
from ..files.edits import apply_edits
from ..files.lines import split_lines
from ..files.reading import read_text
from ..findings import Finding, finding
from ..legacy.modernise import Modernised, edits_of_lines, performed
from ..program import Conversion, Edit, Modernisation, Outcome, Piece, at, end_of
from ..recover.nest import Nest
from ..recover.roles import Roles
from ..recover.syntax import Source, source_of
from ..recover.wanted_names import takers
from ..rewrite.assemble import unused_import_edits
from .modern import origin_of
from .way import INHERITED, MODERN, SWITCHES, UNCONVERTED, UNFOLDABLE, WRAPPER, Blocked, Program, Way

Takers = Mapping[str, Sequence[Path]]
"""The names that other files take from one, each with those files."""
_CODEMOD = "ddp_strategy"
_STRATEGY = "Lightning wraps the module in the same wrapper"
_LAYERS = "the Trainer converts the same layers"
_UNWRAPPED = "there is no wrapper around it any more"


@dataclass(frozen=True, slots=True)
class Folded:
    """A text without its wrapper, and what the plan has to know of it."""

    text: Modernised
    group: Group
    gone: frozenset[int]
    """The lines of which nothing is left."""
    functions: tuple[tuple[int, int], ...] = ()
    """The first and the last line of the functions that are gone."""


class WrapperView:
    """A program for one process: its wrapper for several is Lightning's strategy."""

    name = WRAPPER

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The text without the wrapper, the way that leaves most to Lightning first."""
        if len(program.recovered.nests) == 1 and not program.skipped:
            try:
                yield from ways_without_wrapper(program, program)
            except Unfoldable as kept:
                yield Blocked(UNFOLDABLE, hindrances=kept.hindrances)
        elif hindrances := _of_several_loops(program):
            yield Blocked(UNFOLDABLE, hindrances=hindrances)

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program with the reason why its own wrapper stays."""
        if not blocked or blocked[-1].code != UNFOLDABLE:
            return program
        return replace(program, wrapped_because=blocked[-1].hindrances)


def _of_several_loops(program: Program) -> tuple[Hindrance, ...]:
    """What keeps the wrapper where several loops train, or one is left alone; nothing where there is none."""
    calls = [c for c in program.source.calls if program.roles.full_name(c.func) in WRAPPERS]
    if not calls or len(program.recovered.nests) < 2:
        return ()
    second = program.recovered.nests[1].outermost.lineno
    why = Hindrance(
        second, "several loops train, and the strategy is one Trainer's", "give each loop a script of its own"
    )
    try:
        ways_without_wrapper(program, program)
    except Unfoldable as kept:
        return (*kept.hindrances, why)
    return (why,)


def ways_without_wrapper(seen: Program, raw: Program) -> list[Way]:
    """The ways to see a raw program without the wrapper of its one nest, which stands in the program as it is seen.

    Raises Unfoldable when the wrapper has to stay.
    """
    wanted = takers(raw.path) if "istributedDataParallel" in raw.text else {}
    folds = _ways_to_fold(seen.source, seen.roles, seen.recovered.nests[0], wanted)
    return [
        Way(
            raw.seen(fold.text.after, MODERN, SWITCHES, INHERITED, WRAPPER, group=fold.group),
            origin_of(fold.text),
            partial(_finished, fold),
        )
        for fold in folds
    ]


def _ways_to_fold(source: Source, roles: Roles, nest: Nest, wanted: Takers) -> list[Folded]:
    """The script without its wrapper, the way that leaves most to Lightning first; empty when it has none.

    Raises Unfoldable when the wrapper has to stay.
    """
    if "istributedDataParallel" not in source.text:
        return []
    try:
        plain = _folded(source, roles, nest, wanted, [])
    except Unfoldable as numbered:
        try:
            plain = _folded(source, roles, nest, wanted, [], joined=True)
        except Unfoldable as asked:
            raise min((asked, numbered), key=lambda one: len(one.hindrances)) from None
    if plain is None:
        return []
    if plain.group.test or plain.group.spawned or plain.group.joined:  # the Trainer may number the processes otherwise
        return [plain]
    found: list[Folded] = []
    ways: list[Sequence[Sharded]] = [loaders, []] if (loaders := sharded_loaders(source, roles, nest)) else [[]]
    for way in ways:
        own = group_to_leave(source, roles, nest, way, plain.group.optional)
        for one in [own, None] if own is not None else [None]:
            with contextlib.suppress(Unfoldable):
                if (fold := _folded(source, roles, nest, wanted, way, one)) is not None:
                    found.append(fold)
    return found


def _folded(
    source: Source,
    roles: Roles,
    nest: Nest,
    wanted: Takers,
    loaders: Sequence[Sharded],
    own: OwnGroup | None = None,
    joined: bool = False,
) -> Folded | None:
    """The script without its wrapper, without the samplers of some loaders and without the group that it makes.

    ``joined``: Lightning asks the group for the number of the process.
    """
    if (found := _understood(source, roles, nest, wanted, joined)) is None:
        return None
    wrap, uses, named, bufferless = found
    keys = uses.wrapped | uses.bare
    layers = None if named else conversion_of_layers(source, roles, wrap)
    group = Group(
        wrap.statement.lineno,
        wrap.strategy,
        wrap.test,
        frozenset((0 if isinstance(s, ast.Module) else s.lineno, name) for s, name in keys),
        frozenset(c.lineno for c in uses.forwards),
        bufferless,
        frozenset(c.lineno for c in uses.with_gradients()),
        is_optional(source) and wrap.branch is None,
        "" if joined else named,
        frozenset(one.loader.lineno for one in loaders),
        named if joined else "",
        joined_device(source, roles, wrap, nest) if joined else "",
        None if own is None else own.backend,
        layers is not None,
    )
    raw = RawTwins(source)
    wrapping = list(_without_branch(raw, uses)) or [*_without_wrappers(raw, wrap), *_without_module(raw, uses)]
    done = [(_CODEMOD, one) for one in wrapping]
    done += [(_CODEMOD, one) for loader in loaders for one in without_sampler(raw, loader)]
    done += [(_CODEMOD, one) for one in without_group(raw, own)] if own is not None else []
    done += [(_CODEMOD, nothing(raw.source, raw.of(layers), _LAYERS))] if layers is not None else []
    text = performed(raw.source.text, done)
    if len(text.done) != len(done):
        raise unfoldable(
            wrap.call.lineno,
            "the wrapper is written over several lines in a way that cannot be undone",
            "write the wrapping as one plain assignment",
        )
    passed = {one.line for one in wrapping if any(p.text == "pass" for p in one.pieces)}
    replaced: list[ast.stmt] = [s for s in (wrap.branch, wrap.choice) if s is not None]
    dropped = frozenset(
        s.lineno for s in [*replaced, *wrap.statements] if s.lineno in passed and not is_alone(source, s)
    )
    gone = [s for s in own.statements if isinstance(s, ast.FunctionDef)] if own is not None else []
    functions = tuple((s.lineno, s.end_lineno or s.lineno) for s in gone)
    return Folded(text, group, dropped, functions)


def _understood(
    source: Source, roles: Roles, nest: Nest, wanted: Takers, joined: bool
) -> tuple[Wrap, Uses, str, bool] | None:
    """The wrapper, its uses, what the file calls ``torch.distributed`` if the group is asked, and whether the model has no buffers.

    Raises Unfoldable with all that keeps the wrapper in the script.
    """
    hindrances = Hindrances()
    wrap, named = None, ""
    with hindrances:
        if (wrap := find_wrap(source, roles, nest, wanted, hindrances, joined)) is None:
            return None
    with hindrances:
        if not joined:
            named = check_processes(source, roles)
        else:
            check_one_group(source, roles)
    if joined and wrap is not None:
        with hindrances:
            named = check_joined(source, roles, wrap, nest, _texts(wanted))
        with hindrances:
            joined_device(source, roles, wrap, nest)
    if wrap is None:
        hindrances.settle()
        return None
    if len([c for c in source.calls if isinstance(c.func, ast.Attribute) and c.func.attr == "backward"]) != 1:
        remedy = "add the losses up and call `backward` once per batch"
        hindrances.add(Hindrance(wrap.call.lineno, "there are several backward passes", remedy))
    uses = Uses(source, roles, wrap, nest, hindrances)
    with hindrances:
        uses.follow()
    bufferless = is_bufferless(source, roles, wrap.inner, source.scope_of(wrap.statement), wrap.statement.lineno)
    if uses.bare_forwards and not bufferless:
        reason = "the model is called without its wrapper, which sends its buffers to all processes"
        hindrances.add(Hindrance(uses.bare_forwards[0].lineno, reason, "call the wrapped model here, too"))
    hindrances.settle()
    return wrap, uses, named, bufferless


def _texts(wanted: Takers) -> list[str]:
    """The texts of the files that take names from this one."""
    return [read_text(file) for file in dict.fromkeys(f for files in wanted.values() for f in files)]


def _without_wrappers(raw: RawTwins, wrap: Wrap) -> Iterable[Modernisation]:
    """The model without its wrapper, in both arms where each has one; nothing of a choice between wrappers that are one now."""
    bare = ast.unparse(wrap.statement.targets[0]) == ast.unparse(wrap.inner)
    if wrap.choice is not None and bare and is_all(raw.source, raw.of(wrap.choice), wrap.statements):
        yield _nothing(raw.source, raw.of(wrap.choice))
        return
    for statement, call in zip(wrap.statements, wrap.calls, strict=True):
        yield from _without_wrapper(raw, statement, call)


def _without_wrapper(raw: RawTwins, wrapping: ast.Assign, wrapper: ast.Call) -> Iterable[Modernisation]:
    source, call, inner, statement = (
        raw.source,
        raw.of(wrapper),
        raw.of_expression(wrapper.args[0]),
        raw.of(wrapping),
    )
    first, last = statement.lineno, statement.end_lineno or statement.lineno
    if ast.unparse(statement.targets[0]) != ast.unparse(inner):
        start, *rest = blank(source, at(call), end_of(call))
        text = source.segment(inner)
        if "\n" in text or "\r" in text:
            head, *middle = blank(source, at(call), at(inner))
            tail, *after = blank(source, end_of(inner), end_of(call))
            pieces = (replace(head, text="("), *middle, replace(tail, text=")"), *after)
            yield Modernisation(first, last, pieces, _STRATEGY)
        else:
            yield Modernisation(first, last, (replace(start, text=text), *rest), _STRATEGY)
        return
    yield _nothing(source, statement)


def _nothing(source: Source, statement: ast.stmt) -> Modernisation:
    """A statement that does nothing in place of one: the engine sees a line where there is one in the raw text."""
    first, last = lines_of(source, statement)
    end = end_of(statement) if is_alone(source, statement) else end_of_line(source, last)
    start, *rest = blank(source, at(statement), end)
    return Modernisation(first, last, (replace(start, text="pass"), *rest), _STRATEGY)


def _without_branch(raw: RawTwins, uses: Uses) -> Iterable[Modernisation]:
    """Nothing of the `if` when it only wraps the model and gives its old name to a variable that holds it already."""
    wrap, branch = uses.wrap, uses.wrap.branch
    inner, target = wrap.inner, wrap.statement.targets[0]
    if branch is None or branch.orelse or is_elif(uses.source, branch) or wrap.statement not in branch.body:
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
    chosen = {id(n) for choice in uses.choices for n in ast.walk(choice)}
    yield from (without_choice(raw.source, raw.of(choice)) for choice in uses.choices)
    for call in uses.states:
        loads = isinstance(call.func, ast.Attribute) and call.func.attr == "load_state_dict"
        yield without_prefix(raw.of(call)) if loads else with_prefix(raw.of(call))
    for read in [raw.of(r) for r in uses.unwrapped if id(r) not in chosen]:
        piece = Piece(end_of(read.value), end_of(read), "")
        yield Modernisation(read.lineno, read.end_lineno or read.lineno, (piece,), _UNWRAPPED)


def _finished(fold: Folded, told: Conversion, result: Conversion) -> Conversion | Blocked:
    """With nothing of what was left out, and a note on the strategy."""
    if result.outcome is not Outcome.CONVERTED:
        return Blocked(UNCONVERTED, next((f.because for f in result.findings if f.slug == "loop-in-class"), ""))
    raw = fold.text
    lines = split_lines(raw.before)
    own = [_taken_away(e, lines) if e.start + 1 in fold.gone else e for e in edits_of_lines(raw, result.edits)]
    for first, last in fold.functions:
        own = [e for e in own if not first - 1 <= e.start < last]
        while last < len(lines) and not lines[last].strip():
            last += 1
        own.append(Edit(first - 1, last, ""))
    edits = sorted([*result.edits, *own], key=lambda e: (e.start, e.end))
    after = apply_edits(lines, edits)
    if unused := unused_import_edits(source_of(raw.before), after, edits):
        edits = sorted([*edits, *unused], key=lambda e: (e.start, e.end))
        after = apply_edits(lines, edits)
    notes = [_note(fold)]
    known = {f.line for f in result.findings if f.slug == "comment-removed"}
    notes += [note for note in lost_notes(raw.before, after) if note.line not in known]
    return replace(told, after=after, edits=tuple(edits), findings=tuple(sorted({*told.findings, *notes})))


def _taken_away(edit: Edit, lines: Sequence[str]) -> Edit:
    """Nothing in place of a statement, and of a blank line above it where one follows, too."""
    blank = [0 <= n < len(lines) and not lines[n].strip() for n in (edit.start - 1, edit.end)]
    return replace(edit, text="", start=edit.start - 1 if all(blank) else edit.start)


def _note(fold: Folded) -> Finding:
    starter = "`mp.spawn`" if fold.group.spawned else "whatever has started them" if fold.group.joined else "torchrun"
    strategy = "the Trainer's strategy"
    if fold.group.backend is not None or fold.group.sharded:
        makes = ["makes the group"] if fold.group.backend is not None else []
        makes += ["gives loaders their samplers"] if fold.group.sharded else []
        strategy += f", which {' and '.join(makes)}"
    text = f"the wrapper is {strategy}; the processes come from {starter} as before"
    return finding("ddp-is-a-strategy", fold.group.line, text)
