"""One file through the engine: bytes in, Conversion and new bytes out, and never an exception."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .deep_stack import with_deep_stack
from .files.decoding import Encoding, decode
from .files.errors import SourceError
from .files.prefilter import (
    NO_TRAINING_LOOP,
    SKIP_FILE,
    asks_to_skip,
    may_lead_to_training,
    may_train,
    mentions_skip_file,
)
from .options import Options
from .program import Conversion, Outcome

_HOME = Path(__file__).parent
_CARRIERS = ("process.py", "deep_stack.py")
_REPORT_HINT = "please report this at the project's issue tracker with the file"


@dataclass(frozen=True, slots=True)
class Processed:
    """A conversion with the bytes that were read and, when it is converted, those to write."""

    conversion: Conversion
    read: bytes = b""
    result: bytes | None = None
    others: tuple[Path, ...] = ()
    """Files of the same program that are converted with it."""


def process_file(path: Path, options: Options) -> Processed:
    """Convert one file in memory."""
    name = path.as_posix()
    try:
        data = path.read_bytes()
    except OSError as error:
        return Processed(failed(name, f"cannot read: {error.strerror or error}"))
    processed = process_bytes(data, name, options)
    if path.suffix != ".py":
        return processed
    conversion = processed.conversion
    if conversion.outcome is Outcome.CONVERTED:
        return _with_evaluations(processed, options)
    if conversion.reason == NO_TRAINING_LOOP and may_lead_to_training(data):
        return _process_program(data, name, options) or processed
    return processed


_UNREADABLE = (SourceError, SyntaxError, RecursionError, MemoryError, ValueError)
"""What other files of the project may raise: they are looked at, not converted, and lead nowhere then."""


def _process_program(data: bytes, name: str, options: Options) -> Processed | None:
    """Convert a script whose training stands in files that it imports; None when it reaches none."""
    from .recover.neighbours import Neighbours

    if not Neighbours(name).may_train(data):
        return None
    from .project import convert_program

    try:
        text, encoding = decode(data)
        if asks_to_skip(text):
            return None
        found = with_deep_stack(lambda: convert_program(text, name, options, convert_python))
    except _UNREADABLE:
        return None
    except Exception as error:
        return Processed(failed(name, _internal(error), text), data)
    if found is None:
        return None
    return Processed(found.entry, data, _encoded(found.entry, encoding), found.others)


def _with_evaluations(processed: Processed, options: Options) -> Processed:
    """The same with evaluations of other project files in the module, where Lightning can validate with them."""
    from .project import with_evaluations

    try:
        found = with_deep_stack(lambda: with_evaluations(processed.conversion, options, convert_python))
    except Exception:  # the script alone is converted already
        return processed
    if found is None:
        return processed
    return Processed(found, processed.read, _encoded(found, decode(processed.read)[1]))


def process_bytes(data: bytes, name: str, options: Options) -> Processed:
    """Convert the bytes of one file in memory; the name tells a notebook by its suffix."""
    if (reason := unchanged_at_sight(data)) is not None:
        return Processed(Conversion(name, Outcome.UNCHANGED, reason=reason), data)
    try:
        text, encoding = decode(data)
        if mentions_skip_file(data) and not name.endswith(".ipynb") and asks_to_skip(text):
            return Processed(Conversion(name, Outcome.UNCHANGED, text, text, reason=SKIP_FILE), data)
        conversion = process_text(text, name, options)
        return Processed(conversion, data, _encoded(conversion, encoding))
    except SourceError as error:
        return Processed(failed(name, str(error)), data)


def unchanged_at_sight(data: bytes) -> str | None:
    """Why a file is left unchanged, when its bytes are enough to tell."""
    return None if may_train(data) else NO_TRAINING_LOOP


def process_text(text: str, name: str, options: Options) -> Conversion:
    """Convert a text; whatever goes wrong in the engine becomes a failed outcome of one line."""
    try:
        if name.endswith(".ipynb"):
            from .process_notebook import convert_notebook

            return convert_notebook(text, name, options)
        return convert_python(text, name, options)
    except SourceError as error:
        return failed(name, str(error), text)


def convert_python(text: str, name: str, options: Options) -> Conversion:
    """Hand a text to the engine. Anything that it raises becomes a failed outcome."""
    from . import engine

    try:
        return with_deep_stack(lambda: engine.convert_text(text, name, options))
    except SyntaxError as error:
        return failed(name, _syntax_error(error, text), text)
    except RecursionError:
        return failed(name, "the program is nested too deeply to be read", text)
    except MemoryError:
        return failed(name, "not enough memory to convert this file", text)
    except Exception as error:
        return failed(name, _internal(error), text)


def _internal(error: Exception) -> str:
    detail = one_line(f"{type(error).__name__}: {error}{_origin(error)}")
    return f"internal error, {detail}; {_REPORT_HINT}"


def failed(name: str, error: str, text: str = "") -> Conversion:
    """A failed outcome; the text is given back as it came."""
    return Conversion(name, Outcome.FAILED, text, text, error=one_line(error))


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


def _encoded(conversion: Conversion, encoding: Encoding) -> bytes | None:
    if conversion.outcome is not Outcome.CONVERTED:
        return None
    return encoding.encode(conversion.after)


def _syntax_error(error: SyntaxError, text: str) -> str:
    reason = error.msg or "invalid syntax"
    if "print" in reason and "parentheses" in reason:
        reason = "this is Python 2 (a print statement); run a 2-to-3 tool first"
    if not error.lineno:
        return reason
    return f"{error.lineno}:{max(error.offset or 1, 1)}: {reason}"
