"""From the text of one program to its conversion: the way of a script through the house."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .memory import remembering
from .options import Options
from .program import Conversion, Outcome

if TYPE_CHECKING:
    from .views.way import Program

_PASSES = 8
_OVERLAP = "nests-overlap"
_OF_SCRIPT = "several-devices"


@remembering()
def convert_text(text: str, path: str, options: Options) -> Conversion:
    """Convert the text of one Python file. The outcome says what happened; a SyntaxError is raised for what is not Python.

    ``text`` may have any newline style; untouched lines come back as they are. Training loops that share a function are
    converted one after the other: each pass leaves the function to the next one.
    """
    from .new_lines import true_to_text
    from .views.way import Program

    program = Program(text, path, options)
    try:
        return true_to_text(_told_together(_line_by_line(program)))
    except SyntaxError as error:
        from .by_trainer import refused
        from .files.old_python import old_syntax
        from .findings import finding
        from .search import finished
        from .views.modern import repair
        from .views.way import Blocked

        if (way := repair(program)) is not None:
            found = finished(way, _line_by_line(way.program))
            assert not isinstance(found, Blocked)
            return true_to_text(_told_together(found))
        if (old := old_syntax(text, error)) is not None:
            return refused(text, path, [finding("old-python", *old)])
        raise


def _line_by_line(program: Program) -> Conversion:
    """The conversion of the program with each statement on a line of its own."""
    from .search import finished
    from .shared_lines import statements_apart
    from .views.way import Blocked

    if (way := statements_apart(program)) is None:
        return _as_asked(_convert(program), program.options)
    found = finished(way, _as_asked(_convert(way.program), program.options))
    assert not isinstance(found, Blocked)
    return found


def _convert(program: Program) -> Conversion:
    from .by_fabric import by_fabric_alone, where_it_acts, with_fabric
    from .search import gone_on, search
    from .views.settled import settled

    if program.options.target == "fabric":
        return settled(program) or by_fabric_alone(program)
    result = search(program)
    for _ in range(_PASSES):
        if result.outcome is not Outcome.CONVERTED or not any(f.slug == _OVERLAP for f in result.findings):
            break
        if (further := gone_on(program, result, _OVERLAP)) is None:
            break
        result = further
    if program.options.target != "auto":
        return result
    return where_it_acts(program, with_fabric(program, result))


def _as_asked(result: Conversion, options: Options) -> Conversion:
    """With the switches and the command line that the options want."""
    if options.switches is not None:
        from .command_line.switches import with_switches

        result = with_switches(result, options.switches.split(","))
    if options.asked("lightning_cli") == "own":
        return result
    from .command_line.convert import with_lightning_cli

    return with_lightning_cli(result)


def _told_together(result: Conversion) -> Conversion:
    """What concerns the whole script is one finding, with what it says of each loop."""
    told = [f for f in result.findings if f.slug == _OF_SCRIPT]
    if len(told) < 2:
        return result
    first, *others = told
    kept = [f.with_loops(others) if f is first else f for f in result.findings if f is first or f.slug != _OF_SCRIPT]
    return replace(result, findings=tuple(kept))
