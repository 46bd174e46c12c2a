"""What `ModelCheckpoint` is told of the name of a script's file: its folder, and the name with the epoch and the numbers of the epoch in braces."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

from .feature import Part, Training
from .file_names import Piece, Unknown, parted, pieces_of
from .sure_texts import is_text

_ODD_SIGNS = re.compile(r"[{}=\\\\]")
_SETTING = re.compile(r"[\w.]+")
_OF_NUMBER = re.compile(r"\d*\.\d+[efg]")
_OF_EPOCH = re.compile(r"(0?\d*)d?")
_KEY = {0: "epoch_number", 1: "epoch_plus_1"}
_TEXT, _FIELD, _WORD = "text", "field", "word"
_Told = list[tuple[str, str]]
"""Pieces of source, each a plain text, a field of an f-string, or a word in braces for which a name is put in."""


class Unnamed(Exception):
    """Why the callback cannot give its file that name."""


@dataclass(frozen=True, slots=True)
class CheckpointName:
    """Where it is saved: folder and name as source, with what it holds of the epoch in braces, and how it is told to a person.

    ``epoch`` is what the script counts in the name where the Trainer counts from another number, ``key`` the name under which that is logged.
    ``numbers`` are the epoch's numbers in the name, by the words that stand there for their names. ``ending``: how the script's own name ends, as far as that is known.
    """

    folder: str
    name: str
    shown: str
    imports: tuple[str, ...] = ()
    of_epoch: bool = False
    key: str = ""
    epoch: ast.expr | None = None
    numbers: tuple[tuple[str, ast.Name], ...] = ()
    ending: str | None = None


def name_of(training: Training, part: Part, path: ast.expr, switch: str) -> CheckpointName:
    """What the callback is told. Raises Unnamed. ``switch``: where that is off, the script never asks for the name, which may be none at all then."""
    folders, last = _joined(training, path)
    try:
        pieces = pieces_of(last, training.full_name)
    except Unknown:
        raise Unnamed(_NOT_KNOWN) from None
    if len(pieces) == 1 and pieces[0].value is not None:
        return _whole(training, part, path, switch)
    return _Namer(training, part, folders, switch).of(pieces)


_NOT_KNOWN = "the name of its file is not known before the training, or holds other numbers of it"
_NO_NAME = "where `{}` does not hold, the name of its file may not be there"


def _joined(training: Training, path: ast.expr) -> tuple[list[ast.expr], ast.expr]:
    """The folders in a path, behind the function that joins them, and the last part."""
    match path:
        case ast.BinOp(left=folder, op=ast.Div() as slash, right=ast.Constant(value=str()) | ast.JoinedStr() as last):
            return [ast.copy_location(ast.BinOp(folder, slash, last), path), folder], last
        case ast.Call(func=function, args=[*folders, last], keywords=[]) if folders:
            if training.full_name(function) == "os.path.join":
                return [function, *folders], last
    return [], path


def _whole(training: Training, part: Part, path: ast.expr, switch: str) -> CheckpointName:
    """A name that a setting holds from its first sign to its last."""
    text = training.at_entry(path, part)
    if switch and text and text != switch:
        raise Unnamed(_NO_NAME.format(switch))
    if not text:
        raise Unnamed(_NOT_KNOWN)
    text = f'{text} or ""' if switch else text
    folder, name = f"{{os}}.path.dirname({text})", f"{{os}}.path.splitext({{os}}.path.basename({text}))[0]"
    return CheckpointName(f'{folder} or "."', name, "a file that ends in `.ckpt`", ("os",))


class _Namer:
    """Writes the pieces of one name as the callback wants them."""

    def __init__(self, training: Training, part: Part, folders: Sequence[ast.expr], switch: str) -> None:
        self.training, self.part, self.switch = training, part, switch
        self.folders = folders
        self.epoch: ast.expr | None = None
        self.key = ""
        self.of_epoch = False
        self.numbers: list[tuple[str, ast.Name]] = []

    def of(self, pieces: Sequence[Piece]) -> CheckpointName:
        """What the callback is told."""
        if any(_ODD_SIGNS.search(piece.text) for piece in pieces):
            raise Unnamed("the callback cannot give its file that name")
        folder, name, ending = parted(pieces)
        if not name:
            raise Unnamed("the callback cannot give its file that name")
        place = self._folder(folder)
        told, shown = self._template(name)
        there = " there" if self.folders or any(piece.value is not None for piece in folder) else ""
        shown = shown if there else posixpath.join("".join(piece.text for piece in folder), shown)
        return CheckpointName(
            place, told, f"`{shown}.ckpt`{there}", (), self.of_epoch, self.key, self.epoch, tuple(self.numbers), ending
        )

    def _folder(self, pieces: Sequence[Piece]) -> str:
        inner = self._settled(pieces)
        if not self.folders:
            return inner or '"."'
        function, *folders = self.folders
        texts = [self.training.at_entry(one, self.part) for one in folders]
        if not all(texts):
            raise Unnamed(_NOT_KNOWN)
        if self.switch and not all(isinstance(one, ast.Constant) for one in folders):
            raise Unnamed(_NO_NAME.format(self.switch))
        texts += [inner] if inner else []
        if isinstance(function, ast.BinOp):
            return " / ".join(texts)
        return f"{self.training.text(function)}({', '.join(texts)})" if len(texts) > 1 else texts[0]

    def _settled(self, pieces: Sequence[Piece]) -> str:
        """A text that is the same in the whole training, as source."""
        if len(pieces) == 1 and pieces[0].value is not None and not pieces[0].form:
            if is_text(self.training, pieces[0].value):
                return self._setting(pieces[0].value)
        return _source([t for piece in pieces for t in self._of_setting(piece)]) if pieces else ""

    def _of_setting(self, piece: Piece) -> _Told:
        if piece.value is None:
            return [(piece.text, _TEXT)]
        return [(f"{{{self._setting(piece.value)}{_form(piece.form)}}}", _FIELD)]

    def _setting(self, value: ast.expr) -> str:
        text = self.training.at_entry(value, self.part)
        if not _SETTING.fullmatch(text):
            raise Unnamed(_NOT_KNOWN)
        return text

    def _template(self, pieces: Sequence[Piece]) -> tuple[str, str]:
        """The name with the epoch and its numbers in braces, as source, and as it is told to a person."""
        found = [told for piece in pieces for told in self._piece(piece)]
        names = {f"{{{word}!}}": number.id for word, number in self.numbers}
        return _source(found), "".join("..." if kind == _FIELD else names.get(text, text) for text, kind in found)

    def _piece(self, piece: Piece) -> _Told:
        if piece.value is not None and (held := self._of_the_epoch(piece.value, piece.form)):
            self.of_epoch = True
            return held
        return self._of_setting(piece)

    def _of_the_epoch(self, value: ast.expr, form: str) -> _Told:
        """The epoch, or a number of it; nothing for what is none."""
        whole, counted = _OF_EPOCH.fullmatch(form), _counted(value)
        if counted is not None and whole is not None and self.training.is_epoch(counted[0], self.part):
            if self.training.first_epoch(counted[0], self.part) == -counted[1]:
                return [(f"{{epoch{_form(form)}}}", _TEXT)]
            return [(f"{{{self._logged(value)}:{whole.group(1)}.0f}}", _TEXT)]
        if _OF_NUMBER.fullmatch(form) and isinstance(value, ast.Name) and self.training.number(value, self.part):
            word = f"number_{len(self.numbers)}"
            self.numbers.append((word, value))
            return [("{", _TEXT), (f"{{{word}!}}", _WORD), (f":{form}}}", _TEXT)]
        return []

    def _logged(self, value: ast.expr) -> str:
        """The name under which the script's own number of the epoch is logged."""
        if self.epoch is not None and ast.dump(self.epoch) != ast.dump(value):
            raise Unnamed(_NOT_KNOWN)
        _, added = _counted(value) or (value, 0)
        if added not in _KEY:
            raise Unnamed(_NOT_KNOWN)
        self.epoch, self.key = value, _KEY[added]
        return self.key


def _counted(value: ast.expr) -> tuple[ast.Name, int] | None:
    """A name, and what is added to it."""
    match value:
        case ast.Name():
            return value, 0
        case ast.BinOp(left=ast.Name() as name, op=ast.Add(), right=ast.Constant(value=int(added))):
            return name, added
        case ast.BinOp(left=ast.Name() as name, op=ast.Sub(), right=ast.Constant(value=int(taken))):
            return name, -taken
    return None


def _form(form: str) -> str:
    return f":{form}" if form else ""


def _source(pieces: _Told) -> str:
    """A text as source: an f-string where a piece is one of its fields."""
    if all(kind != _FIELD for _, kind in pieces):
        return quoted("".join(text for text, _ in pieces))
    return f"f{quoted(''.join(_doubled(text) if kind == _TEXT else text for text, kind in pieces))}"


def _doubled(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def quoted(text: str) -> str:
    """A text as source."""
    return '"' + text.replace('"', '\\"') + '"'
