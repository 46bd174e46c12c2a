"""The numbers that a script puts into a text, with the words before them.

    f"Epoch {epoch} loss: {loss:.4f}"                     ("loss", loss)
    "Loss_D: %.4f Loss_G: %.4f" % (errD.item(), errG)     ("Loss_D", errD.item()), ("Loss_G", errG)
    "acc = {:.2f}".format(100 * correct / total)          ("acc", 100 * correct / total)

Only what is formatted as a float counts: it is a number or a tensor of one element, or formatting would raise. Sources:
https://docs.python.org/3/library/string.html#format-specification-mini-language,
https://docs.python.org/3/library/stdtypes.html#printf-style-string-formatting
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import libcst as cst

Labelled = tuple[str, cst.BaseExpression]

_FLOAT_SPEC = re.compile(r"[^{}%]*[eEfFgG]")  # `%H:%M:%S.%f` is a time
_PERCENT = re.compile(r"%(?:\((\w+)\))?[-+ #0]*(\*|\d+)?(?:\.(\*|\d+))?([diouxXeEfFgGcrsa%])")
_WHOLE_SPEC = re.compile(r"[^{}%]*[bcdnoxX]")
_BREAK = re.compile(r"[\n\t,;|\]\)]|[.!?] |  +|- ")
_OPENS = re.compile(r" ?[(\[=:] ?")
_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9_@/ ]{0,29}")


@dataclass(frozen=True, slots=True)
class Piece:
    """One value that a text shows: what stands before it, and whether it is formatted as a float.

    ``value`` is None where it is not found, or formatted as a whole number: a count.
    """

    before: str
    value: cst.BaseExpression | None
    as_float: bool


def formatted_numbers(text: cst.BaseExpression) -> list[Labelled]:
    """Each number of a text that a word stands before, in order; the word made fit for a name of a metric."""
    found: dict[str, cst.BaseExpression] = {}
    for piece in pieces_of(text):
        if piece.value is not None and piece.as_float and (label := label_of(piece.before)):
            found.setdefault(label, piece.value)
    return list(found.items())


def only_number(text: cst.BaseExpression) -> cst.BaseExpression | None:
    """The number that is all that a text is made of besides its constant words; None when it holds more or none."""
    values = [piece.value if piece.as_float else None for piece in pieces_of(text)]
    return values[0] if len(values) == 1 else None


def label_of(before: str) -> str:
    """The words straight before a number: what follows the last break, without the sign that leads to the number."""
    words = before.rstrip(" :=[(")
    last = _BREAK.split(words)[-1].strip(" :[(")
    return re.sub(r"\W+", "_", last).strip("_") if _LABEL.fullmatch(last) else ""


def pieces_of(text: cst.BaseExpression) -> Iterator[Piece]:
    """The values of a text in order. Nothing for what is no text with values.

    Two counts with a slash between them are no number of their own: in ``Accuracy: {}/{} ({:.0f}%)`` the words stand
    before the share that follows.
    """
    pieces = list(_all_pieces(text))
    before = ""
    for place, piece in enumerate(pieces):
        if _divides(piece, pieces[place + 1 : place + 2]):
            before = piece.before
            yield replace(piece, value=None)
        elif before and _OPENS.fullmatch(piece.before):
            yield replace(piece, before=before)
            before = ""
        else:
            before = before if piece.before.strip() == "/" else ""
            yield piece


def _divides(piece: Piece, following: Sequence[Piece]) -> bool:
    """Whether a value is a count of which the next one is the whole."""
    return any(p.before.strip() == "/" and not (p.as_float or piece.as_float) for p in following)


def _all_pieces(text: cst.BaseExpression) -> Iterator[Piece]:
    match text:
        case cst.FormattedString() | cst.ConcatenatedString():
            yield from _of_f_string(text)
        case cst.BinaryOperation(left=left, operator=cst.Modulo(), right=right):
            pattern = _constant(left)
            if pattern is not None:
                yield from _of_percent(pattern, right)
        case cst.Call(func=cst.Attribute(value=pattern_node, attr=cst.Name("format")), args=args):
            pattern = _constant(pattern_node)
            if pattern is not None:
                yield from _of_format(pattern, args)


def _constant(node: cst.BaseExpression) -> str | None:
    """The text of a string without values in it."""
    match node:
        case cst.SimpleString() if isinstance(node.evaluated_value, str):
            return node.evaluated_value
        case cst.ConcatenatedString() if isinstance(node.evaluated_value, str):
            return node.evaluated_value
    return None


def _of_f_string(text: cst.BaseExpression) -> Iterator[Piece]:
    before = ""
    for part in _parts(text):
        if isinstance(part, str):
            before += part
            continue
        spec = "".join(s.value for s in part.format_spec or () if isinstance(s, cst.FormattedStringText))
        value = None if _WHOLE_SPEC.fullmatch(spec) else part.expression
        yield Piece(before, value, _FLOAT_SPEC.fullmatch(spec) is not None and part.conversion is None)
        before = ""


def _parts(text: cst.BaseExpression) -> Iterator[str | cst.FormattedStringExpression]:
    match text:
        case cst.ConcatenatedString(left=left, right=right):
            yield from _parts(left)
            yield from _parts(right)
        case cst.FormattedString(parts=parts):
            for part in parts:
                if isinstance(part, cst.FormattedStringExpression):
                    yield part
                elif isinstance(part, cst.FormattedStringText):
                    yield part.value
        case cst.SimpleString():
            yield _constant(text) or ""


def _of_percent(pattern: str, right: cst.BaseExpression) -> Iterator[Piece]:
    values = [e.value for e in right.elements] if isinstance(right, cst.Tuple) else [right]
    start = 0
    for place in _PERCENT.finditer(pattern):
        name, width, precision, kind = place.groups()
        if kind == "%":
            continue
        if name is not None or "*" in (width, precision) or not values:
            return
        value = values.pop(0)
        yield Piece(pattern[start : place.start()], value if kind in "eEfFgGsra" else None, kind in "eEfFgG")
        start = place.end()


def _of_format(pattern: str, args: Sequence[cst.Arg]) -> Iterator[Piece]:
    by_name = {arg.keyword.value: arg.value for arg in args if arg.keyword is not None}
    by_place = [arg.value for arg in args if arg.keyword is None]
    if any(arg.star for arg in args):
        return
    try:
        fields = list(string.Formatter().parse(pattern))
    except ValueError:
        return
    count = 0
    for before, field, spec, conversion in fields:
        if field is None:
            continue
        name, *attributes = field.split(".")
        value = by_name.get(name)
        if not name or name.isdigit():
            place = int(name) if name else count
            value = by_place[place] if place < len(by_place) else None
            count += 1
        found = None if _WHOLE_SPEC.fullmatch(spec or "") else _attribute_of(value, attributes)
        yield Piece(before, found, _FLOAT_SPEC.fullmatch(spec or "") is not None and not conversion)


def _attribute_of(value: cst.BaseExpression | None, attributes: list[str]) -> cst.BaseExpression | None:
    """The attribute of a value that a field such as ``{loss.avg}`` names."""
    if attributes and not isinstance(value, cst.Name | cst.Attribute | cst.Call | cst.Subscript):
        return None
    for attribute in attributes:
        if value is None or not attribute.isidentifier():
            return None
        value = cst.Attribute(value, cst.Name(attribute))
    return value
