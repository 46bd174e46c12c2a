"""The one search: ways to see a program times mechanisms that hold it, depth first, and nothing else starts anything over."""

from __future__ import annotations

from dataclasses import replace

from .by_trainer import Converter
from .ddp.hindrances import Unfoldable
from .files.edits import edits_between
from .origin import after_one_another, origin_of_edits, told
from .program import Conversion, Mechanism, Outcome
from .views.averaged import AveragedView
from .views.batch_list import BatchListView
from .views.batch_source import BatchSourceView
from .views.checked_first import CheckedFirstView
from .views.counted import CountedView
from .views.folding import WrapperView
from .views.full_batch import FullBatchView
from .views.generator_loops import GeneratorLoopsView
from .views.given_back import GivenBackView
from .views.handed_over import HandedOverView
from .views.head_breaks import HeadBreaksView
from .views.made_inside import MadeInsideView
from .views.made_on_call import MadeOnCallView
from .views.methods import MethodsView
from .views.modern import ModernView
from .views.nested_tests import NestedTestsView
from .views.phase_loops import PhaseLoopsView
from .views.precision_arms import PrecisionArmsView
from .views.resumed import ResumedView
from .views.scheduled import ScheduledView
from .views.settled import left, settled
from .views.skipped_epochs import SkippedEpochsView
from .views.switches import SwitchesView
from .views.way import MODERN, UNFOLDABLE, Blocked, Program, View, Way

VIEWS: tuple[View, ...] = (
    PhaseLoopsView(),
    SwitchesView(),
    ModernView(),
    GeneratorLoopsView(),
    PrecisionArmsView(),
    ResumedView(),
    AveragedView(),
    GivenBackView(),
    CheckedFirstView(),
    HandedOverView(),
    MadeInsideView(),
    ScheduledView(),
    MadeOnCallView(),
    MethodsView(),
    WrapperView(),
    CountedView(),
    HeadBreaksView(),
    SkippedEpochsView(),
    BatchListView(),
    NestedTestsView(),
    FullBatchView(),
    BatchSourceView(),
)
"""In the order in which they are asked; each sees the program as those before it have left it."""
_GOOD = (Mechanism.AUTOMATIC, Mechanism.ITERATIONS, Mechanism.MANUAL)
_DEEPEST = 12
"""More ways on top of each other than any program needs: a guard against views that undo each other."""


def search(program: Program, depth: int = 0) -> Conversion:
    """The first conversion that a Trainer holds, or why there is none. Raises Unfoldable when the wrapper has to stay."""
    if program.view is None and (found := settled(program)) is not None:
        return found
    for view in VIEWS if depth < _DEEPEST else ():
        if view.name in program.closed:
            continue
        blocked: list[Blocked] = []
        for way in view.ways(program):
            outcome = way if isinstance(way, Blocked) else tried(way, depth + 1)
            if isinstance(outcome, Blocked):
                blocked.append(outcome)
            elif isinstance(way, Way) and way.second_best and not _is_good(outcome):
                other = search(replace(program, closed=program.closed | {view.name}), depth + 1)
                return other if _is_good(other) else outcome
            else:
                return outcome
        program = view.without(program, blocked)
    return left(program) or _by_trainer(program)


def tried(way: Way, depth: int = 0) -> Conversion | Blocked:
    """What comes of a way, told of the program that it is a way to see, or why it leads nowhere."""
    try:
        result = search(way.program, depth)
    except Unfoldable as kept:
        return Blocked(UNFOLDABLE, about=way.about, hindrances=kept.hindrances)
    found = finished(way, result)
    if isinstance(found, Blocked):
        return found if found.about is not None else replace(found, about=way.about)
    return _gone_on(way.program, found, depth) if way.goes_on else found


def finished(way: Way, result: Conversion) -> Conversion | Blocked:
    """The conversion of what a way shows as one of the program itself."""
    return way.finish(told(result, way.origin), result)


def gone_on(program: Program, first: Conversion, left_for_now: str, depth: int = 0) -> Conversion | None:
    """The conversion with what another one makes of the rest; None when that makes nothing of it.

    ``left_for_now`` is the finding of what the first one left, which the second one knows better.
    """
    following = search(program.seen(first.after, MODERN), depth)
    if following.outcome is not Outcome.CONVERTED:
        return None
    first = replace(first, findings=tuple(f for f in first.findings if f.slug != left_for_now))
    second = told(following, origin_of_edits(first.before, first.edits))
    return replace(after_one_another(first, second), edits=edits_between(first.before, following.after))


def _gone_on(seen: Program, first: Conversion, depth: int) -> Conversion:
    if not any(f.slug == "loop-in-class" for f in first.findings):
        return first
    program = Program(seen.text, seen.path, seen.options)
    return gone_on(program, first, "loop-in-class", depth) or first


def _by_trainer(program: Program) -> Conversion:
    converter = Converter(program.source, program.roles, program.path, program.options)
    converter.left_alone = len(program.skipped)
    converter.group = program.group
    converter.wrapped_because = program.wrapped_because
    converter.resumed, converter.kept_resume = program.resumed, program.kept_resume
    converter.averaging, converter.kept_average = program.averaging, program.kept_average
    return converter.run(program.nests, program.findings)


def _is_good(found: Conversion) -> bool:
    return found.outcome is Outcome.CONVERTED and found.mechanism in _GOOD
