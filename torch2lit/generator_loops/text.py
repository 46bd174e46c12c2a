"""The text of a program with the code of generators in the loops that run through them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import libcst as cst

from ..files.lines import dominant_newline, split_lines
from ..recover.names import target_names
from ..recover.roles import Roles
from ..recover.syntax import walk
from ..rewrite.rename import rename
from .found import GeneratorLoop, names_of
from .parts import Parts


@dataclass(frozen=True, slots=True)
class Opened:
    """The text, and for each of its lines that is one of the raw text its number there."""

    text: str
    lines: dict[int, int]


def opened(roles: Roles, found: Sequence[GeneratorLoop]) -> Opened:
    """The program in which each of the loops runs over what its generator runs over."""
    source = roles.source
    lines, newline = split_lines(source.text), dominant_newline(source.text)
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += newline
    above: dict[int, list[str]] = {}
    instead: dict[int, list[str]] = {}
    below: dict[int, list[str]] = {}
    for one in found:
        writer = _Writer(roles, one)
        head = range(one.loop.lineno, (one.loop.iter.end_lineno or one.loop.lineno) + 1)
        instead |= {number: [] for number in head}
        instead[head[0]] = writer.head(lines[head[-1] - 1])
        below.setdefault(one.loop.end_lineno or one.loop.lineno, [])[:0] = writer.end()
        for place, statement in one.imports:
            known = above.setdefault(place + 1, [])
            known += [statement] if statement not in known else []
    text: list[str] = []
    origins: dict[int, int] = {}
    for number, line in enumerate(lines, start=1):
        text += [f"{new}{newline}" for new in above.get(number, ())]
        for own in instead.get(number, [line]):
            text.append(f"{own.replace(_MARK, '', 1)}{newline}" if number in instead else own)
            if number not in instead or _MARK in own:
                origins[len(text)] = number
        text += [f"{new}{newline}" for new in below.get(number, ())]
    return Opened("".join(text), origins)


_MARK = "\x00"
"""Stands before the head of the loop itself among its new lines."""


class _Writer:
    """The new lines of one loop."""

    def __init__(self, roles: Roles, one: GeneratorLoop) -> None:
        self.roles = roles
        self.one = one
        self.parts = one.parts
        self.twins = one.called.roles.source.twins
        self.names = dict(one.given.names)
        line = roles.source.lines[one.loop.lineno - 1].encode()
        first = roles.source.lines[one.loop.body[0].lineno - 1].encode()
        self.outside = line[: one.loop.col_offset].decode()
        self.inside = first[: one.loop.body[0].col_offset].decode()
        self.target, self.iterated, self.handed = self._loop()

    # ---- the loop's head and what is handed over

    def _loop(self) -> tuple[str, str, list[str]]:
        """The loop's target and what it runs over, and the statements in the place of the `yield`."""
        one, parts = self.one, self.parts
        over, target = parts.loop.iter, parts.loop.target
        handed: list[str] = []
        counts = ""
        if one.counter is not None:
            own = _own_counter(self.one.called.roles, parts)
            if own is None:
                counts = f"{one.counter.id}, "
            elif self._may_be_called(own, one.counter):
                self.names[own.id] = one.counter.id
            else:
                handed.append(f"{one.counter.id} = {self.names.get(own.id, own.id)}")
        text = self._handed_over(target)
        if text is None:
            if not self._is_called_alike():
                handed.append(f"{_without_brackets(self.roles.source.segment(one.target))} = {self._code(parts.value)}")
            text = self._code(target)
        iterated = self._code(over)
        if counts:
            text, iterated = f"{counts}{_in_brackets(text)}", f"enumerate({iterated})"
        return text, iterated, handed

    def _handed_over(self, target: ast.expr) -> str | None:
        """The target of the loop when it may bind what the caller's own loop does: the batch goes through as it comes."""
        one, parts = self.one, self.parts
        given = names_of(parts.value)
        if names_of(one.target) is None or given is None or parts.passes_over or self._is_watched():
            return None
        mentions = [n.id for n in parts.nodes if isinstance(n, ast.Name) and n.id in given]
        if len(mentions) != 2 * len(given) or len({*given}) != len(given):
            return None
        own = self.roles.source.segment(one.target)
        if _same(target, parts.value):
            return own
        if isinstance(target, ast.Tuple):
            texts = []
            for element in target.elts:
                texts.append(_in_brackets(own) if _same(element, parts.value) else self._code(element))
            if sum(_same(element, parts.value) for element in target.elts) == 1:
                return ", ".join(texts)
        return None

    def _is_watched(self) -> bool:
        """Whether code between the batch and the caller's own loop may see whether its names are bound already."""
        if not self.parts.ahead:
            return False
        scope, names = self.one.scope, target_names(self.one.loop.target)
        if any(self.roles.key(scope, name) != (scope, name) for name in names) or isinstance(scope, ast.Module):
            return True
        if any(isinstance(a, ast.Try) for a in self.roles.source.ancestors(self.one.loop)):
            return True
        inner = (n for n in walk(scope) if isinstance(n, ast.Lambda | ast.FunctionDef) and n is not scope)
        return any(isinstance(n, ast.Name) and n.id in names for f in inner for n in walk(f))

    def _is_called_alike(self) -> bool:
        """Whether the generator's own name for a batch may be the caller's."""
        value, target = self.parts.value, self.one.target
        if not isinstance(value, ast.Name) or not isinstance(target, ast.Name) or self.parts.passes_over:
            return False
        if self._is_watched() or value.id not in (names_of(self.parts.loop.target) or []):
            return False
        if not self._may_be_called(value, target):
            return False
        self.names[value.id] = target.id
        return True

    def _may_be_called(self, own: ast.Name, name: ast.Name) -> bool:
        """Whether a name of the generator's loop may be one of the caller's: both are bound by their loops alone."""
        stored = [n for n in self.parts.nodes if isinstance(n, ast.Name) and n.id == own.id]
        if sum(not isinstance(n.ctx, ast.Load) for n in stored) != 1:
            return False
        inside = [n for s in self.one.loop.body for n in walk(s) if isinstance(n, ast.Name) and n.id == name.id]
        if any(not isinstance(n.ctx, ast.Load) for n in inside):
            return False
        return not isinstance(self.one.scope, ast.Module) and not self._is_watched()

    # ---- the text of statements

    def head(self, last: str) -> list[str]:
        """What runs before the loop, its head, and what runs before each batch; ``last`` is the head's last raw line."""
        behind = last.encode()[self.one.loop.iter.end_col_offset or 0 :].decode()
        comment = behind[behind.index("#") :].rstrip() if "#" in behind else ""
        made = [f"{self.outside}{text}" for text in self.one.given.made]
        before = self._lines(self.parts.before, self.outside)
        head = f"{self.outside}{_MARK}for {self.target} in {self.iterated}:" + (f"  {comment}" if comment else "")
        ahead = self._lines(self.parts.ahead, self.inside)
        return [*made, *before, head, *ahead, *(f"{self.inside}{text}" for text in self.handed)]

    def end(self) -> list[str]:
        """What runs behind each batch, and behind the loop."""
        behind = self._lines(self.parts.behind, self.inside)
        return [*behind, *self._lines(self.parts.after, self.outside)]

    def _lines(self, statements: Iterable[ast.stmt], indent: str) -> list[str]:
        nodes = [rename(self.twins[statement].node, self.names) for statement in statements]
        if not nodes:
            return []
        if not indent:
            return cst.Module(nodes).code.rstrip("\n").split("\n")  # type: ignore[arg-type]
        block = cst.IndentedBlock(body=nodes, indent=indent)  # type: ignore[arg-type]
        unit = self.inside[len(self.outside) :] if self.inside.startswith(self.outside) else "    "
        around = cst.Module([cst.If(cst.Name("x"), block)], default_indent=unit or "    ")
        return around.code.rstrip("\n").split("\n")[1:]

    def _code(self, node: ast.expr) -> str:
        expression = cst.parse_expression(f"({self.one.called.roles.source.segment(node)})")
        renamed = rename(expression, self.names)
        text = cst.Module([]).code_for_node(renamed)[1:-1]
        return text if "\n" not in text else ast.unparse(ast.parse(f"({text})", mode="eval").body)


def _own_counter(roles: Roles, parts: Parts) -> ast.Name | None:
    """What counts the batches in the generator's own loop over ``enumerate(...)``."""
    match parts.loop:
        case ast.For(
            target=ast.Tuple(elts=[ast.Name() as counter, _]),
            iter=ast.Call(func=ast.Name(id="enumerate"), args=[_], keywords=[]),
        ) if roles.key(parts.function, "enumerate") is None:
            return counter
    return None


def _in_brackets(target: str) -> str:
    """A target that stands inside of another one."""
    node = ast.parse(target, mode="eval").body
    bare = isinstance(node, ast.Tuple) and (not target.startswith("(") or node.elts[0].col_offset == 0)
    return f"({target})" if bare else target


def _without_brackets(target: str) -> str:
    """A target that stands alone."""
    return target[1:-1] if target.startswith("(") and _in_brackets(target) == target else target


def _same(one: ast.expr, other: ast.expr) -> bool:
    return ast.unparse(one) == ast.unparse(other)
