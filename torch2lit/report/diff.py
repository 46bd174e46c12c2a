"""The change as a unified diff that ``git apply`` takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import PurePath

from ..files.lines import newline_of
from ..program import Conversion, Outcome
from .style import Style

CONTEXT = 3
_NO_NEWLINE = "\\ No newline at end of file\n"
_COLORS = {"-": ("red",), "+": ("green",), "@": ("cyan",)}


def render_diffs(conversions: Sequence[Conversion], *, color: bool = False) -> str:
    """The diffs of all files that are converted, in the order given."""
    return "".join(render_diff(one, color=color) for one in conversions)


def render_diff(conversion: Conversion, *, color: bool = False, as_text: bool = False) -> str:
    """The diff of one file, without times, with its own newlines; empty when nothing changes.

    A diff is about bytes: those of another encoding than UTF-8 stand in it as Python's surrogates, which come out as they were. With ``as_text``
    it is for reading, and they are characters.
    """
    if conversion.outcome is not Outcome.CONVERTED or conversion.before == conversion.after:
        return ""
    name = _name(conversion.path)
    lines = [f"--- {_quoted('a/' + name)}\n", f"+++ {_quoted('b/' + name)}\n"]
    before, after = (_in_file(text, conversion, as_text) for text in (conversion.before, conversion.after))
    lines += _hunks(_lines(before), _lines(after))
    return "".join(_painted(lines, color))


def _in_file(text: str, conversion: Conversion, as_text: bool) -> str:
    if not as_text and conversion.encoding != "utf-8":
        text = text.encode(conversion.encoding, "surrogateescape").decode("utf-8", "surrogateescape")
    return ("\ufeff" if conversion.bom else "") + text


def _name(path: str) -> str:
    pure = PurePath(path)
    return pure.relative_to(pure.anchor).as_posix() if pure.is_absolute() else pure.as_posix()


def _quoted(name: str) -> str:
    if '"' in name or "\\" in name or not name.isprintable():
        return '"' + "".join(_escaped(character) for character in name) + '"'
    return name + "\t" if " " in name else name


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogateescape"))


def _lines(text: str) -> list[str]:
    # A diff knows only LF: a CR, alone or before it, belongs to the line's content.
    return [line + "\n" for line in text.split("\n")[:-1]] + (
        [text.rsplit("\n", 1)[-1]] if text[-1:] not in ("", "\n") else []
    )


def _hunks(before: list[str], after: list[str]) -> Iterator[str]:
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for group in matcher.get_grouped_opcodes(CONTEXT):
        first, last = group[0], group[-1]
        yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@\n"
        for tag, start, end, new_start, new_end in group:
            if tag == "equal":
                yield from _marked(" ", before[start:end])
                continue
            yield from _marked("-", before[start:end])
            yield from _marked("+", after[new_start:new_end])


def _range(start: int, end: int) -> str:
    length = end - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"


def _marked(mark: str, lines: list[str]) -> Iterator[str]:
    for line in lines:
        if line.endswith("\n"):
            yield mark + line
        else:
            yield mark + line + "\n"
            yield _NO_NEWLINE


def _painted(lines: list[str], color: bool) -> Iterator[str]:
    if not color:
        yield from lines
        return
    style = Style(True)
    for number, line in enumerate(lines):
        names = ("bold",) if number < 2 else _COLORS.get(line[0])
        newline = newline_of(line)
        yield style(line[: len(line) - len(newline)], *names) + newline if names else line
