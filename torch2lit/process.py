"""One file through the engine: bytes in, Conversion and new bytes out, and never an exception."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .deep_stack import with_deep_stack
from .files.decoding import Encoding, decode
from .files.errors import SourceError
from .files.prefilter import (
    NO_TRAINING_LOOP,
    SKIP_FILE,
    asks_to_skip,
    hides_step,
    may_lead_to_training,
    may_train,
    mentions_skip_file,
    mentions_torch,
)
from .options import Options
from .program import Conversion, Outcome

if TYPE_CHECKING:
    from .project import ProgramConversion
    from .recover.neighbours import Neighbours

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
    """Convert one file in memory, with the other files of its program."""
    processed = _process_file(path, options)
    one = processed.conversion
    if one.outcome is Outcome.UNCHANGED and one.reason == NO_TRAINING_LOOP:
        from .unchanged import why_unchanged

        return replace(processed, conversion=replace(one, reason=why_unchanged(processed.read)))
    return processed


def _process_file(path: Path, options: Options) -> Processed:
    name = path.as_posix()
    try:
        data = path.read_bytes()
    except OSError as error:
        return Processed(failed(name, f"cannot read: {error.strerror or error}"))
    if not mentions_torch(data):
        return Processed(Conversion(name, Outcome.UNCHANGED, reason=NO_TRAINING_LOOP), data)
    if path.suffix == ".ipynb":
        return _process_notebook(data, name, options)
    processed = process_bytes(data, name, options)
    if path.suffix != ".py":
        return processed
    return _in_project(processed, options) or processed


def _in_project(processed: Processed, options: Options) -> Processed | None:
    """The same with what other project files do for it; None when they do nothing."""
    plain = processed.conversion
    if plain.outcome is not Outcome.CONVERTED and not _may_lead(plain, processed.read):
        return None
    try:
        text, encoding = decode(processed.read)
    except SourceError:
        return None
    if plain.outcome is Outcome.UNCHANGED:
        plain = replace(plain, before=text, after=text)
    found = convert_in_project(plain, processed.read, options)
    if found is None:
        return None
    return Processed(found.entry, processed.read, _encoded(found.entry, encoding), found.others)


def _may_lead(plain: Conversion, code: bytes) -> bool:
    """Whether a script without a loop of its own may train by files that it imports; told by its bytes."""
    return plain.reason == NO_TRAINING_LOOP and may_lead_to_training(code)


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
    if not _may_lead(plain, code):
        return None
    from .recover.neighbours import Neighbours

    if not hides_step(code) and not _leads_to_training(text, code, Neighbours(name)):
        return None
    from .project import ProgramConversion, convert_program

    try:
        if asks_to_skip(text):
            return None
        return with_deep_stack(lambda: convert_program(text, name, options, convert_python))
    except _UNREADABLE:
        return None
    except Exception as error:
        return ProgramConversion(failed(name, _internal(error), text))


def _leads_to_training(text: str, code: bytes, neighbours: Neighbours) -> bool:
    """Whether the imports lead to files that can hold a training loop, if only by folders that are put on ``sys.path``."""
    if neighbours.may_train(code):
        return True
    if b"path" not in code:
        return False
    try:
        neighbours.look_on_path(ast.parse(text))
    except _UNREADABLE:
        return False
    return bool(neighbours.extra) and neighbours.may_train(code)


def _process_notebook(data: bytes, name: str, options: Options) -> Processed:
    if not may_lead_to_training(data) and (reason := unchanged_at_sight(data)) is not None:
        return Processed(Conversion(name, Outcome.UNCHANGED, reason=reason), data)
    from .process_notebook import convert_notebook_program

    try:
        text, encoding = decode(data)
        found = convert_notebook_program(text, name, options)
    except SourceError as error:
        # What may hold no training is not looked at closely enough to complain.
        if (reason := unchanged_at_sight(data)) is not None:
            return Processed(Conversion(name, Outcome.UNCHANGED, reason=reason), data)
        return Processed(failed(name, str(error), ""), data)
    return Processed(found.entry, data, _encoded(found.entry, encoding), found.others)


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
