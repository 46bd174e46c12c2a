"""The block of a script that goes on from a file, understood statement by statement.

if args.resume:
    checkpoint = torch.load(args.resume)
    start_epoch = checkpoint["epoch"]
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    print("going on from", args.resume)
for epoch in range(start_epoch, args.epochs):
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..recover.loops import Iterable
from ..recover.nest import Nest
from ..recover.role import Role
from ..recover.roles import Roles
from ..recover.syntax import walk

_LOADED = {Role.MODEL, Role.OPTIMIZER, Role.SCHEDULER, Role.SCALER}
_ARE_FILES = {"os.path.isfile", "os.path.exists"}


class Stays(Exception):
    """Why the script goes on from its own files itself, and the line."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line, self.reason = line, reason


@dataclass(frozen=True, slots=True)
class Start:
    """The first epoch as the loop's range names it: by a variable of a known start value, or by an option."""

    node: ast.expr
    fresh: int
    made: ast.stmt | None
    """The statement that starts the variable; None for an option, which the script may be told."""


@dataclass
class Block:
    """The block: the path for ``ckpt_path``, what goes of it, and the statements that set an option's first epoch."""

    statement: ast.If
    start: Start
    numbers: ast.Call
    path: str = ""
    gone: list[ast.stmt] = field(default_factory=list)
    unsaid: list[ast.stmt] = field(default_factory=list)
    """What is printed of the file and is not printed any more; part of ``gone``."""
    set_back: list[ast.stmt] = field(default_factory=list)


def find_block(nest: Nest, roles: Roles) -> Block | None:
    """The block of a training, None when it has none. Raises Stays when it has one that does more."""
    epochs = nest.epochs
    if epochs is None or epochs.kind is not Iterable.RANGE or not isinstance(epochs.base, ast.Call):
        return None
    match epochs.base:
        case ast.Call(args=[ast.Name() | ast.Attribute(value=ast.Name()) as first, _], keywords=[]):
            pass
        case _:
            return None
    above = [s for s in nest.entry.scope.body if s.lineno < nest.outermost.lineno]
    blocks = [s for s in above if any(_same(t, first) for t in _targets(s)) and _calls(s, roles, "torch.load")]
    if len(blocks) != 1 or not isinstance(blocks[0], ast.If) or nest.outermost not in nest.entry.scope.body:
        return None
    if not hasattr(epochs.base.func, "lineno"):
        return None
    found = Block(blocks[0], _start(first, blocks[0], nest, roles), epochs.base)
    reader = _Reader(found, nest, roles)
    reader.read()
    between = [s for s in above if s.lineno > found.statement.lineno]
    for statement in between:
        if not _may_come_first(statement, reader.loaded, roles):
            raise Stays(statement.lineno, f"line {statement.lineno} needs what is loaded before the training begins")
    return found


def _may_come_first(statement: ast.stmt, loaded: set[str], roles: Roles) -> bool:
    """Whether a statement between the block and the loop does the same without what is loaded: the Trainer loads it later."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call()):
            if roles.role(roles.source.scope_of(statement), name) in (Role.OPTIMIZER, Role.SCHEDULER):
                return not any(isinstance(n, ast.Call) and _own(n, roles) is not None for n in walk(statement))
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(), attr="to" | "cuda" | "train"))):
            return True
    seen: set[ast.AST] = set()
    queue: list[ast.AST] = [statement]
    while queue:
        part = queue.pop()
        if part in seen:
            continue
        seen.add(part)
        for node in walk(part):
            if isinstance(node, ast.Name) and node.id in loaded:
                return False
            if isinstance(node, ast.Call) and (function := _own(node, roles)) is not None:
                queue.append(function)
    return True


def _own(call: ast.Call, roles: Roles) -> ast.AST | None:
    """The function of the file that is called."""
    return roles.source.function(call.func.id) if isinstance(call.func, ast.Name) else None


def _start(first: ast.expr, block: ast.If, nest: Nest, roles: Roles) -> Start:
    """How the first epoch is named. Raises Stays when something else needs its number."""
    source, scope = roles.source, nest.entry.scope
    text, line = source.segment(first), block.lineno
    if isinstance(first, ast.Name):
        key = roles.key(scope, first.id)
        same = [n for n in source.all(ast.Name) if n.id == first.id and roles.key(source.scope_of(n), n.id) == key]
        inside = {id(n) for n in walk(block)}
        others = [n for n in same if id(n) not in inside and n is not first]
        made = source.statement_of(others[0]) if len(others) == 1 else None
        match made:
            case ast.Assign(targets=[ast.Name()], value=ast.Constant(value=int() as fresh)) if made in scope.body:
                return Start(first, fresh, made)
        raise Stays(line, f"`{text}` is more than the first epoch: something else reads or sets it")
    assert isinstance(first, ast.Attribute)
    option = _default(first.attr, roles)
    read = [n for n in source.all(ast.Attribute) if n.attr == first.attr and n is not first]
    inside = {id(n) for n in walk(block)}
    if option is None or any(id(n) not in inside for n in read):
        raise Stays(line, f"`{text}` is more than the first epoch: something else reads or sets it")
    return Start(first, option, None)


def _default(attribute: str, roles: Roles) -> int | None:
    """The default of the one option that an attribute is."""
    found = []
    for call in roles.source.all(ast.Call):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "add_argument" and call.args:
            names = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            if f"--{attribute.replace('_', '-')}" in names or f"--{attribute}" in names:
                found.append(next((k.value for k in call.keywords if k.arg == "default"), None))
    match found:
        case [ast.Constant(value=int() as number)]:
            return None if isinstance(number, bool) else number
    return None


class _Reader:
    """Understands the statements of a block one by one."""

    def __init__(self, found: Block, nest: Nest, roles: Roles) -> None:
        self.found, self.roles, self.source = found, roles, roles.source
        self.scope = nest.entry.scope
        self.file: ast.expr | None = None
        self.checkpoint = ""
        self.loaded: set[str] = set()
        """What the file gives another state or value."""
        self.texts: set[str] = set()
        """Names that only say where to put what is loaded."""
        self.tested = False

    def read(self) -> None:
        """Sort the statements. Raises Stays."""
        block = self.found.statement
        plain = self._asks(block.test)
        if block.orelse:
            raise Stays(block.lineno, "the block has an `else`")
        self._block(block.body)
        if self.file is None or not self.checkpoint:
            raise Stays(block.lineno, "it does not load a file")
        self._check_names()
        path = self.source.segment(self.file)
        if self.tested:
            test = f"{path} and " if plain == "truth" else f"{path} is not None and " if plain == "none" else ""
            self.found.path = f"{path} if {test}{self._is_file} else None"
        else:
            self.found.path = path if plain == "none" else f"{path} or None"

    def _asks(self, test: ast.expr) -> str:
        """What the block asks of the file's name: whether there is one, or such a file. Raises Stays."""
        match test:
            case ast.Name() | ast.Attribute(value=ast.Name()):
                self.file = test
                return "truth"
            case ast.Compare(
                left=ast.Name() | ast.Attribute(value=ast.Name()) as name,
                ops=[op],
                comparators=[ast.Constant() as other],
            ) if (isinstance(op, ast.IsNot) and other.value is None) or (
                isinstance(op, ast.NotEq) and other.value == ""
            ):
                self.file = name
                return "none" if other.value is None else "truth"
            case ast.Call(args=[ast.Name() | ast.Attribute(value=ast.Name()) as name], keywords=[]):
                if self.roles.full_name(test.func) in _ARE_FILES:
                    self.file, self.tested, self._is_file = name, True, self.source.segment(test)
                    return ""
        raise Stays(test.lineno, "it asks for more than the name of a file")

    def _block(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            self._statement(statement)

    def _statement(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.If):
            self._if(statement)
        elif isinstance(statement, ast.Assert | ast.Pass):
            return
        elif not (self._loads(statement) or self._sets(statement) or self._says(statement)):
            line = statement.lineno
            raise Stays(
                line,
                f"`{self.source.lines[line - 1].strip()}` in line {line} is more than loading what a checkpoint holds",
            )

    def _if(self, statement: ast.If) -> None:
        match statement.test:
            case ast.Call(args=[name], keywords=[]) if (
                self.roles.full_name(statement.test.func) in _ARE_FILES
                and self.file is not None
                and _same(name, self.file)
            ):
                if self.tested or not all(self._only_says(s) for s in statement.orelse):
                    raise Stays(statement.lineno, "it does something else without the file")
                self.tested, self._is_file = True, self.source.segment(statement.test)
                self._block(statement.body)
                return
        before = len(self.found.gone)
        self._block(statement.body)
        self._block(statement.orelse)
        inside = [n for n in walk(statement) if isinstance(n, ast.stmt) and not isinstance(n, ast.If)]
        if len(self.found.gone) - before != len(inside) or any(isinstance(n, ast.Call) for n in walk(statement.test)):
            raise Stays(statement.lineno, f"line {statement.lineno} asks for something else")
        self.found.gone.append(statement)

    def _loads(self, statement: ast.stmt) -> bool:
        """Whether a statement loads the file, or puts what is loaded into an object of the training."""
        gone = False
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=function, args=[path, *_])) if (
                self.roles.full_name(function) == "torch.load"
            ):
                gone = self.file is not None and _same(path, self.file) and self.checkpoint in ("", name)
                self.checkpoint = name
            case ast.Expr(
                value=ast.Call(
                    func=ast.Attribute(value=ast.Name(id=owner), attr="load_state_dict"), args=[state], keywords=[]
                )
            ):
                gone = self._is_part(state) and self.roles.role(self.scope, owner) in _LOADED
                self.loaded.add(owner)
            case ast.Delete(targets=[ast.Name(id=name)]):
                gone = name == self.checkpoint
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.JoinedStr() | ast.Constant() | ast.Call() as value):
                gone = self._is_text(value)
                self.texts |= {name} if gone else set()
        self.found.gone += [statement] if gone else []
        return gone

    def _is_text(self, value: ast.expr) -> bool:
        match value:
            case ast.JoinedStr() | ast.Constant(value=str()):
                return not any(isinstance(n, ast.Call) for n in walk(value))
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str()), attr="format"), args=arguments):
                return not any(isinstance(n, ast.Call) for a in arguments for n in walk(a))
        return False

    def _sets(self, statement: ast.stmt) -> bool:
        """Whether a statement takes the first epoch or a number of the loop's from the file."""
        match statement:
            case ast.Assign(targets=[target], value=value) if self._is_part(value):
                if _same(target, self.found.start.node):
                    (self.found.gone if self.found.start.made is not None else self.found.set_back).append(statement)
                    return True
                if isinstance(target, ast.Name) and self._starts_above(target.id):
                    self.loaded.add(target.id)
                    self.found.gone.append(statement)
                    return True
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.Call(func=ast.Attribute(value=ast.Name(id=same), attr="to" | "item")),
            ) if name == same and self._starts_above(name):
                self.found.gone.append(statement)
                return True
        return False

    def _starts_above(self, name: str) -> bool:
        """Whether a name has a value of its own without the file."""
        key = self.roles.key(self.scope, name)
        bound = self.roles.bindings(key) if key is not None else []
        return any(b.value.lineno < self.found.statement.lineno for b in bound)

    def _is_part(self, value: ast.expr) -> bool:
        """``checkpoint["epoch"]``, ``checkpoint["epoch"] + 1``, ``checkpoint.get("best", 0)``."""
        match value:
            case ast.BinOp(left=inner, op=ast.Add() | ast.Sub(), right=ast.Constant()):
                return self._is_part(inner)
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant()):
                return name == self.checkpoint != ""
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="get"), args=arguments, keywords=[]):
                return name == self.checkpoint != "" and all(isinstance(a, ast.Constant) for a in arguments)
        return False

    def _only_says(self, statement: ast.stmt) -> bool:
        """Whether a statement prints something and does nothing else."""
        match statement:
            case ast.Expr(value=ast.Call(func=ast.Name(id="print"), args=arguments)):
                calls = [n for a in arguments for n in walk(a) if isinstance(n, ast.Call)]
                return all(isinstance(c.func, ast.Attribute) and c.func.attr == "format" for c in calls)
        return False

    def _says(self, statement: ast.stmt) -> bool:
        if not self._only_says(statement):
            return False
        names = {n.id for n in walk(statement) if isinstance(n, ast.Name)}
        text = self.source.segment(self.found.start.node)
        set_here = {t.id for s in self.found.gone for t in _targets(s) if isinstance(t, ast.Name)}
        read = any(self.source.segment(n) == text for n in walk(statement) if isinstance(n, ast.Attribute))
        if names & {self.checkpoint, text, *set_here} or read:
            self.found.gone.append(statement)
            self.found.unsaid.append(statement)
        return True

    def _check_names(self) -> None:
        """Nothing outside the block may need what is loaded in it. Raises Stays."""
        inside = {id(n) for n in walk(self.found.statement)}
        for name in self.source.all(ast.Name):
            if name.id in {self.checkpoint, *self.texts} and id(name) not in inside:
                if self.source.scope_of(name) is self.scope and name.lineno > self.found.statement.lineno:
                    raise Stays(name.lineno, f"`{name.id}` is read in line {name.lineno}, behind the block")


def _targets(statement: ast.stmt) -> Iterator[ast.expr]:
    for node in walk(statement):
        if isinstance(node, ast.Assign):
            yield from node.targets


def _calls(statement: ast.stmt, roles: Roles, name: str) -> bool:
    return any(isinstance(n, ast.Call) and roles.full_name(n.func) == name for n in walk(statement))


def _same(one: ast.AST, other: ast.AST) -> bool:
    """Whether two expressions are one name or attribute, read or bound."""
    match one, other:
        case ast.Name(id=a), ast.Name(id=b):
            return a == b
        case ast.Attribute(value=inner, attr=a), ast.Attribute(value=outer, attr=b):
            return a == b and _same(inner, outer)
    return False
