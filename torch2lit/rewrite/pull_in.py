"""Bring training functions of other project files into the entry script, so that they can be taken apart there.

    from engine import train_one_epoch          from engine import warm_up
                                        →       def train_one_epoch(model, loader, ...): ...
    train_one_epoch(model, loader, ...)         train_one_epoch(model, loader, ...)

The other file stays as it is: other scripts may use it. What the function needs of its own file is imported from there.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

import libcst as cst

from ..files.edits import apply_edits
from ..files.lines import split_lines
from ..memory import tree_of
from ..program import Edit
from ..recover.names import bound_names, free_names, local_names
from ..recover.neighbours import Definition, Neighbours, absolute_module
from ..recover.project_text import other_text
from ..recover.reach import ProjectFiles, Reached, is_evaluation
from ..recover.roles import Roles
from ..recover.syntax import Source, dotted, source_of, walk
from .assemble import without_names
from .rename import rename

_BUILTINS = frozenset(dir(builtins))
OF_PLACE = {"super", "globals", "locals", "vars", "dir", "eval", "exec"}
"""What gives another answer where it stands in another class or file."""


class CannotPullIn(Exception):
    """Why a function cannot stand in the entry script."""


@dataclass
class Pulled:
    """What is to be brought in: functions as source under their names in the entry script, and imports."""

    functions: dict[str, str] = field(default_factory=dict)
    origins: dict[str, Definition] = field(default_factory=dict)
    imports: list[str] = field(default_factory=list)


def pull_in(
    source: Source, roles: Roles, files: ProjectFiles, reached: list[Reached]
) -> tuple[tuple[Edit, ...], Pulled]:
    """Edits of the entry script that bring the reached functions in. Raises CannotPullIn with the reason."""
    puller = _Puller(source, roles, files)
    edits: list[Edit] = []
    for one in reached:
        if not isinstance(one.definition.node, ast.FunctionDef):
            raise CannotPullIn(f"`{one.definition.node.name}` is a class")
        name = puller.function(one.definition)
        edits += puller.call_edit(one.call, name)
    edits += puller.import_edits(reached)
    place = puller.place(reached)
    for line, statements in puller.placed_imports(place):
        edits.append(Edit(line, line, "".join(f"{s}\n" for s in statements)))
    functions = "\n\n".join(puller.pulled.functions.values())
    above, below = _blank_above(source, place, edits), _blank_below(source, place)
    edits.append(Edit(place, place, "\n" * max(0, 2 - above) + functions + "\n" * max(0, 2 - below)))
    return tuple(_merged(edits, source)), puller.pulled


def pull_methods(
    source: Source, roles: Roles, files: ProjectFiles, owner: ast.ClassDef, methods: list[Definition]
) -> tuple[Edit, ...]:
    """Edits that write methods of a class in another file into a class that inherits them. Raises CannotPullIn."""
    puller = _Puller(source, roles, files)
    texts = [puller.method(one, owner) for one in methods]
    body = next((s for s in owner.body if isinstance(s, ast.FunctionDef) and s.name == "__init__"), None)
    line = (body.end_lineno or body.lineno) if body is not None else owner.end_lineno or owner.lineno
    edits = [Edit(line, line, "".join(f"\n{text}" for text in texts))]
    known = [s for s in source.tree.body if isinstance(s, ast.Import | ast.ImportFrom) and s.lineno < owner.lineno]
    if puller.pulled.imports:
        if not known or any(a.name == "*" for s in known for a in s.names):
            raise CannotPullIn("where imports belong is not known")
        last = max((s.end_lineno or s.lineno) for s in known)
        for place, statements in puller.placed_imports(last):
            edits.append(Edit(place, place, "".join(f"{s}\n" for s in statements)))
    return tuple(sorted(edits, key=lambda e: (e.start, e.end)))


def brought_names(
    source: Source, roles: Roles, definition: Definition, before: int
) -> tuple[dict[str, str], tuple[tuple[int, str], ...]]:
    """What the names that code of another file reads are called in the script above a line, and the imports for that by the line after which they belong.

    Raises CannotPullIn where one cannot be known there.
    """
    assert roles.neighbours is not None
    puller = _Puller(source, roles, ProjectFiles(roles, roles.neighbours))
    names = puller.names_outside(definition)
    known = [s for s in source.tree.body if isinstance(s, ast.Import | ast.ImportFrom) and s.lineno < before]
    if not puller.pulled.imports:
        return names, ()
    if not known or any(a.name == "*" for s in known for a in s.names):
        raise CannotPullIn("where imports belong is not known")
    last = max((s.end_lineno or s.lineno) for s in known)
    return names, tuple((line, text) for line, texts in puller.placed_imports(last) for text in texts)


def _blank_above(source: Source, place: int, edits: list[Edit]) -> int:
    """How many blank lines stand above a place once the imports that leave are gone."""
    gone = {line for e in edits if not e.text for line in range(e.start, e.end)}
    count = 0
    for line in reversed(range(place)):
        if line not in gone:
            if source.lines[line].strip():
                break
            count += 1
    return count


def _blank_below(source: Source, place: int) -> int:
    count = 0
    while place + count < len(source.lines) and not source.lines[place + count].strip():
        count += 1
    return count


def without_leftovers(text: str, pulled: Pulled) -> str:
    """The converted script with an import in place of each function that was brought in and then not taken apart."""
    source = source_of(text)
    edits = []
    for name, code in pulled.functions.items():
        left = source.function(name)
        if left is None:
            continue
        start = min([left.lineno, *(d.lineno for d in left.decorator_list)]) - 1
        body = "\n".join(source.lines[start : left.end_lineno]) + "\n"
        if not code.endswith(body):
            continue
        while start > 0 and (source.lines[start - 1].startswith("#") or not source.lines[start - 1].strip()):
            start -= 1
        origin = pulled.origins[name]
        alias = f" as {name}" if name != origin.node.name else ""
        statement = f"from {origin.module} import {origin.node.name}{alias}\n"
        edits.append(Edit(start, left.end_lineno or left.lineno, statement))
    return apply_edits(split_lines(text), edits)


def _merged(edits: list[Edit], source: Source) -> list[Edit]:
    """One edit per line: two calls on one line would overlap."""
    seen: dict[tuple[int, int], Edit] = {}
    for edit in edits:
        place = (edit.start, edit.end)
        if place in seen and edit.start != edit.end:
            raise CannotPullIn(f"line {edit.start + 1} changes twice")
        seen[place] = Edit(edit.start, edit.end, seen[place].text + edit.text) if place in seen else edit
    return sorted(seen.values(), key=lambda e: (e.start, e.end))


class _Puller:
    def __init__(self, source: Source, roles: Roles, files: ProjectFiles) -> None:
        self.source = source
        self.roles = roles
        self.files = files
        self.pulled = Pulled()
        self.names: dict[tuple[str, str], str] = {}

    # ---- functions

    def function(self, definition: Definition) -> str:
        """Bring a function in, and those that it trains with; its name in the entry script."""
        node = definition.node
        assert isinstance(node, ast.FunctionDef)
        key = (str(definition.file), node.name)
        if key in self.names:
            return self.names[key]
        own_import = self.roles.origins.get(node.name, "")
        taken = node.name in self._module_names() and not (
            own_import and self.files.neighbours.definition(own_import) == definition
        )
        name = f"{definition.module.rpartition('.')[2]}_{node.name}" if taken else node.name
        if name != node.name and name in self.source.names:
            raise CannotPullIn(f"the name `{node.name}` is taken")
        self.names[key] = name
        renamed = {node.name: name} if name != node.name else {}
        for free in sorted(self._needs(definition)):
            if (other := self._need(definition, free)) != free:
                renamed[free] = other
        self.pulled.functions[name] = self._text(definition, renamed)
        self.pulled.origins[name] = definition
        return name

    # ---- methods

    def method(self, definition: Definition, owner: ast.ClassDef) -> str:
        """The text of a method as it may stand in another class, once the names that it needs are known there."""
        node = definition.node
        assert isinstance(node, ast.FunctionDef)
        source, _roles = self.files.source(definition.file)
        self._check_method(node, local_names(source.tree))
        for free in sorted(self._needs(definition)):
            self._check_bound_once(source, free)
            if self._need(definition, free) != free or self.pulled.functions:
                raise CannotPullIn(f"`{free}` means something else in the file of `{owner.name}`")
        start = node.lineno - 1
        indent = source.lines[start][: node.col_offset]
        own = owner.body[0]
        if indent != self.source.lines[own.lineno - 1][: own.col_offset] or indent.strip():
            raise CannotPullIn(f"`{node.name}` is indented in another way")
        while start > 0 and source.lines[start - 1].startswith(f"{indent}#"):
            start -= 1
        return "\n".join(source.lines[start : node.end_lineno]) + "\n"

    def names_outside(self, definition: Definition) -> dict[str, str]:
        """What the names that a function reads outside of itself are called in the script; none of them means anything else there."""
        node = definition.node
        assert isinstance(node, ast.FunctionDef)
        source, _roles = self.files.source(definition.file)
        names: dict[str, str] = {}
        for name in sorted(free_names(node)):
            if name not in local_names(source.tree):
                if name not in _BUILTINS or name in self._module_names():
                    raise CannotPullIn(f"`{name}` means something else in another file")
                names[name] = name
                continue
            self._check_bound_once(source, name)
            names[name] = self._need(definition, name)
            if self.pulled.functions:
                raise CannotPullIn(f"`{name}` trains or evaluates itself")
            if not any(text.split()[-1].split(".")[0] == names[name] for text in self.pulled.imports):
                self._check_bound_once(self.source, names[name])
        return names

    def _check_method(self, node: ast.FunctionDef, known: frozenset[str]) -> None:
        if node.decorator_list:
            raise CannotPullIn(f"`{node.name}` is decorated")
        for part in walk(node):
            for name in (getattr(part, "id", ""), getattr(part, "attr", ""), getattr(part, "arg", "")):
                if isinstance(name, str) and name.startswith("__") and not name.endswith("__"):
                    raise CannotPullIn(f"`{node.name}` uses the private name `{name}`")
            if isinstance(part, ast.Global | ast.Nonlocal):
                raise CannotPullIn(f"`{node.name}` binds variables of its file")
            if isinstance(part, ast.Name) and (part.id in OF_PLACE or part.id.startswith("__")):
                raise CannotPullIn(f"`{node.name}` uses `{part.id}`")
        for default in [*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)]:
            if not isinstance(default, ast.Constant | ast.UnaryOp):
                raise CannotPullIn(f"a default of `{node.name}` is made where it is defined")
        for name in sorted(free_names(node)):
            if name in known and name != node.name:
                continue
            if name not in _BUILTINS or name in known or name in self._module_names():
                raise CannotPullIn(f"`{name}` means something else in another file")

    def _check_bound_once(self, source: Source, name: str) -> None:
        """What a name stands for must be said once, by a statement that runs always."""
        makers = [s for s in source.tree.body if name in bound_names([s])]
        if len(makers) != 1 or isinstance(makers[0], ast.If | ast.Try | ast.For | ast.While | ast.With):
            raise CannotPullIn(f"what `{name}` stands for is not known")

    def _module_names(self) -> frozenset[str]:
        return local_names(self.source.tree)

    def _needs(self, definition: Definition) -> set[str]:
        """The names of its own file that a function reads."""
        node = definition.node
        assert isinstance(node, ast.FunctionDef)
        around: list[ast.AST] = [*node.decorator_list, *node.args.defaults]
        around += [d for d in node.args.kw_defaults if d is not None]
        around += [a.annotation for a in walk(node.args) if isinstance(a, ast.arg) and a.annotation is not None]
        around += [node.returns] if node.returns is not None else []
        names = set(free_names(node)) | {n.id for part in around for n in walk(part) if isinstance(n, ast.Name)}
        source, _roles = self.files.source(definition.file)
        return {n for n in names if n in local_names(source.tree) and n != node.name}

    def _need(self, definition: Definition, name: str) -> str:
        """Make a name of the function's file known in the entry script; what it is called there."""
        source, roles = self.files.source(definition.file)
        own = source.function(name)
        if own is not None and roles.key(source.tree, name) is not None:
            inner = Definition(definition.file, definition.module, own)
            if self.files.trains(inner) or is_evaluation(own):
                return self.function(inner)
        if name in roles.origins:
            return self._need_import(definition, name)
        if own is None and name not in source.classes:
            self._refuse_changing(source, roles, name)
        if self._is_set_from_outside(definition.module, name):
            raise CannotPullIn(f"it uses `{name}`, which other code sets in `{definition.module}`")
        return self._import(definition, f"from {definition.module} import {name}", name, f"{definition.module}.{name}")

    def _refuse_changing(self, source: Source, roles: Roles, name: str) -> None:
        declared = any(name in node.names for node in source.all(ast.Global))
        if declared or len(roles.bindings((source.tree, name))) != 1:
            raise CannotPullIn(f"it uses `{name}`, a variable of its file that changes")

    def _is_set_from_outside(self, module: str, name: str) -> bool:
        """Whether the script or another file binds a name of a module anew, as ``engine.scale = 0.5`` does: an import of it would not see that."""
        text = f"{self.source.text}\n{other_text(self.files.neighbours.path)}"
        last = re.escape(module.rpartition(".")[2])
        called = {last, *re.findall(rf"\b{last}\s+as\s+(\w+)", text)}
        owner, named = "|".join(sorted(called)), re.escape(name)
        stored = rf"\b(?:{owner})\.{named}\s*(?:[-+*/%|&^@]|//|\*\*|<<|>>)?=(?!=)"
        by_name = rf"\b(?:setattr|patch\w*)\([^()]*\b(?:{owner})\b[^()]*[\"'.]{named}[\"']"
        return re.search(f"{stored}|{by_name}", text) is not None

    def _need_import(self, definition: Definition, name: str) -> str:
        source, roles = self.files.source(definition.file)
        inner = self.files.neighbours.beside(definition.file).definition(roles.origins[name])
        if inner is not None and isinstance(inner.node, ast.FunctionDef) and self.files.trains(inner):
            return self.function(Definition(inner.file, _absolute(definition, inner.module), inner.node))
        for node in walk(source.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if (alias.asname or alias.name.split(".")[0]) == name:
                        text = f"import {alias.name}" + (f" as {alias.asname}" if alias.asname else "")
                        return self._import(definition, text, name, alias.name if alias.asname else name)
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        module = _absolute(definition, "." * node.level + (node.module or ""))
                        text = f"from {module} import {alias.name}" + (f" as {alias.asname}" if alias.asname else "")
                        return self._import(definition, text, name, f"{module}.{alias.name}")
        raise CannotPullIn(f"where `{name}` comes from is not known")

    def _import(self, definition: Definition, text: str, name: str, origin: str) -> str:
        """Import a thing under its name, or under another one where the entry script means something else by it."""
        known = self.roles.origins.get(name)
        if known is not None and known.lstrip(".") == origin.lstrip("."):
            return name
        if name in self._module_names():
            head, _, imported = text.removesuffix(f" as {name}").rpartition(" ")
            if text.startswith("import ") and not text.endswith(f" as {name}"):
                raise CannotPullIn(f"`{name}` means something else in the entry script")
            name = f"{definition.module.rpartition('.')[2]}_{name}"
            if name in self.source.names:
                raise CannotPullIn(f"the name `{name}` is taken")
            text = f"{head} {imported} as {name}"
        if text not in self.pulled.imports:
            self.pulled.imports.append(text)
        return name

    def _text(self, definition: Definition, renamed: dict[str, str]) -> str:
        source, _roles = self.files.source(definition.file)
        node = definition.node
        start = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
        while start > 0 and source.lines[start - 1].startswith("#"):
            start -= 1
        text = "\n".join(source.lines[start : node.end_lineno]) + "\n"
        if renamed:
            module = cst.parse_module(text)
            body = [rename(part, renamed) for part in module.body]
            if (name := renamed.get(node.name)) is not None:
                body = [p.with_changes(name=cst.Name(name)) if isinstance(p, cst.FunctionDef) else p for p in body]
            text = module.with_changes(body=body).code
        return text

    # ---- the entry script

    def call_edit(self, call: ast.Call, name: str) -> list[Edit]:
        """The call under the function's name in the entry script."""
        function = call.func
        if dotted(function) == name:
            return []
        if function.lineno != function.end_lineno:
            raise CannotPullIn("the call's name stands on several lines")
        line = self.source.lines[function.lineno - 1].encode()
        changed = line[: function.col_offset] + name.encode() + line[function.end_col_offset :]
        return [Edit(function.lineno - 1, function.lineno, changed.decode() + "\n")]

    def import_edits(self, reached: list[Reached]) -> list[Edit]:
        """Imports whose name is the function itself now, or is not needed any more, leave."""
        calls = {id(n) for one in reached for n in walk(one.call.func)}
        edits = []
        for statement in self.source.tree.body:
            if not isinstance(statement, ast.Import | ast.ImportFrom):
                continue
            gone = set()
            for alias in statement.names:
                name = (alias.asname or alias.name).split(".")[0]
                if not any(name == dotted(one.call.func).partition(".")[0] for one in reached):
                    continue
                used = any(
                    isinstance(n, ast.Name) and n.id == name and id(n) not in calls for n in walk(self.source.tree)
                )
                if name in self.pulled.functions or (not used and self._is_quiet(statement, alias)):
                    gone.add(name)
            if gone:
                edit = without_names(self.source, statement, gone)
                if edit is None:
                    raise CannotPullIn(f"the import in line {statement.lineno} shares its line")
                edits.append(edit)
        return edits

    def _is_quiet(self, statement: ast.Import | ast.ImportFrom, alias: ast.alias) -> bool:
        """Whether importing the module does nothing but define: leaving it out changes nothing."""
        if isinstance(statement, ast.Import):
            file = self.files.neighbours.file(alias.name)
        else:
            module = "." * statement.level + (statement.module or "")
            inside = f"{module}.{alias.name}" if module.strip(".") else f"{module}{alias.name}"
            file = self.files.neighbours.file(inside) or self.files.neighbours.file(module)
        return file is not None and _is_quiet_file(self.files.neighbours, file, 3)

    def placed_imports(self, last: int) -> list[tuple[int, list[str]]]:
        """The new imports by the line after which they belong: the standard library's, others', the project's."""
        known = [s for s in self.source.tree.body if isinstance(s, ast.Import | ast.ImportFrom) and s.lineno <= last]
        places: dict[int, list[str]] = {}
        for text in sorted(self.pulled.imports):
            kind = self._kind(tree_of(text).body[0])
            same = [s for s in known if self._kind(s) <= kind and not _is_future(s)]
            first = min((s.lineno - 1 for s in known if not _is_future(s)), default=last)
            line = max(((s.end_lineno or s.lineno) for s in same), default=first)
            places.setdefault(line, []).append(text)
        return sorted(places.items())

    def _kind(self, statement: ast.stmt) -> int:
        module = ""
        if isinstance(statement, ast.Import):
            module = statement.names[0].name
        elif isinstance(statement, ast.ImportFrom):
            module = "." * statement.level + (statement.module or "")
        if module.partition(".")[0] in sys.stdlib_module_names:
            return 0
        return 2 if self.files.neighbours.file(module) is not None else 1

    def place(self, reached: list[Reached]) -> int:
        """The line after the last import that stands before the calls and the functions that hold them."""
        first = min(self._outermost(one.call).lineno for one in reached)
        imports = [s for s in self.source.tree.body if isinstance(s, ast.Import | ast.ImportFrom) and s.lineno < first]
        return max((s.end_lineno or s.lineno) for s in imports)

    def _outermost(self, node: ast.AST) -> ast.stmt:
        current: ast.AST = node
        while self.source.parents[current] is not self.source.tree:
            current = self.source.parents[current]
        assert isinstance(current, ast.stmt)
        return current


def _absolute(definition: Definition, module: str) -> str:
    found = absolute_module(definition.module, definition.file, module)
    if found is None:
        raise CannotPullIn(f"`{definition.file.name}` imports from a package that the entry script cannot name")
    return found


def _is_quiet_file(neighbours: Neighbours, file: Path, depth: int) -> bool:
    """Whether running the file only defines things, and so do the project files that it imports."""
    tree = neighbours.tree(file)
    if tree is None or depth < 0 or not all(_only_defines(s) for s in tree.body):
        return False
    inside = neighbours.beside(file)
    names = [a.name for s in tree.body if isinstance(s, ast.Import) for a in s.names]
    names += ["." * s.level + (s.module or "") for s in tree.body if isinstance(s, ast.ImportFrom)]
    found = [inner for name in names if (inner := inside.file(name)) is not None]
    return all(_is_quiet_file(neighbours, inner, depth - 1) for inner in found)


def _is_future(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def _only_defines(statement: ast.stmt) -> bool:
    match statement:
        case ast.Import() | ast.ImportFrom() | ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return True
        case ast.Expr(value=ast.Constant()) | ast.Pass():
            return True
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
            return not any(isinstance(n, ast.Call | ast.Await) for n in ast.walk(value))
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
            return True
    return False
