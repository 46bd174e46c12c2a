"""Takes a DistributedSampler, or the making of the group, out of a raw text, as it would be for one process."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import replace

from ..program import Modernisation, Piece, at, end_of
from ..recover.syntax import Source
from .hindrances import unfoldable
from .own_group import OwnGroup
from .pieces import blank, end_of_line, nothing
from .raw_twins import RawTwins
from .samplers import Sharded

_SAMPLER = "Lightning gives the loader the same sampler"
_GROUP = "the Trainer makes the same group"
_NUMBER = "torchrun tells every process its number"
_TOLD = "the Trainer tells the loader's sampler the epoch"


def without_sampler(raw: RawTwins, loader: Sharded) -> Iterable[Modernisation]:
    """What takes the sampler of one loader away."""
    source, call = raw.source, raw.of(loader.loader)
    sampler = raw.of(loader.sampler)
    shuffle = None if loader.shuffle is None else raw.of(loader.shuffle)
    text = f"shuffle={loader.trains}"
    first, last = call.lineno, call.end_lineno or call.lineno
    if shuffle is None:
        start, *rest = blank(source, at(sampler), end_of(sampler))
        yield Modernisation(first, last, (replace(start, text=text), *rest), _SAMPLER)
    else:
        pieces = [Piece(at(shuffle), end_of(shuffle), text), *_without_argument(source, call, sampler)]
        yield Modernisation(first, last, tuple(sorted(pieces, key=lambda p: p.start)), _SAMPLER)
    if loader.made is not None:
        yield nothing(source, raw.of(loader.made), _SAMPLER)
    for statement in loader.told:
        yield nothing(source, raw.of(statement), _TOLD)


def without_group(raw: RawTwins, group: OwnGroup) -> Iterable[Modernisation]:
    """What takes the making and the end of the group away, and asks torchrun for what was asked of the group."""
    for statement in group.statements:
        if isinstance(statement, ast.FunctionDef | ast.If):
            yield from _no_block(raw.source, raw.of(statement))
        else:
            yield nothing(raw.source, raw.of(statement), _GROUP)
    for call, variable in group.numbers:
        first, *rest = blank(raw.source, at(raw.of(call)), end_of(raw.of(call)))
        text = f'int(os.environ["{variable}"])'
        yield Modernisation(call.lineno, call.end_lineno or call.lineno, (replace(first, text=text), *rest), _NUMBER)


def _no_block(source: Source, block: ast.FunctionDef | ast.If) -> Iterable[Modernisation]:
    """Nothing in place of a statement with others in it, statement by statement."""
    if source.parents[block] is not source.tree:
        nothing(source, block, _GROUP)  # raises where a line, or the block around, is not its own
    start = at(block)
    inside = sorted((n for n in ast.walk(block) if isinstance(n, ast.stmt)), key=at)
    for part, following in zip(inside, [*inside[1:], None], strict=True):
        last = (block.end_lineno or block.lineno) if following is None else following.lineno - 1
        if last < start[0]:
            raise unfoldable(part.lineno, "another statement shares the line", "give each statement a line")
        yield Modernisation(start[0], last, tuple(blank(source, start, end_of_line(source, last))), _GROUP)
        start = (last + 1, 0)


def _without_argument(source: Source, call: ast.Call, argument: ast.keyword) -> list[Piece]:
    """Nothing in place of an argument and of one comma beside it."""
    others: list[ast.expr | ast.keyword] = [*call.args, *call.keywords]
    later = [o for o in others if at(o) > at(argument)]
    if later:
        following = min(later, key=at)
        same = following.lineno == argument.end_lineno
        return blank(source, at(argument), at(following) if same else _after_comma(source, end_of(argument)))
    before = max((o for o in others if at(o) < at(argument)), key=at)
    if end_of(before)[0] == argument.lineno:
        return blank(source, end_of(before), end_of(argument))
    return blank(source, at(argument), _after_comma(source, end_of(argument)))


def _after_comma(source: Source, place: tuple[int, int]) -> tuple[int, int]:
    """The place behind the comma that follows on the same line, when there is one."""
    rest = source.lines[place[0] - 1].encode()[place[1] :]
    bare = rest.lstrip()
    return (place[0], place[1] + len(rest) - len(bare) + 1) if bare.startswith(b",") else place
