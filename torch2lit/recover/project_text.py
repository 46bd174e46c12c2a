"""The other files of a program, as far as their text alone can say what they do with a class."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from ..files.asked import entries, is_file
from ..files.reading import read_text
from ..memory import once
from .neighbours import imported_modules

BETWEEN = "\n\x00\n"
"""What stands between the texts of two files."""
_MOST = 300
_MOST_ENTRIES = 20_000
"""Folders of data are not searched to their end."""
_LARGEST = 400_000
_SKIPPED = {"site-packages", "dist-packages", "node_modules", "__pycache__", "build", "dist"}
_STORE = re.compile(
    r"\b(\w+)(?:\([^()\n]*\)|\[[^\]\n]*\])?\.(\w+)(?:\s*,\s*[\w.]+)*\s*(?:[-+*/%|&^@]|//|\*\*|<<|>>)?=(?!=)"
)
_CONSTANT = re.compile(r"\s*(?:True|False|None|[\d\"'])")
SETTINGS = {"args", "opt", "opts", "cfg", "config", "hparams", "hps", "options", "flags", "FLAGS", "parser", "params"}
"""Names of settings, whose attributes are nobody's methods."""
_ATTRIBUTE = re.compile(r"(\w+|[\])}])\s*\.\s*(\w+)")
_SET = re.compile(
    r"\bsetattr\(\s*(?!self\b)|(?<!\bself)\.__dict__(?:\.update|\[)|\bvars\(\s*(?!self\b)[^()]*\)(?:\.update|\[[^\]]*\]\s*=)"
)


IMPORTED = r"\b(?:import|from)\b[^#\n]*(?:\\\r?\n[^#\n]*)*\b{0}\b|\bimport[ \t]*\([^)]*\b{0}\b"
"""What a text holds that may import a module of this name."""
_BY_NAME = re.compile(r"\b(?:import_module|__import__|runpy|exec|spec_from_file_location|find_spec|load_module)\b")
"""What imports or runs a file whose name is only known when it runs."""


def other_text(path: str) -> str:
    """The text of all Python files around a script that may meet what it makes, its own left out; "" for a text that is no file.

    They are those of its folder and below it, and for a module of a package those around the package. Scripts that lie beside each other and import nothing of
    each other never meet.
    """
    if not path or path == "-" or not is_file(own := Path(path)):
        return ""
    folder = own.parent
    while is_file(folder / "__init__.py") and folder.parent != folder:
        folder = folder.parent
    here, around = own.resolve(), folder.resolve()
    return once(("text around", here, around), lambda: _text_around(here, around))


def _text_around(own: Path, folder: Path) -> str:
    files = [file for file in files_below(folder) if file != own]
    text = BETWEEN.join(map(_read, files))
    return text if _meet(own, folder, files, text) else ""


def _meet(own: Path, folder: Path, files: list[Path], text: str) -> bool:
    """Whether the file imports one of the others, or one of them may import the file."""
    here = _read(own)
    modules = imported_modules(here.encode())
    names = {name for file in files for name in (*file.relative_to(folder).parts[:-1], file.stem)}
    if any(module.startswith(".") or module.partition(".")[0] in names for module in modules):
        return True
    if _BY_NAME.search(here) or _BY_NAME.search(text):
        return True
    name = module_name(own)
    return name in text and re.search(IMPORTED.format(re.escape(name)), text) is not None


def module_name(file: Path) -> str:
    """The last part of the name by which a file is imported."""
    return file.parent.name if file.stem == "__init__" else file.stem


def files_below(folder: Path, suffixes: tuple[str, ...] = (".py",)) -> list[Path]:
    """The files of a project, those of virtual environments and the like left out."""
    return once(("files below", folder, suffixes), lambda: _files_below(folder, suffixes))


def _files_below(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    found: list[Path] = []
    left = [folder]
    seen = 0
    while left and len(found) < _MOST and seen < _MOST_ENTRIES:
        current = left.pop(0)
        inside = entries(current)
        seen += len(inside) + 1
        found += [current / e.name for e in inside if os.path.splitext(e.name)[1] in suffixes and os.path.isfile(e)]
        left += [current / e.name for e in inside if _may_hold_code(e)]
    return found[:_MOST]


def _may_hold_code(entry: os.DirEntry[str]) -> bool:
    """Whether an entry of a folder is a folder of the project."""
    name = entry.name
    if name.startswith((".", "venv", "env")) or name in _SKIPPED:
        return False
    with contextlib.suppress(OSError):
        return entry.is_dir(follow_symlinks=False)
    return False


def _read(file: Path) -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return read_text(file, "utf-8-sig", _LARGEST)
    return ""


def mentioned(text: str) -> frozenset[str]:
    """Every attribute that the text reads or writes of anything but ``self``: no class there extends the one in question."""
    return once(
        ("mentioned", text),
        lambda: frozenset(attribute for owner, attribute in _ATTRIBUTE.findall(text) if owner != "self"),
    )


def replacements(text: str) -> list[tuple[str, str]]:
    """The same as `stores`, without what binds a plain number, text or truth value: no function is put there."""
    return once(("replacements", text), lambda: _replacements(text))


def _replacements(text: str) -> list[tuple[str, str]]:
    found = (m for m in _STORE.finditer(text) if not _CONSTANT.match(text, m.end()))
    return [(m.group(1), m.group(2)) for m in found if m.group(1) != "self"]


def stores(text: str) -> list[tuple[str, str]]:
    """What the text binds attributes of, by its last name, and the attributes."""
    return [(owner, attribute) for owner, attribute in _STORE.findall(text) if owner != "self"]


def stored(text: str) -> frozenset[str] | None:
    """Every attribute that the text binds on something else than ``self``; None when it may bind any."""
    return once(("stored", text), lambda: _stored(text))


def _stored(text: str) -> frozenset[str] | None:
    if _SET.search(text):
        return None
    return frozenset(attribute for _owner, attribute in stores(text))
