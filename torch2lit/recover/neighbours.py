"""Functions and classes of the user's own modules beside the script: read, never imported."""

from __future__ import annotations

import ast
import contextlib
import functools
import os
import re
import sys
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

from ..files.asked import exists, is_file
from ..files.reading import read_file, read_text
from ..memory import once, tree_of
from .names import local_names
from .search_path import added_folders

_LARGEST = 400_000
_IMPORTED = re.compile(rb"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+)?import[ \t]+\(?([^\n#;]+)", re.MULTILINE)
_STAR = re.compile(r"^[ \t]*from[ \t]+[.\w]+[ \t]+import[ \t]*\(?[ \t]*\*", re.MULTILINE)
_INSTALLED = {"site-packages", "dist-packages"}
"""Folders of installed packages, whose files are nobody's project."""
_FOREIGN = frozenset({*sys.stdlib_module_names, "torch", "torchvision", "numpy", "lightning"})
_HOPS = 5


@dataclass(frozen=True, slots=True)
class Definition:
    """A function or class of a project file, and the dotted name of its module as the script would write it."""

    file: Path
    module: str
    node: ast.FunctionDef | ast.ClassDef


class Neighbours:
    """Looks functions and classes up in the project files that a script imports.

    Modules are sought where Python would find them when the script runs: in its folder and in the folders that it puts on
    ``sys.path`` itself; packages also in the folders above, as for a script that is run from the project's root.
    """

    def __init__(self, path: str, *, known: dict[Path, ast.Module | None] | None = None) -> None:
        self.path = path
        alone = not path or path == "-" or bool(_INSTALLED & set(Path(path).parts))
        self.folder = None if alone else Path(path).parent
        self.extra: list[Path] = []
        self._trees: dict[Path, ast.Module | None] = _trees() if known is None else known
        self._found: dict[str, Definition | None] = {}
        self._training: dict[Path, bool] = {}
        self._files: dict[str, Path | None] = {}

    def may_train(self, data: bytes, depth: int = 2) -> bool:
        """Whether a file with these bytes imports a project file that can hold a training loop; told by the bytes alone."""
        if self.folder is None:
            return False
        for module in imported_modules(data):
            if module.partition(".")[0] in _FOREIGN or (file := self.file(module)) is None:
                continue
            if file not in self._training:
                self._training[file] = False  # guards against recursion
                with contextlib.suppress(OSError):
                    inner = read_file(file)
                    trains = b"backward" in inner and (b"step" in inner or b".grad" in inner)
                    self._training[file] = trains or (depth > 0 and self.beside(file).may_train(inner, depth - 1))
            if self._training[file]:
                return True
        return False

    def beside(self, file: Path) -> Neighbours:
        """The same project as a module of it sees it: what it does not find beside itself, it finds beside the script."""
        other = Neighbours(str(file), known=self._trees)
        other._training = self._training
        other.extra = [*self.extra, *([self.folder] if self.folder is not None else [])]
        return other

    def look_on_path(self, tree: ast.Module) -> None:
        """Take note of the folders that the script, or a file that it imports for that, puts on ``sys.path``."""
        if self.folder is None:
            return
        self._add(added_folders(tree, self.folder))
        for module in _plain_imports(tree):
            file = self.file(module) if module.partition(".")[0] not in _FOREIGN else None
            if file is not None and "sys.path" in self.text(file) and (inner := self.tree(file)) is not None:
                self._add(added_folders(inner, file.parent))

    def _add(self, folders: list[Path]) -> None:
        if new := [folder for folder in folders if folder not in self.extra]:
            self.extra += new
            self._files.clear()

    def definition(self, full: str) -> Definition | None:
        """The function or class that a dotted name such as ``util.adjust_rate`` stands for, through re-exports too."""
        if full not in self._found:
            self._found[full] = self._definition(full, _HOPS)
        return self._found[full]

    def _definition(self, full: str, hops: int) -> Definition | None:
        module, _, name = full.rpartition(".")
        file = self.file(module)
        if file is None or not self._may_define(file, name):
            return None
        if (tree := self.tree(file)) is None:
            return None
        for statement in tree.body:
            if isinstance(statement, ast.FunctionDef | ast.ClassDef) and statement.name == name:
                return Definition(file, module, statement)
        for inner in imported_as(tree, name) if hops > 0 else []:
            found = self.beside(file)._definition(inner, hops - 1)
            seen = absolute_module(module, file, found.module) if found is not None else None
            if found is not None and seen:
                return Definition(found.file, seen, found.node)
        return None

    def variable(self, full: str) -> tuple[Path, str] | None:
        """The project file with a variable such as ``data.loader`` at module level, and its name there, through re-exports."""
        return self._variable(full, _HOPS)

    def _variable(self, full: str, hops: int) -> tuple[Path, str] | None:
        module, _, name = full.rpartition(".")
        file = self.file(module)
        if file is None or not self._may_define(file, name) or (tree := self.tree(file)) is None:
            return None
        if name in local_names(tree) and not _is_imported(tree, name):
            return file, name
        if hops:
            for inner in imported_as(tree, name):
                if (found := self.beside(file)._variable(inner, hops - 1)) is not None:
                    return found
        return None

    def _may_define(self, file: Path, name: str) -> bool:
        """Whether the text of a file has the name, or may bring it in by a star: most of a large package is never parsed."""
        if file in self._trees:
            return True
        text = self.text(file)
        return name in text or ("*" in text and _STAR.search(text) is not None)

    def file(self, module: str) -> Path | None:
        """The project file of a module, None when it is none of the project."""
        if module not in self._files:
            self._files[module] = self._file(module)
        return self._files[module]

    @functools.cached_property
    def _above(self) -> list[Path]:
        """The folders above that of the script, the nearest first."""
        return list(self.folder.resolve().parents) if self.folder is not None else []

    @functools.cached_property
    def _root(self) -> Path | None:
        """The folder from which the package around the script is imported."""
        return _above_package(self.folder) if self.folder is not None else None

    def _file(self, module: str) -> Path | None:
        if self.folder is None or not module:
            return None
        parts = [part for part in module.split(".") if part]
        level = len(module) - len(module.lstrip("."))
        if level:
            folder = self.folder
            for _ in range(level - 1):
                folder = folder.parent
            return _module_file(folder, parts)
        for folder in [self.folder, *self.extra]:
            if (found := _module_file(folder, parts)) is not None:
                return found
        for folder in [self.folder, *self._above[:2]]:  # the layout that keeps packages in src
            if parts[0] not in _FOREIGN and (found := _module_file(folder / "src", parts)) is not None:
                return found
        if len(parts) > 1:  # a package, seen from the project's root
            for folder in self._above[:3]:
                if (found := _module_file(folder, parts)) is not None:
                    return found
        if parts[0] not in _FOREIGN and (root := self._root) is not None:
            return _module_file(root, parts)
        return None

    def text(self, file: Path) -> str:
        """The text of a project file, "" when it cannot be read."""
        return once(text_question(file), lambda: _text(file))

    def tree(self, file: Path) -> ast.Module | None:
        """The parsed text of a project file; None when it cannot be read."""
        if file not in self._trees:
            self._trees[file] = None
            text = self.text(file)
            with contextlib.suppress(SyntaxError, ValueError, RecursionError):
                self._trees[file] = tree_of(text) if text else None
        return self._trees[file]


def text_question(file: Path) -> Hashable:
    """What the run is asked when it is asked for the text of a project file."""
    return "text of a file", file


def _trees() -> dict[Path, ast.Module | None]:
    """The trees of the project's files, one memory for all that look at them in this run."""
    return once("trees of project files", dict)


def _text(file: Path) -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return read_text(file, "utf-8-sig", _LARGEST)
    return ""


def neighbours_of(path: str, tree: ast.Module | None = None) -> Neighbours:
    """The project around a file, one for all that ask in this run; with a tree also on the folders that it puts on ``sys.path``."""
    plain = once(("neighbours", path), lambda: Neighbours(path))
    if tree is None:
        return plain
    return once(("neighbours", path, id(tree)), lambda: _looking(path, tree) or plain)


def _looking(path: str, tree: ast.Module) -> Neighbours | None:
    looking = Neighbours(path)
    looking.look_on_path(tree)
    return once(("neighbours", path, *looking.extra), lambda: looking) if looking.extra else None


def imported_as(tree: ast.Module, name: str) -> list[str]:
    """The dotted names that a name may stand for by the file's own ``from ... import``, stars among them."""
    found = []
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                if (alias.asname or alias.name) in (name, "*"):
                    original = name if alias.name == "*" else alias.name
                    module = "." * statement.level + (statement.module or "")
                    found.append(f"{module}{'' if module.endswith('.') or not module else '.'}{original}")
    return found


def _plain_imports(tree: ast.Module) -> list[str]:
    """The modules that a file imports, by ``import x`` or ``from x import y``, at its top level."""
    found = []
    for statement in tree.body:
        if isinstance(statement, ast.Import):
            found += [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            found.append(statement.module)
    return found


def _is_imported(tree: ast.Module, name: str) -> bool:
    return any(
        (alias.asname or alias.name.partition(".")[0]) == name
        for statement in tree.body
        if isinstance(statement, ast.Import | ast.ImportFrom)
        for alias in statement.names
    )


def imported_modules(data: bytes) -> list[str]:
    """The modules that a file may import, by its import lines alone: ``from a import b`` may mean ``a`` and ``a.b``."""
    found: dict[str, None] = {}
    for origin, names in _IMPORTED.findall(data):
        base = origin.decode("utf-8", "replace")
        if base.strip("."):
            found.setdefault(base)
        for part in names.decode("utf-8", "replace").split(","):
            name = part.split()[0].strip("()\\") if part.split() else ""
            if name and name != "*":
                found.setdefault(name if not base else f"{base}{name}" if base.endswith(".") else f"{base}.{name}")
    return list(found)


def absolute_module(outer: str, file: Path, module: str) -> str | None:
    """A module as another one, ``outer`` in ``file``, names it: as the entry script names it. None when it cannot."""
    level = len(module) - len(module.lstrip("."))
    if not level:
        return module
    package = outer.split(".")
    steps = level - 1 if file.name == "__init__.py" else level
    kept = package[: len(package) - steps]
    rest = module.lstrip(".")
    if outer.startswith(".") and not any(kept):
        return f".{rest}"
    if not any(kept):
        return None
    return f"{'.'.join(kept)}.{rest}" if rest else ".".join(kept)


def _above_package(folder: Path) -> Path | None:
    """The folder from which the package that a folder is gets imported, None for a folder that is no package."""
    root = folder.resolve()
    while is_file(root / "__init__.py") and root.parent != root:
        root = root.parent
    return root if root != folder.resolve() else None


def _module_file(folder: Path, parts: list[str]) -> Path | None:
    """The file of a module below a folder. Paths are texts here: most of what is asked for is not there, and that is asked very often."""
    place = str(folder)
    if len(parts) > 1:
        package = os.path.join(place, parts[0])
        if not once(("is there", package), lambda: exists(package)):  # and so nothing below it
            return None
    stem = os.path.join(place, *parts)
    for candidate in (*([f"{stem}.py"] if parts else ()), os.path.join(stem, "__init__.py")):
        with contextlib.suppress(OSError):
            if is_file(candidate):
                return Path(candidate)
    return None
