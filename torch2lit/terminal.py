"""What reaches a terminal or a pipe: bytes as they are meant, and a clean end when it takes no more."""

from __future__ import annotations

import errno
import json
import os
import sys
from typing import NoReturn, TextIO

import click

_FAILED = 123
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def plain(text: str, *, lines: bool = False) -> str:
    """The text with every character that a terminal would not just show as an escape: controls, directions of writing, bytes that are no
    text. Newlines stay only with ``lines``.
    """
    if text.isprintable():
        return text
    kept = "\n" if lines else ""
    return "".join(c if c.isprintable() or c in kept else _escape(c) for c in text)


def plain_path(path: str) -> str:
    """A path in one line; one with characters that cannot be shown is quoted."""
    return path if path.isprintable() else f'"{plain(path.replace(chr(92), chr(92) * 2))}"'


def _escape(character: str) -> str:
    number = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if 0xDC80 <= number <= 0xDCFF:  # a byte that is no UTF-8
        return f"\\x{number - 0xDC00:02x}"
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def put(text: str, *, err: bool = False) -> None:
    """Write text as UTF-8 with its own newlines, whatever the stream would make of them: a result, or a message with ``err``."""
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a character, from a notebook
        data = "".join(plain(c) if 0xD800 <= ord(c) < 0xE000 else c for c in text).encode()
    put_bytes(data, err=err)


def put_bytes(data: bytes, *, err: bool = False) -> None:
    """Write bytes. When they cannot be written, the program ends with 123, as one that failed; closed stderr is a wish to hear nothing."""
    stream = sys.stderr if err else sys.stdout
    if not data or (stream is None and err):
        return
    if stream is None:
        _end("stdout is closed")
    try:
        stream.flush()
        stream.buffer.write(data)
        stream.buffer.flush()
    except (OSError, ValueError) as error:
        silence(stream)
        # Who reads the beginning only, as `head` does, needs no message.
        quiet = err or (isinstance(error, OSError) and error.errno in (errno.EPIPE, errno.ESHUTDOWN))
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        _end("" if quiet else f"cannot write to stdout: {reason}")


def _end(message: str) -> NoReturn:
    if message:
        try:
            click.echo(f"Error: {message}", err=True)
        except (OSError, ValueError):
            silence(sys.stderr)
    raise click.exceptions.Exit(_FAILED)


def json_text(data: object) -> str:
    """Data as JSON that every terminal shows as it is: what it would not becomes an escape, and a byte that is no text stays one."""
    text = json.dumps(data, indent=2, ensure_ascii=False)
    if text.replace("\n", "").isprintable():
        return text + "\n"
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text) + "\n"


def silence(stream: TextIO | None) -> None:
    """Let what is left in a stream go nowhere: Python would complain about it in the end."""
    if stream is None:
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass
