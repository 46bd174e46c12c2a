"""The names of a module that other files of its project use: they must be there after a conversion, too.

from engine import train        import engine                     from engine import *
from .engine import train       engine.train(...)                 train(...)
                                getattr(engine, "train")(...)
"""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..files.asked import exists, is_file
from ..files.reading import read_text
from ..memory import once, tree_of
from ..trees import all_of
from .neighbours import Neighbours, neighbours_of
from .project_text import IMPORTED, files_below, module_name
from .syntax import dotted, remembered, walk

_ROOT_MARKS = (".git", "pyproject.toml", "setup.py", "setup.cfg", "requirements.txt")
_LINE_END = "\\n"
"""The end of a line in the JSON of a notebook."""
_CONTINUED = "\\\\" + _LINE_END
"""A line there that goes on in the next one."""
_HIGHEST = 4
_LARGEST = 400_000
_LARGEST_NOTEBOOK = 8_000_000


def wanted_elsewhere(path: str, changed: Mapping[Path, str] | None = None) -> dict[str, Path]:
    """The names that other files take from the module at a path, each with the first file that does.

    ``changed`` has files whose text is about to be another one.
    """
    return {name: files[0] for name, files in takers(path, changed).items()}


@dataclass(frozen=True, slots=True)
class WantedNames:
    """The names that other files take from the module at a path: no other file is looked at before somebody asks for one."""

    path: str

    def __contains__(self, name: object) -> bool:
        return name in takers(self.path)


def takers(path: str, changed: Mapping[Path, str] | None = None) -> dict[str, list[Path]]:
    """The same, each name with all files that take it, the nearest to the project's root first."""
    if changed:
        return _takers(path, changed)
    return once(("takers of names", path), lambda: _takers(path, {}))


def _takers(path: str, changed: Mapping[Path, str]) -> dict[str, list[Path]]:
    if not path or path == "-" or not is_file(own := Path(path)) or own.suffix != ".py":
        return {}
    own = own.resolve()
    name = module_name(own)
    found: dict[str, list[Path]] = {}
    for file in files_below(_root(own), (".py", ".ipynb")):
        if file.name == own.name and file.resolve() == own:
            continue
        text = changed.get(file.resolve()) if changed else None
        text = _read(file) if text is None else text
        if name in text and _may_import(file, text, name) and (tree := _parsed(file, text)) is not None:
            for taken in dict.fromkeys(_taken(tree, own, name, file)):
                found.setdefault(taken, []).append(file)
    return found


def _may_import(file: Path, text: str, name: str) -> bool:
    """Whether the text of a file may import a module of this name: most files of a project need no parsing then."""
    imported = re.compile(IMPORTED.format(re.escape(name)))
    if file.suffix == ".py":
        return imported.search(text) is not None
    if _CONTINUED in text:
        return re.search(rf"\b{re.escape(name)}\b", text) is not None
    return imported.search(text.replace(_LINE_END, "\n")) is not None


@remembered
def names_of_module(tree: ast.Module) -> frozenset[str]:
    """What importing a file may bind at its top level, in blocks as well."""
    found: set[str] = set()
    left: list[ast.AST] = list(tree.body)
    while left:
        node = left.pop()
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
                continue
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found |= {(a.asname or a.name).partition(".")[0] for a in names}
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.Lambda():
                continue
            case ast.If(test=test) if _is_main(test):
                left += node.orelse
                continue
        left += ast.iter_child_nodes(node)
    return frozenset(found | {n for d in all_of(tree, ast.Global) for n in d.names})


def _is_main(test: ast.expr) -> bool:
    """Whether a block runs only in the script that is started: no other file gets a name from there."""
    return isinstance(test, ast.Compare) and dotted(test.left) == "__name__"


def _root(own: Path) -> Path:
    """The folder of the project: the nearest above that looks like one, else that of the file or of its package."""
    folder = own.parent
    while is_file(folder / "__init__.py") and folder.parent != folder:
        folder = folder.parent
    for above in [own.parent, *list(own.parents)[1:_HIGHEST]]:
        if any(exists(above / mark) for mark in _ROOT_MARKS):
            return above if folder.is_relative_to(above) else folder
    return folder


def _read(file: Path) -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return read_text(file, "utf-8-sig", _LARGEST if file.suffix == ".py" else _LARGEST_NOTEBOOK)
    return ""


def _parsed(file: Path, text: str) -> ast.Module | None:
    from ..files.errors import SourceError

    with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError, SourceError):
        if file.suffix == ".ipynb":
            from ..files.notebooks import NotebookSource

            text = NotebookSource(text).text
        return tree_of(text)
    return None


def _taken(tree: ast.Module, own: Path, name: str, file: Path) -> Iterator[str]:
    modules: set[str] = set()

    def is_own(module: str) -> bool:
        return _is(own, neighbours_of(str(file), tree), module)

    for node in walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.rpartition(".")[2] == name and is_own(alias.name):
                    modules.add(alias.asname or alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            if module.strip(".").rpartition(".")[2] == name or not module.strip("."):
                if module.strip(".") and is_own(module):
                    taken = [alias.name for alias in node.names]
                    yield from _names_read(tree) if "*" in taken else taken
            for alias in node.names:
                inner = f"{module}{'' if module.endswith('.') else '.'}{alias.name}"
                if alias.name == name and is_own(inner):
                    modules.add(alias.asname or alias.name)
    if modules:
        yield from _attributes(tree, modules)


def _is(own: Path, neighbours: Neighbours, module: str) -> bool:
    """Whether a module is the file; one that is not found, by a path made at run time perhaps, may be."""
    found = neighbours.file(module)
    return found is None or found.resolve() == own


def _names_read(tree: ast.Module) -> Iterable[str]:
    return sorted({n.id for n in walk(tree) if isinstance(n, ast.Name)})


def _attributes(tree: ast.Module, modules: set[str]) -> Iterator[str]:
    for node in walk(tree):
        match node:
            case ast.Attribute(value=owner, attr=attribute) if dotted(owner) in modules:
                yield attribute
            case ast.Call(
                func=ast.Name(id="getattr" | "hasattr" | "setattr"),
                args=[owner, ast.Constant(value=str(attribute)), *_],
            ) if dotted(owner) in modules:
                yield attribute
            case ast.Call(
                func=ast.Attribute(attr="object" | "setattr"), args=[owner, ast.Constant(value=str(attribute)), *_]
            ) if dotted(owner) in modules:
                yield attribute
            case ast.Constant(value=str(text)) if "." in text and text.rpartition(".")[0] in modules:
                yield text.rpartition(".")[2]
