"""One file through the engine: bytes in, Conversion and new bytes out, and never an exception."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from .files.decoding import Encoding, decode
from .files.errors import SourceError
from .files.prefilter import (
    NO_TRAINING_LOOP,
    SKIP_FILE,
    asks_to_skip,
    hides_step,
    may_lead_to_training,
    may_train,
    mentions_skip,
    mentions_skip_file,
    mentions_torch,
)
from .files.reading import read_file, reason_of
from .files.time_limit import TooSlow, within
from .memory import remembering
from .options import Options
from .process_python import convert_in_project, convert_python, failed, may_lead
from .program import Cause, Conversion, Outcome


@dataclass(frozen=True, slots=True)
class Processed:
    """A conversion with the bytes that were read and, when it is converted, those to write."""

    conversion: Conversion
    read: bytes = b""
    result: bytes | None = None
    others: tuple[Path, ...] = ()
    """Files of the same program that are converted with it."""


@remembering()
def process_file(path: Path, options: Options) -> Processed:
    """Convert one file in memory, with the other files of its program."""
    return _in_time(lambda: _process_whole(path, options), path.as_posix(), options, lambda: read_file(path))


def _in_time(work: Callable[[], Processed], name: str, options: Options, read: Callable[[], bytes]) -> Processed:
    """What the work gives; a file that takes longer than it may stays as it is, and a finding says so."""
    try:
        with within(options.time_limit):
            return work()
    except TooSlow:
        from . import catalogue as catalogue
        from .findings import finding

        data = read()
        text, encoding = decode(data)
        told = finding("took-too-long", 0, f"its conversion was not done within {options.time_limit} s")
        return Processed(_held_as(Conversion(name, Outcome.REFUSED, text, text, findings=(told,)), encoding), data)


def _process_whole(path: Path, options: Options) -> Processed:
    processed = _with_unused_skips(_process_file(path, options), path, options)
    one = processed.conversion
    if one.cause is Cause.NO_LOOP:
        from .unchanged import why_unchanged

        return replace(processed, conversion=replace(one, reason=why_unchanged(processed.read, path.as_posix())))
    return processed


def _process_file(path: Path, options: Options) -> Processed:
    try:
        data = read_file(path)
    except OSError as error:
        return Processed(failed(path.as_posix(), f"cannot read: {reason_of(error)}"))
    return _process_data(data, path, options)


def _process_data(data: bytes, path: Path, options: Options) -> Processed:
    name = path.as_posix()
    if not mentions_torch(data):
        return Processed(Conversion(name, Outcome.UNCHANGED, reason=NO_TRAINING_LOOP, cause=Cause.NO_LOOP), data)
    if path.suffix == ".ipynb":
        return _process_notebook(data, name, options)
    processed = process_bytes(data, name, options)
    if path.suffix != ".py":
        return processed
    return _in_project(processed, options) or processed


def _with_unused_skips(processed: Processed, path: Path, options: Options) -> Processed:
    """The same with a finding for each skip comment of a Python file that keeps nothing from being converted."""
    if path.suffix != ".py" or not mentions_skip(processed.read):
        return processed
    from .unused_skips import with_unused_skips

    try:
        text, encoding = decode(processed.read)
    except SourceError:
        return processed

    def again(other: str) -> Conversion:
        return _process_data(encoding.encode(other), path, options).conversion

    return replace(processed, conversion=with_unused_skips(text, processed.conversion, again))


def _in_project(processed: Processed, options: Options) -> Processed | None:
    """The same with what other project files do for it; None when they do nothing."""
    plain = processed.conversion
    if plain.outcome is not Outcome.CONVERTED and not may_lead(plain, processed.read):
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
    return Processed(_held_as(found.entry, encoding), processed.read, _encoded(found.entry, encoding), found.others)


def _process_notebook(data: bytes, name: str, options: Options) -> Processed:
    if not may_lead_to_training(data) and (reason := unchanged_at_sight(data)) is not None:
        return Processed(Conversion(name, Outcome.UNCHANGED, reason=reason, cause=Cause.NO_LOOP), data)
    from .process_notebook import convert_notebook_program

    try:
        text, encoding = decode(data)
        found = convert_notebook_program(text, name, options)
    except SourceError as error:
        # What may hold no training is not looked at closely enough to complain.
        if (reason := unchanged_at_sight(data)) is not None:
            return Processed(Conversion(name, Outcome.UNCHANGED, reason=reason, cause=Cause.NO_LOOP), data)
        return Processed(failed(name, str(error), ""), data)
    return Processed(_held_as(found.entry, encoding), data, _encoded(found.entry, encoding), found.others)


@remembering()
def process_bytes(data: bytes, name: str, options: Options) -> Processed:
    """Convert the bytes of one file in memory; the name tells a notebook by its suffix."""
    return _in_time(lambda: _process_bytes(data, name, options), name, options, lambda: data)


def _process_bytes(data: bytes, name: str, options: Options) -> Processed:
    if (reason := unchanged_at_sight(data)) is not None:
        return Processed(Conversion(name, Outcome.UNCHANGED, reason=reason, cause=Cause.NO_LOOP), data)
    try:
        text, encoding = decode(data)
        if mentions_skip_file(data) and not name.endswith(".ipynb") and asks_to_skip(text):
            return Processed(Conversion(name, Outcome.UNCHANGED, text, text, reason=SKIP_FILE), data)
        conversion = process_text(text, name, options)
        return Processed(_held_as(conversion, encoding), data, _encoded(conversion, encoding))
    except SourceError as error:
        return Processed(failed(name, str(error)), data)


def unchanged_at_sight(data: bytes, torch: bool = True) -> str | None:
    """Why a file is left unchanged, when its bytes are enough to tell. ``torch`` is False where it is known not to be mentioned."""
    return None if (may_train(data) if torch else hides_step(data)) else NO_TRAINING_LOOP


@remembering()
def process_text(text: str, name: str, options: Options) -> Conversion:
    """Convert a text; whatever goes wrong in the engine becomes a failed outcome of one line."""
    try:
        if name.endswith(".ipynb"):
            from .process_notebook import convert_notebook

            return convert_notebook(text, name, options)
        return convert_python(text, name, options)
    except SourceError as error:
        return failed(name, str(error), text)


def _held_as(conversion: Conversion, encoding: Encoding) -> Conversion:
    if encoding == Encoding():
        return conversion
    return replace(conversion, encoding=encoding.name, bom=encoding.bom)


def _encoded(conversion: Conversion, encoding: Encoding) -> bytes | None:
    if conversion.outcome is not Outcome.CONVERTED:
        return None
    return encoding.encode(conversion.after)
