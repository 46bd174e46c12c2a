"""The text of a program in which the phases of an epoch stand one after the other, each as its turn runs."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence

import libcst as cst

from ..files.lines import split_lines
from ..recover.effects import touches_gradients
from ..recover.roles import Roles
from ..recover.switches import switched_to
from ..recover.syntax import Source, leaves, source_of, walk
from ..switches.fold import Folder, Reads, expression
from ..switches.special import Writer
from .found import PhaseLoop, Turn, clearings, trains
from .turns import Meant

_NOTHING = cst.Module([])
_FIELD = re.compile(r"\{\{|\}\}|\{[^{}]*\}")
"""A field of `str.format`, or a brace that is written twice."""


def apart(roles: Roles, found: PhaseLoop, others: Callable[[], str]) -> tuple[str, dict[int, int]] | None:
    """The new text and the raw line of each of its lines; None when more than one of the phases trains, or one is left early.

    Lines are counted from 1; of a new statement the first line is told.
    """
    source = roles.source
    copies = [_copy(source, Turn(found, index, True, frozenset())) for index in range(len(found.turns))]
    training = [trains(_tree(text)) for text, _lines in copies]
    if training.count(True) > 1 or (trains(found.loop) and True not in training):
        return None
    quiet = clearings(found, others) if True in training else frozenset()
    for index in range(len(found.turns)):
        if not training[index]:
            cleared = _copy(source, Turn(found, index, False, quiet))
            looks = any(touches_gradients(node) for node in walk(_tree(cleared[0])))
            copies[index] = _copy(source, Turn(found, index, False, frozenset())) if looks else cleared
    left = [index for index, (text, _lines) in enumerate(copies) if leaves(_tree(text).body, ast.Continue)]
    if left and (left != [len(copies) - 1] or not _ends_a_turn(source, found.loop)):
        return None
    lines = split_lines(source.text)
    start, end = found.loop.lineno - 1, found.loop.end_lineno or found.loop.lineno
    above = _lines_above(source, found.loop)
    text = "".join(lines[: start - above])
    origins = {n: n for n in range(1, start - above + 1)}
    for index, (copy, told) in enumerate(copies):
        text += "\n" if index and not copy.lstrip(" \t").startswith("\n") else ""
        first = text.count("\n")
        origins.update({first + line: raw for line, raw in told.items()})
        text += copy
    first = text.count("\n")
    text += "".join(lines[end:])
    origins.update({first + n - end: n for n in range(end + 1, len(lines) + 1)})
    return text, origins


def _tree(text: str) -> ast.While:
    loop = ast.parse("while 1:\n" + _indented(text)).body[0]
    assert isinstance(loop, ast.While)
    return loop


def _ends_a_turn(source: Source, loop: ast.For) -> bool:
    """Whether a `continue` of the loop's last turn may as well be one of the loop around it."""
    around = source.parents.get(loop)
    return isinstance(around, ast.For | ast.While) and around.body[-1] is loop


def _indented(text: str) -> str:
    return "".join(" " + line for line in text.splitlines(keepends=True))


def _lines_above(source: Source, loop: ast.For) -> int:
    """How many lines of comments and blank lines belong to the loop."""
    node = source.twins[loop].node
    assert isinstance(node, cst.For)
    return len(node.leading_lines)


def _copy(source: Source, turn: Turn) -> tuple[str, dict[int, int]]:
    """The statements of a turn as text, and the raw lines of their own lines, both counted from 1."""
    node = source.twins[turn.phases.loop].node
    assert isinstance(node, cst.For)
    folder = _TurnFolder(turn, {id(t.node): statement.lineno for statement, t in source.twins.items()})
    body = node.body.visit(folder)
    assert isinstance(body, cst.IndentedBlock)
    first = turn.index == 0
    header = [cst.EmptyLine(comment=comment)] if first and (comment := _comment(node.body)) is not None else []
    above = [*(node.leading_lines if first else []), *header]
    statements = _without_aliases(turn, folder, [s for s in body.body if isinstance(s, cst.BaseStatement)])
    statements[0] = folder.with_lines_above(statements[0], above)
    tail = [line for line in body.footer if line.comment]
    module = source.module.visit(_Replacer(node, statements))
    assert isinstance(module, cst.Module)
    new = source_of(module.code)
    new.__dict__["module"] = module
    lines, raw = split_lines(module.code), split_lines(source.text)
    end = turn.phases.loop.end_lineno or turn.phases.loop.lineno
    start = turn.phases.loop.lineno - 1 - len(node.leading_lines)
    stop = len(lines) - (len(raw) - end)
    origins = {
        statement.lineno - start: folder.origins[id(pair.node)]
        for statement, pair in new.twins.items()
        if start < statement.lineno <= stop and id(pair.node) in folder.origins
    }
    indent = lines[stop - 1][: len(lines[stop - 1]) - len(lines[stop - 1].lstrip())] if tail else ""
    comments = "".join(f"{indent}{line.comment.value}\n" for line in tail if line.comment)
    text = "".join(lines[start:stop])
    return (text if text.endswith("\n") else text + "\n") + comments, origins


def _without_aliases(turn: Turn, folder: _TurnFolder, statements: list[cst.BaseStatement]) -> list[cst.BaseStatement]:
    """The statements without names for what stays, such as ``loader = train_loader``, which only the turn asks for."""
    found: dict[str, cst.BaseExpression] = {}
    kept: list[cst.BaseStatement] = []
    for statement in statements:
        match statement:
            case cst.SimpleStatementLine(
                body=[cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))], value=cst.Name() as value)]
            ) if turn.is_alias(name, value.value) and not found.get(name):
                found[name] = value
                continue
        kept.append(statement)
    if not found or not kept or any(_binds(kept, name) for name in found):
        return statements
    writer = Writer(folder, found)
    written = [statement.visit(writer) for statement in kept]
    return [statement for statement in written if isinstance(statement, cst.BaseStatement)]


def _binds(statements: list[cst.BaseStatement], name: str) -> bool:
    tree = ast.parse("".join(_NOTHING.code_for_node(one) for one in statements))
    return any(isinstance(n, ast.Name) and n.id == name and not isinstance(n.ctx, ast.Load) for n in walk(tree))


def _comment(block: cst.BaseSuite) -> cst.Comment | None:
    return block.header.comment if isinstance(block, cst.IndentedBlock) else None


class _TurnFolder(Folder):
    """Folds the statements of one turn."""

    def __init__(self, turn: Turn, lines: dict[int, int]) -> None:
        super().__init__(turn, lines)
        self.turn = turn
        self.written = {name: meant.text for name, meant in turn.meant.items()}

    def _decided(
        self, old: cst.CSTNode, new: cst.BaseStatement
    ) -> tuple[list[cst.BaseStatement], list[cst.EmptyLine], bool]:
        if isinstance(old, cst.SimpleStatementLine) and self.lines.get(id(old)) in self.turn.dropped:
            return [], [], False
        return super()._decided(old, new)

    def leave_WithItem(self, original_node: cst.WithItem, updated_node: cst.WithItem) -> cst.WithItem:
        """``torch.set_grad_enabled(False)`` as everybody writes it."""
        match updated_node.item:
            case cst.Call(func=cst.Attribute() as function):
                if switched_to(expression(original_node.item), self.turn.facts) is False:
                    call = updated_node.item.with_changes(func=function.with_changes(attr=cst.Name("no_grad")), args=[])
                    return updated_node.with_changes(item=call)
        return updated_node

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        written = self.written.get(original_node.value)
        return updated_node if written is None else cst.parse_expression(written)

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        """``"{} loss {:.4f}".format(phase, loss)``: a phase becomes part of the text."""
        match original_node:
            case cst.Call(func=cst.Attribute(value=cst.SimpleString() as text, attr=cst.Name(value="format"))):
                return self._formatted(original_node, updated_node, text)
        return super().leave_Call(original_node, updated_node)

    def _formatted(self, old: cst.Call, new: cst.Call, text: cst.SimpleString) -> cst.Call:
        plain = all(arg.keyword is None and not arg.star for arg in old.args)
        places = [n for n, arg in enumerate(old.args) if self._word(arg.value)]
        fields = [m for m in _FIELD.finditer(text.value) if m.group() not in ("{{", "}}")]
        if not plain or not places or len(places) == len(old.args) or len(fields) != len(old.args):
            return new
        if any(m.group()[1:2] not in ("}", ":", "!") for m in fields) or any(fields[n].group() != "{}" for n in places):
            return new
        value = text.value
        for n in reversed(places):
            value = value[: fields[n].start()] + self._word(old.args[n].value) + value[fields[n].end() :]
        assert isinstance(new.func, cst.Attribute)
        args = [arg for n, arg in enumerate(new.args) if n not in places]
        args[-1] = args[-1].with_changes(comma=new.args[-1].comma)
        return new.with_changes(func=new.func.with_changes(value=text.with_changes(value=value)), args=args)

    def _word(self, node: cst.BaseExpression) -> str:
        """The word that a name stands for, "" for anything else."""
        known = self.turn.facts.get(node.value) if isinstance(node, cst.Name) else None
        return known.value if known is not None and isinstance(known.value, str) and known.value.isidentifier() else ""

    def leave_FormattedString(
        self, original_node: cst.FormattedString, updated_node: cst.FormattedString
    ) -> cst.FormattedString:
        """A phase becomes part of the text; where more is asked of it, it stands there in other quotes than the text's."""
        shown = super().leave_FormattedString(original_node, updated_node)
        written = {n: _in_quotes(meant, shown.quote) for n, meant in self.turn.meant.items()}
        return shown.with_changes(parts=[p.visit(_Named(written)) for p in shown.parts])


def _in_quotes(meant: Meant, quote: str) -> str:
    """The text of a value in an f-string, which may not hold the f-string's own quotes."""
    if len(quote) == 3:
        return meant.text
    return meant.text.replace(quote, "'" if quote == '"' else '"')


class _Named(Reads):
    """Writes expressions for names."""

    def __init__(self, written: Mapping[str, str]) -> None:
        super().__init__()
        self.written = written

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        written = self.written.get(original_node.value)
        return updated_node if written is None else cst.parse_expression(written)


class _Replacer(cst.CSTTransformer):
    """Puts statements in the place of a loop."""

    def __init__(self, old: cst.For, new: Sequence[cst.BaseStatement]) -> None:
        super().__init__()
        self.old, self.new = old, new

    def visit_For(self, node: cst.For) -> bool:
        return node is not self.old

    def leave_For(
        self, original_node: cst.For, updated_node: cst.For
    ) -> cst.For | cst.FlattenSentinel[cst.BaseStatement]:
        return cst.FlattenSentinel(self.new) if original_node is self.old else updated_node
