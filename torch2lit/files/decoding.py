"""Bytes to text and back, without losing a byte: byte order mark, PEP 263 cookie, newlines of any kind."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from .errors import SourceError


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a file holds its text."""

    name: str = "utf-8"
    bom: bool = False

    def encode(self, text: str) -> bytes:
        """The bytes of a text. Raises SourceError for a character that the encoding does not have."""
        try:
            data = text.encode(self.name)
        except UnicodeEncodeError as error:
            character = text[error.start]
            raise SourceError(f"the result holds {character!r}, which {self.name} cannot encode") from error
        return codecs.BOM_UTF8 + data if self.bom else data


def decode(data: bytes) -> tuple[str, Encoding]:
    """The text of a Python file, its newlines untouched, and how to encode it again.

    Raises SourceError for NUL bytes, for an unknown or wrong encoding, and for bytes that would not come back
    the same.
    """
    if (nul := data.find(b"\0")) >= 0:
        raise SourceError("source holds a NUL byte", *_byte_place(data, nul))
    encoding = _detect(data)
    body = data[len(codecs.BOM_UTF8) :] if encoding.bom else data
    try:
        text = body.decode(encoding.name)
    except UnicodeDecodeError as error:
        offset = error.start + len(data) - len(body)
        remedy = "declare the encoding (PEP 263) or use UTF-8"
        reason = f"byte 0x{data[offset]:02x} is not valid {encoding.name}; {remedy}"
        raise SourceError(reason, *_byte_place(data, offset)) from error
    if encoding.encode(text) != data:
        raise SourceError(f"the bytes do not survive decoding as {encoding.name} and encoding again", 1, 1)
    return text, encoding


def _detect(data: bytes) -> Encoding:
    bom = data.startswith(codecs.BOM_UTF8)
    first_two = data[:4096].replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n", 2)[:2]
    if not any(b"coding" in line for line in first_two):
        return Encoding(bom=bom)
    from tokenize import detect_encoding

    # A line that is no valid UTF-8 cannot be the cookie's; it is reported with its own place when it is
    # decoded.
    head = iter([line + b"\n" for line in first_two])
    try:
        name, _ = detect_encoding(lambda: next(head, b""))
    except SyntaxError as error:
        reason = str(error.msg).split("; problem")[0]
        if "invalid or missing encoding" in reason:
            return Encoding(bom=bom)
        raise SourceError(reason, 1, 1) from error
    if not getattr(codecs.lookup(name), "_is_text_encoding", True):
        raise SourceError(f"unknown encoding: {name}", 1, 1)
    return Encoding("utf-8" if name == "utf-8-sig" else name, bom)


def _byte_place(data: bytes, offset: int) -> tuple[int, int]:
    return _place(data[:offset].decode("latin-1"), offset)


def _place(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset].replace("\r\n", "\n").replace("\r", "\n")
    return before.count("\n") + 1, len(before) - before.rfind("\n")
