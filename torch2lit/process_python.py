"""Python through the engine: a text alone, or with the project files that it imports, and never an exception."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .deep_stack import is_nested_deeply, with_deep_stack
from .files.errors import SourceError
from .files.prefilter import asks_to_skip, hides_step, may_lead_to_training
from .options import Options
from .program import Cause, Conversion, Failure, Outcome

if TYPE_CHECKING:
    from .project import ProgramConversion

_HOME = Path(__file__).parent
_CARRIERS = ("process.py", "process_python.py", "deep_stack.py")
_REPORT_HINT = "please report this at the project's issue tracker with the file"


def may_lead(plain: Conversion, code: bytes) -> bool:
    """Whether a script without a loop of its own may train by files that it imports; told by its bytes."""
    return plain.cause is Cause.NO_LOOP and may_lead_to_training(code)


_UNREADABLE = (SourceError, SyntaxError, RecursionError, MemoryError, ValueError)
"""What other files of the project may raise: they are looked at, not converted, and lead nowhere then."""


def convert_in_project(plain: Conversion, code: bytes, options: Options) -> ProgramConversion | None:
    """A script with what the project files that it imports do for its training; None when they do nothing.

    ``plain`` is its conversion alone, ``code`` its Python as bytes.
    """
    text, name = plain.before, plain.path
    if plain.outcome is Outcome.CONVERTED:
        from .project import ProgramConversion, with_evaluations

        try:
            entry = with_deep_stack(lambda: with_evaluations(plain, options, convert_python))
        except Exception:  # the script alone is converted already
            return None
        return ProgramConversion(entry) if entry is not None else None
    if not may_lead(plain, code):
        return None
    if not hides_step(code) and not _leads_to_training(text, code, name):
        return None
    from .project import ProgramConversion, convert_program

    try:
        if asks_to_skip(text):
            return None
        return with_deep_stack(lambda: convert_program(text, name, options, convert_python))
    except _UNREADABLE:
        return None
    except Exception as error:
        return ProgramConversion(failed(name, internal_error(error), text))


def _leads_to_training(text: str, code: bytes, name: str) -> bool:
    """Whether the imports lead to files that can hold a training loop, if only by folders that are put on ``sys.path``."""
    from .memory import tree_of
    from .recover.neighbours import neighbours_of

    if neighbours_of(name).may_train(code):
        return True
    if b"path" not in code:
        return False
    try:
        looking = neighbours_of(name, tree_of(text))
    except _UNREADABLE:
        return False
    return bool(looking.extra) and looking.may_train(code)


def convert_python(text: str, name: str, options: Options) -> Conversion:
    """Hand a text to the engine. Anything that it raises becomes a failed outcome."""
    from . import engine

    try:
        return with_deep_stack(lambda: engine.convert_text(text, name, options))
    except SyntaxError as error:
        return failed(name, _syntax_error(error), text)
    except RecursionError as error:
        nested = "the program is nested too deeply to be read"
        return failed(name, nested if is_nested_deeply(text) else internal_error(error), text)
    except MemoryError:
        return failed(name, "not enough memory to convert this file", text)
    except Exception as error:
        return failed(name, internal_error(error), text)


def internal_error(error: Exception) -> str:
    """What is said of an error that nobody thought of, in one line."""
    detail = one_line(f"{type(error).__name__}: {error}{_origin(error)}")
    return f"internal error, {detail}; {_REPORT_HINT}"


def failed(name: str, error: str | Failure, text: str = "") -> Conversion:
    """A failed outcome; the text is given back as it came."""
    failure = Failure(one_line(error)) if isinstance(error, str) else replace(error, reason=one_line(error.reason))
    return Conversion(name, Outcome.FAILED, text, text, error=str(failure), failure=failure)


def one_line(text: str) -> str:
    """A message without line breaks."""
    return " ".join(text.split())


def _origin(error: BaseException) -> str:
    """Where in torch2lit an error arose, for the report of a bug: one line has no room for a traceback."""
    place = ""
    trace = error.__traceback__
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if _HOME in path.parents and path.name not in _CARRIERS:
            place = f" (torch2lit/{path.relative_to(_HOME).as_posix()}:{trace.tb_lineno})"
        trace = trace.tb_next
    return place


def _syntax_error(error: SyntaxError) -> Failure:
    reason = error.msg or "invalid syntax"
    if "print" in reason and "parentheses" in reason:
        reason = "this is Python 2 (a print statement); run a 2-to-3 tool first"
    return Failure(reason, error.lineno or 0, max(error.offset or 1, 1) if error.lineno else 0)
