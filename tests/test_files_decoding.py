"""Bytes to text and back."""

from __future__ import annotations

import codecs

import pytest

from torch2lit.files.decoding import Encoding, decode
from torch2lit.files.errors import SourceError

BOM = codecs.BOM_UTF8


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        (b"", "", Encoding()),
        (b"x = 1\r\ny\rz\n", "x = 1\r\ny\rz\n", Encoding()),
        (BOM, "", Encoding(bom=True)),
        (BOM + b"x", "x", Encoding(bom=True)),
        (BOM + b"# coding: utf-8\n", "# coding: utf-8\n", Encoding("utf-8", True)),
        ("é\n".encode(), "é\n", Encoding()),
        (b"# coding: latin-1\n\xe9\n", "# coding: latin-1\né\n", Encoding("iso-8859-1")),
        (
            b"#!x\r# vim: set fileencoding=cp1252 :\r\x80",
            "#!x\r# vim: set fileencoding=cp1252 :\r€",
            Encoding("cp1252"),
        ),
        (b"x = 1\n\n# coding: latin-1\n", "x = 1\n\n# coding: latin-1\n", Encoding()),
        (b"x = 'coding: latin-1'\n", "x = 'coding: latin-1'\n", Encoding()),
        (b"x = 1\n# coding: klingon\n", "x = 1\n# coding: klingon\n", Encoding()),
    ],
)
def test_round_trip(data: bytes, text: str, encoding: Encoding) -> None:
    assert decode(data) == (text, encoding)
    assert encoding.encode(text) == data


@pytest.mark.parametrize(
    ("data", "line", "column", "reason"),
    [
        (b"a\0", 1, 2, "NUL"),
        (b"a\r\nbc\0", 2, 3, "NUL"),
        (b"\xff", 1, 1, "0xff is not valid utf-8"),
        (b"a\rb\r\nc\xe9\n", 3, 2, "0xe9 is not valid utf-8"),
        (b"# coding: ascii\n\xe9", 2, 1, "0xe9 is not valid ascii"),
        (b"# coding: nonsense\n", 1, 1, "unknown encoding"),
        (b"# coding: hex\n", 1, 1, "unknown encoding"),
        (BOM + b"# coding: latin-1\n", 1, 1, "encoding problem"),
        (b"# coding: utf-7\n+AGE-\n", 1, 1, "do not survive"),
    ],
)
def test_what_cannot_be_read_names_its_place(data: bytes, line: int, column: int, reason: str) -> None:
    with pytest.raises(SourceError, match=reason) as caught:
        decode(data)

    assert (caught.value.line, caught.value.column) == (line, column)
    assert "\n" not in str(caught.value)


def test_character_beyond_the_encoding() -> None:
    with pytest.raises(SourceError, match="'漢', which latin-1 cannot encode"):
        Encoding("latin-1").encode("a\n漢")
