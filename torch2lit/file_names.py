"""What the name of a file is made of: texts, and values in some form (``f"runs/{args.name}/{epoch:03d}.pth"``, ``"%s_%d.pth" % (name, epoch)``, ``"m" + str(epoch) + ".pt"``)."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from string import Formatter

_PERCENT = re.compile(r"%(?:%|(0?\d*d|\d*\.\d+[efg]|[sdi]))")
_PLAIN_FORM = re.compile(r"|0?\d*d|\d*\.\d+[efg]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A text of a name, or a value of the script in a form of `format`."""

    text: str = ""
    value: ast.expr | None = None
    form: str = ""


class Unknown(Exception):
    """It is made in a way that is not known."""


def pieces_of(path: ast.expr, full_name: Callable[[ast.expr], str]) -> list[Piece]:
    """What a path is made of, its texts joined. Raises Unknown."""
    joined: list[Piece] = []
    for piece in _pieces(path, full_name):
        if piece.value is None and joined and joined[-1].value is None:
            joined[-1] = Piece(joined[-1].text + piece.text)
        else:
            joined.append(piece)
    return joined


def _pieces(path: ast.expr, full_name: Callable[[ast.expr], str]) -> Iterator[Piece]:
    match path:
        case ast.Constant(value=str(text)):
            yield Piece(text)
        case ast.JoinedStr(values=values):
            for value in values:
                inner = value.value if isinstance(value, ast.FormattedValue) and value.format_spec is None else None
                yield from _pieces(inner, full_name) if isinstance(inner, ast.Call) else [_of_f_string(value)]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield from _pieces(left, full_name)
            yield from _pieces(right, full_name)
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod(), right=right):
            yield from _of_percents(text, right.elts if isinstance(right, ast.Tuple) else [right], full_name)
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format"), args=args, keywords=more):
            yield from _of_format(text, args, {k.arg: k.value for k in more})
        case ast.Call(
            func=ast.Attribute(value=ast.Call(func=function, args=[value], keywords=[]), attr="zfill"),
            args=[ast.Constant(value=int(width))],
        ) if full_name(function) == "str":
            yield Piece(value=value, form=f"0{width}d")
        case ast.Call(func=function, args=[value], keywords=[]) if full_name(function) == "str":
            yield _of_f_string(value) if isinstance(value, ast.Constant) else Piece(value=value)
        case ast.Name() | ast.Attribute():
            yield Piece(value=path)
        case _:
            raise Unknown


def _of_f_string(value: ast.expr) -> Piece:
    match value:
        case ast.Constant(value=str(text)):
            return Piece(text)
        case ast.FormattedValue(value=shown, conversion=-1, format_spec=None):
            return Piece(value=shown)
        case ast.FormattedValue(
            value=shown, conversion=-1, format_spec=ast.JoinedStr(values=[ast.Constant(value=str(form))])
        ):
            return Piece(value=shown, form=_known(form))
    raise Unknown


def _of_percents(text: str, values: Sequence[ast.expr], full_name: Callable[[ast.expr], str]) -> Iterator[Piece]:
    left, end = list(values), 0
    for found in _PERCENT.finditer(text):
        yield Piece(text[end : found.start()])
        end = found.end()
        if found.group(1) is None:
            yield Piece("%")
        elif not left:
            raise Unknown
        elif found.group(1) == "s" and isinstance(left[0], ast.Call):
            yield from _pieces(left.pop(0), full_name)
        else:
            yield Piece(value=left.pop(0), form=found.group(1) if found.group(1) not in "sdi" else "")
    if left or "%" in text[end:] or any(isinstance(v, ast.Starred) for v in values):
        raise Unknown
    yield Piece(text[end:])


def _of_format(text: str, args: Sequence[ast.expr], named: dict[str | None, ast.expr]) -> Iterator[Piece]:
    counted = 0
    for plain, field, form, conversion in Formatter().parse(text):
        yield Piece(plain)
        if field is None:
            continue
        if conversion is not None:
            raise Unknown
        key, counted = (str(counted), counted + 1) if not field else (field, counted)
        value = args[int(key)] if key.isdecimal() and int(key) < len(args) else named.get(key)
        if value is None or any(isinstance(a, ast.Starred) for a in args):
            raise Unknown
        yield Piece(value=value, form=_known(form or ""))


def _known(form: str) -> str:
    if not _PLAIN_FORM.fullmatch(form):
        raise Unknown
    return form


def parted(pieces: Sequence[Piece]) -> tuple[list[Piece], list[Piece], str]:
    """The folder, the name of the file in it without its ending, and the ending."""
    slash = max((i for i, p in enumerate(pieces) if "/" in p.text), default=-1)
    folder, name = list(pieces[: slash + 1]), list(pieces[slash + 1 :])
    if slash >= 0:
        head, tail = posixpath.split(pieces[slash].text)
        folder[-1] = Piece(head if head != "/" or not slash else "")
        name.insert(0, Piece(tail))
    ending = ""
    if name and name[-1].value is None:
        stem, ending = posixpath.splitext(name[-1].text if len(name) == 1 else f"x{name[-1].text}")
        name[-1] = Piece(stem if len(name) == 1 else stem[1:])
    return [p for p in folder if p != Piece()], [p for p in name if p != Piece()], ending
