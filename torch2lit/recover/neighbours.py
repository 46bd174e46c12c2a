"""Functions and classes of the user's own modules beside the script: read, never imported."""

from __future__ import annotations

import ast
import contextlib
from pathlib import Path


class Neighbours:
    """Looks functions and classes up in the files that a script imports from its own folder."""

    def __init__(self, path: str) -> None:
        self.folder = Path(path).parent if path and path != "-" else None
        self._modules: dict[str, ast.Module | None] = {}

    def definition(self, full: str) -> tuple[str, ast.FunctionDef | ast.ClassDef] | None:
        """The module, and the function or class in it, that a dotted name such as ``util.adjust_rate`` stands for."""
        module, _, name = full.lstrip(".").rpartition(".")
        tree = self._module(module)
        if tree is None:
            return None
        for statement in tree.body:
            if isinstance(statement, ast.FunctionDef | ast.ClassDef) and statement.name == name:
                return module, statement
        return None

    def source(self, module: str) -> str:
        """The text of a module of the folder, "" when it cannot be read."""
        if self.folder is None or not module:
            return ""
        stem = self.folder.joinpath(*module.split("."))
        for candidate in (stem.with_suffix(".py"), stem / "__init__.py"):
            try:
                if candidate.stat().st_size < 400_000:
                    return candidate.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue
        return ""

    def _module(self, name: str) -> ast.Module | None:
        if name not in self._modules:
            self._modules[name] = None
            text = self.source(name)
            with contextlib.suppress(SyntaxError, ValueError, RecursionError):
                self._modules[name] = ast.parse(text) if text else None
        return self._modules[name]
