"""The text of a program in which functions give back the states of the optimizers that they were given."""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..files.lines import dominant_newline, split_lines, starts_in_bytes
from ..made_inside.text import Made, Piece, joined
from ..recover.roles import Roles
from ..recover.syntax import conditions_of, walk
from .found import Loader, argument_of, state_names
from .loads import Load, around
from .results import parts_of, targets_of


class _Stays(Exception):
    """A comment, or a layout that is not known, stands in the way."""


@dataclass(frozen=True, slots=True)
class GivenBack:
    """The new text with its lines, and the raw lines on which something is said otherwise."""

    made: Made
    changed: tuple[int, ...]


def given_back(roles: Roles, loaders: list[Loader]) -> GivenBack | None:
    """The text; None when something stands in the way."""
    pieces: list[Piece] = []
    with contextlib.suppress(_Stays, SyntaxError):
        for loader in loaders:
            pieces += _Writer(roles, loader).pieces()
        pieces.sort(key=lambda p: (p.start, p.end))
        if any(after.start < before.end for before, after in pairwise(pieces)):
            return None
        made = joined(roles.source.text, pieces)
        ast.parse(made.text)
        made.lines.update({line + 1: made.lines[line] for line in made.made if _is_tested(made.text, line)})
        raw = roles.source.text.encode()
        return GivenBack(made, tuple(sorted({raw[: p.start].count(b"\n") + 1 for p in pieces if p.end > p.start})))
    return None


_PARAMETER = re.compile(r"\s*(:param\s+)?(?P<name>\w+)\s*(\([^)]*\))?\s*:")
"""How a docstring begins to say what a parameter is."""


def _is_tested(text: str, line: int) -> bool:
    return split_lines(text)[line - 1].lstrip().startswith("if ")


class _Writer:
    def __init__(self, roles: Roles, loader: Loader) -> None:
        self.roles, self.source, self.loader = roles, roles.source, loader
        self.raw = roles.source.text.encode()
        self.newline = dominant_newline(roles.source.text)
        self.starts = starts_in_bytes(roles.source.text)
        self.loads = [load for load in loader.loads if load.statement is not None]
        self.loads.sort(key=lambda load: load.statement.lineno if load.statement is not None else 0)
        self.asked = {question for load in loader.loads for question in load.asked}
        self.tests = [
            n for n in walk(loader.function) if isinstance(n, ast.If) and self.asked & {*conditions_of(n.test)}
        ]

    def pieces(self) -> list[Piece]:
        """All that becomes other text. Raises _Stays."""
        function, gone = self.loader.function, {load.parameter for load in self.loader.loads}
        names = [a for a in function.args.args if a.arg in gone]
        self._check_docstring(gone)
        found = [self._without(function.args.args, names, self._defaults())]
        if function.returns is not None and self.loads:
            found.append(self._annotated(function.returns))
        for load in self.loads:
            found += self._kept(load)
        for test in self.tests:
            found += self._answered(test)
        if self.loads or len(self.loader.results.kept) < self.loader.results.count:
            found += [self._handed(one) for one in self.loader.results.returns]
        if not self.loader.results.ends and self.loads:
            found.append(self._last())
        for call in self.loader.calls:
            found += self._called(call, gone)
        return found

    # ---- in the function

    def _check_docstring(self, gone: set[str]) -> None:
        """Raises _Stays when the docstring, which stays as it is, says what such a parameter is."""
        said = ast.get_docstring(self.loader.function) or ""
        if any(found["name"] in gone for found in map(_PARAMETER.match, said.splitlines()) if found is not None):
            raise _Stays

    def _annotated(self, returns: ast.expr) -> Piece:
        """What the function says that it hands back."""
        results = self.loader.results
        states = ["dict | None" if self._may_be_none(load) else "dict" for load in self.loads]
        old: list[ast.expr] = []
        head = "tuple"
        match returns:
            case ast.Constant(value=None) if results.count == 0:
                pass
            case ast.Subscript(value=ast.Name(id="tuple" | "Tuple" as head), slice=ast.Tuple(elts=old)) if len(
                old
            ) == results.count > 1 and not any(isinstance(part, ast.Constant) for part in old):
                pass
            case _ if results.count == 1 and not isinstance(returns, ast.Constant):
                old = [returns]
            case _:
                raise _Stays
        parts = [*(self.source.segment(old[place]) for place in results.kept), *states]
        new = f"{head}[{', '.join(parts)}]" if len(parts) > 1 else "".join(parts) or "None"
        return Piece(*self._span(returns), new)

    def _defaults(self) -> dict[ast.AST, ast.expr]:
        args = self.loader.function.args
        return dict(zip(args.args[len(args.args) - len(args.defaults) :], args.defaults, strict=True))

    def _kept(self, load: Load) -> list[Piece]:
        """The state under a name, and None for it where it may not be loaded."""
        statement = load.statement
        assert statement is not None and isinstance(statement.value, ast.Call)
        self._alone(statement)
        start, end = self._span(statement)
        found = [Piece(start, end, f"{load.state} = {self.source.segment(statement.value.args[0])}")]
        if self._is_optional(load):
            place = self.starts[self._above(load) - 1]
            first = self._first(load)
            indent = self.source.lines[first.lineno - 1][: first.col_offset]
            found.append(Piece(place, place, f"{indent}{load.state} = None{self.newline}"))
        return found

    def _first(self, load: Load) -> ast.stmt:
        """The statement of the function's own block in which a state is loaded."""
        assert load.statement is not None
        outer = around(self.roles, self.loader.function, load.statement)
        first = outer[-1] if outer else load.statement
        assert isinstance(first, ast.stmt)
        return first

    def _above(self, load: Load) -> int:
        """The first line of that statement, with the comments above it."""
        line = self._first(load).lineno
        while self.source.lines[line - 2].strip().startswith("#"):
            line -= 1
        return line

    def _is_optional(self, load: Load) -> bool:
        """Whether a test decides if a state is loaded, which is not whether there is an optimizer."""
        assert load.statement is not None
        outer = around(self.roles, self.loader.function, load.statement)
        return any(not {*conditions_of(a.test)} <= self.asked for a in outer if isinstance(a, ast.If))

    def _is_bound(self, load: Load, line: int) -> bool:
        """Whether the state has its name where a `return` stands."""
        assert load.statement is not None
        return line > (self._above(load) if self._is_optional(load) else load.statement.lineno)

    def _answered(self, test: ast.If) -> list[Piece]:
        """A test that asks no more whether there is an optimizer."""
        left = [q for q in conditions_of(test.test) if q not in self.asked]
        if not left:
            return self._opened(test)
        if any(isinstance(q, ast.BoolOp | ast.IfExp | ast.Lambda | ast.NamedExpr) for q in left):
            raise _Stays
        for one, other in pairwise(conditions_of(test.test)):
            if not re.fullmatch(r"\s+and\s+", self.raw[self._span(one)[1] : self._span(other)[0]].decode()):
                raise _Stays
        return [Piece(*self._span(test.test), " and ".join(map(self.source.segment, left)))]

    def _opened(self, test: ast.If) -> list[Piece]:
        """The block of a test without it."""
        start, first = self._span(test)[0], test.body[0]
        if self.source.segment(test).startswith("elif"):
            raise _Stays
        if first.lineno == test.lineno:
            self._alone(test)
            return [Piece(start, self._span(first)[0], "")]
        last = test.test.end_lineno or test.lineno
        head = self.starts[test.lineno - 1]
        if not re.fullmatch(r"\)?\s*:\s*", self.raw[self._span(test.test)[1] : self.starts[last]].decode()):
            raise _Stays
        if any(isinstance(n, ast.Constant | ast.JoinedStr) and n.lineno != n.end_lineno for n in walk(test)):
            raise _Stays
        return [Piece(head, self.starts[last], ""), *self._dedented(test, last)]

    def _dedented(self, test: ast.If, above: int) -> Iterator[Piece]:
        first = test.body[0]
        shorter = first.col_offset - test.col_offset
        indent = self.source.lines[first.lineno - 1][: first.col_offset]
        for line in range(above + 1, (test.end_lineno or above) + 1):
            text = self.source.lines[line - 1]
            if text.strip() and not text.startswith(indent):
                raise _Stays
            if text.strip():
                yield Piece(self.starts[line - 1], self.starts[line - 1] + shorter, "")

    def _handed(self, one: ast.Return) -> Piece:
        """A `return` with the states behind what it hands back."""
        parts = parts_of(one)
        old = self.source.segment(one)
        texts = [self.source.segment(parts[place]) for place in self.loader.results.kept]
        if "#" in old or any("\n" in text for text in texts) or any(isinstance(p, ast.NamedExpr) for p in parts):
            raise _Stays
        texts += [load.state if self._is_bound(load, one.lineno) else "None" for load in self.loads]
        if not texts and one is self.loader.function.body[-1] and len(self.loader.function.body) > 1:
            return self._line_of(one)
        return Piece(*self._span(one), f"return {', '.join(texts)}".rstrip())

    def _line_of(self, statement: ast.stmt) -> Piece:
        """The whole lines of a statement."""
        self._alone(statement)
        start, end = self.starts[statement.lineno - 1], self.starts[statement.end_lineno or statement.lineno]
        if self.raw[start : self._span(statement)[0]].strip():
            raise _Stays
        return Piece(start, end, "")

    def _last(self) -> Piece:
        """The `return` at the end of a function that handed nothing back."""
        last = self.loader.function.body[-1]
        place = self.starts[last.end_lineno or last.lineno]
        indent = self.source.lines[last.lineno - 1][: last.col_offset]
        if not self.raw[:place].endswith(b"\n") or indent.strip():
            raise _Stays
        states = ", ".join(load.state for load in self.loads)
        return Piece(place, place, f"{indent}return {states}{self.newline}")

    # ---- where it is called

    def _called(self, call: ast.Call, gone: set[str]) -> list[Piece]:
        loader, statement = self.loader, self.source.statement_of(call)
        self._alone(statement)
        passed: list[ast.AST] = sorted([*call.args, *call.keywords], key=self._span)
        names = [a.arg for a in loader.function.args.args]
        places = [p for n, p in enumerate(call.args) if names[n] in gone]
        out: list[ast.AST] = [*places, *(k for k in call.keywords if k.arg in gone)]
        found = [self._without(passed, out, {})]
        states = state_names(loader.function, call, self.loads)
        if states or len(loader.results.kept) < loader.results.count:
            found.append(self._bound(statement, call, states))
        return [*found, *self._loaded(statement, call, states)]

    def _bound(self, statement: ast.stmt, call: ast.Call, states: list[str]) -> Piece:
        """What the statement binds now."""
        targets, kept = targets_of(call, self.roles), self.loader.results.kept
        start, place = self._span(statement)[0], self._span(call)[0]
        old = self.raw[start:place].decode()
        texts = [self.source.segment(targets[n]) for n in kept] if targets else ["_"] * len(kept)
        if "\n" in old or (old and not re.search(r"[^=]=\s*$", old)):
            raise _Stays
        new = ", ".join([*texts, *states])
        return Piece(start, place, f"{new} = " if new else "")

    def _loaded(self, statement: ast.stmt, call: ast.Call, states: list[str]) -> Iterator[Piece]:
        """The statements behind it that load what came back."""
        place = self.starts[statement.end_lineno or statement.lineno]
        indent = self.source.lines[statement.lineno - 1][: statement.col_offset]
        if not self.raw[:place].endswith(b"\n"):
            raise _Stays
        for load, state in zip(self.loads, states, strict=True):
            assert load.statement is not None
            owner = argument_of(self.loader.function, call, load.parameter)
            loading = f"{owner}.load_state_dict({state})"
            lines = [f"if {state} is not None:", f"    {loading}"] if self._may_be_none(load) else [loading]
            text = "".join(f"{indent}{line}{self.newline}" for line in lines)
            yield Piece(place, place, text, load.statement.lineno)

    def _may_be_none(self, load: Load) -> bool:
        assert load.statement is not None
        early = any(not self._is_bound(load, r.lineno) for r in self.loader.results.returns)
        return early or self._is_optional(load)

    # ---- pieces

    def _without(self, parts: Sequence[ast.AST], gone: Sequence[ast.AST], defaults: dict[ast.AST, ast.expr]) -> Piece:
        """Several things with commas between them, without some."""
        spans = [(self._span(p)[0], self._span(defaults.get(p, p))[1]) for p in parts]
        between = [self.raw[a[1] : b[0]].decode() for a, b in pairwise(spans)]
        if not all(re.fullmatch(r"\s*,\s*", text) for text in between):
            raise _Stays
        if not self.raw[: spans[0][0]].rstrip().endswith(b"("):
            raise _Stays
        new = ""
        for place, (part, (start, end)) in enumerate(zip(parts, spans, strict=True)):
            if part not in gone:
                new += (between[place - 1] if new else "") + self.raw[start:end].decode()
        end = spans[-1][1]
        if not new:
            end = self.raw.index(b")", end)
        if self.raw[spans[-1][1] : end].strip() not in (b"", b","):
            raise _Stays
        return Piece(spans[0][0], end, new)

    def _alone(self, statement: ast.stmt) -> None:
        """Raises _Stays when another statement shares the lines of this one."""
        last = (statement.end_lineno or statement.lineno) - 1
        behind = self.raw[self._span(statement)[1] : self.starts[last + 1]].decode().strip()
        if behind and not behind.startswith("#"):
            raise _Stays

    def _span(self, node: ast.AST) -> tuple[int, int]:
        start = self.starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        return start, self.starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]
