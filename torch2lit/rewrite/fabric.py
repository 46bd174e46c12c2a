"""The edits that put Fabric into a program: new lines, and calls rewritten where they stand."""

from __future__ import annotations

import ast
import re

from ..plan.fabric import FabricPlan
from ..program import Edit
from ..recover.syntax import Source
from .formatting import format_code, line_length

_CALLED = re.compile(r"[\s)\\]*\.\s*backward\s*\(\s*")
_OPENED = re.compile(r"[\s(\\]*")


class FabricEditor:
    """Makes the edits of one plan."""

    def __init__(self, source: Source, plan: FabricPlan, lightning: str) -> None:
        self.source = source
        self.plan = plan
        self.lightning = lightning
        self.width = line_length(source.lines)
        self._lines = [line.encode() for line in source.lines]
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)
        self._text = b"\n".join(self._lines) + b"\n"

    def edits(self) -> list[Edit]:
        """All edits, without the import."""
        changes = [c for call in self.plan.backwards for c in self._backward(call)]
        changes += [(self._end(n), self._end(n), b".module") for n in self.plan.unwrapped]
        changes += [(self._start(n), self._end(n), f"{self.plan.name}.device".encode()) for n in self.plan.devices]
        return [*self._in_lines(changes), *self._new_lines()]

    def can_rewrite(self, call: ast.Call) -> bool:
        """Whether a backward call has a shape that can be rewritten without losing a comment."""
        return bool(self._backward(call))

    def _backward(self, call: ast.Call) -> list[tuple[int, int, bytes]]:
        assert isinstance(call.func, ast.Attribute)
        value = call.func.value
        start, first, last, end = self._start(call), self._start(value), self._end(value), self._end(call)
        given = sorted([*map(self._start, call.args), *map(self._start, call.keywords)])
        opened, called = self._text[start:first].decode(), self._text[last : given[0] if given else end - 1].decode()
        if not _OPENED.fullmatch(opened) or not _CALLED.fullmatch(called):
            return []
        head, tail = f"{self.plan.name}.backward(", ", " if given else ""
        if "\n" in opened and opened.count("(") == 1:  # one that stands on lines of its own
            head = head.removesuffix("(") + opened
            if not given:
                tail = called[: called.index(")")]
        if isinstance(value, ast.Yield | ast.YieldFrom | ast.Await) or (isinstance(value, ast.NamedExpr) and given):
            head, tail = head + "(", ")" + tail
        return [(start, first, head.encode()), (last, given[0] if given else end - 1, tail.encode())]

    def _in_lines(self, changes: list[tuple[int, int, bytes]]) -> list[Edit]:
        """Changes of characters as edits of whole lines."""
        edits: list[Edit] = []
        for start, end, text in sorted(changes, key=lambda c: (c[0], c[1])):
            first, last = self._line_of(start), self._line_of(end)
            if edits and edits[-1].end > first:
                first = edits[-1].start
                last = max(last, edits[-1].end - 1)
                edits.pop()
            edits.append(Edit(first, last + 1, ""))
            del text
        done: list[Edit] = []
        for edit in edits:
            low, high = self._starts[edit.start], self._starts[edit.end]
            body, reached = b"", low
            for start, end, text in sorted(changes, key=lambda c: (c[0], c[1])):
                if low <= start < high:
                    body += self._text[reached:start] + text
                    reached = end
            body += self._text[reached:high]
            done.append(Edit(edit.start, edit.end, body.decode()))
        return done

    def _new_lines(self) -> list[Edit]:
        place = self.plan.place
        edits: list[Edit] = []
        if place.make is not None:
            arguments = ", ".join(f"{name}={value}" for name, value in self.plan.arguments.items())
            code = f"{self.plan.name} = {self.lightning}.Fabric({arguments})\n"
            launch = f"{self.plan.name}.launch()\n"
            if place.launch is place.make:
                code += launch
            edits.append(self._before(place.make, code, spaced=True))
            if place.launch is not None and place.launch is not place.make:
                edits.append(self._before(place.launch, launch))
        for line in self.plan.lines:
            if line.before:
                edits.append(self._before(line.statement, line.text + "\n"))
            else:
                at = line.statement.end_lineno or line.statement.lineno
                edits.append(Edit(at, at, self._indented(line.statement, line.text + "\n")))
        return edits

    def _before(self, statement: ast.stmt, code: str, *, spaced: bool = False) -> Edit:
        """New lines before a statement, its decorators and the comments that stand right above it."""
        lines = self.source.lines
        decorators = getattr(statement, "decorator_list", [])
        at = min([statement.lineno, *(d.lineno for d in decorators)]) - 1
        own = _indent(lines[at])
        while at > 0 and lines[at - 1].startswith(own + "#"):
            at -= 1
        text = self._indented(statement, code)
        if spaced and isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            blank = 0
            while blank < 2 and at - 1 - blank >= 0 and not lines[at - 1 - blank].strip():
                blank += 1
            text = ("\n" if not blank and at > 0 else "") + text + "\n\n"
        return Edit(at, at, text)

    def _indented(self, statement: ast.stmt, code: str) -> str:
        indent = _indent(self.source.lines[statement.lineno - 1])
        new = format_code(code, max(40, self.width - len(indent.expandtabs())))
        return "".join(f"{indent}{line}\n" if line else "\n" for line in new.splitlines())

    def _line_of(self, offset: int) -> int:
        from bisect import bisect_right

        return bisect_right(self._starts, offset) - 1

    def _start(self, node: ast.expr | ast.keyword) -> int:
        return self._starts[node.lineno - 1] + node.col_offset

    def _end(self, node: ast.expr) -> int:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self._starts[node.end_lineno - 1] + node.end_col_offset


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
