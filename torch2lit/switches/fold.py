"""Statements as they run when some facts hold: what the facts decide is gone, the rest stands as it stood."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import libcst as cst

from ..recover.known import Known, known, truth, without_known

_ENDS = (cst.Return, cst.Raise, cst.Continue, cst.Break)
_TIGHT = (cst.Name, cst.Attribute, cst.Call, cst.Subscript, cst.SimpleString, cst.Integer, cst.List, cst.Dict)
_NOTHING = cst.Module([])
_Block = list[cst.BaseStatement]
_Lines = list[cst.EmptyLine]


class Decided(Protocol):
    """What is known of the statements that are folded."""

    @property
    def facts(self) -> Mapping[str, Known]:
        """What names surely stand for."""

    @property
    def needless(self) -> frozenset[int]:
        """The lines of `with` blocks that switch gradients on where they are on."""

    def switches_on(self, item: ast.withitem) -> bool:
        """Whether a part of a `with` does nothing but to switch gradients on."""

    def is_model(self, node: ast.expr) -> bool:
        """Whether an expression gives a module."""


class Reads(cst.CSTTransformer):
    """Replaces names where they are read, and nothing else that looks like one."""

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.BaseExpression:
        return updated_node.with_changes(attr=original_node.attr)

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> cst.Arg:
        return updated_node.with_changes(keyword=original_node.keyword)

    def leave_Param(self, original_node: cst.Param, updated_node: cst.Param) -> cst.Param:
        return updated_node.with_changes(name=original_node.name)

    def leave_AssignTarget(self, original_node: cst.AssignTarget, updated_node: cst.AssignTarget) -> cst.AssignTarget:
        plain = isinstance(original_node.target, cst.Name)
        return updated_node.with_changes(target=original_node.target) if plain else updated_node

    def visit_Import(self, node: cst.Import) -> bool:
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        return False


class Folder(Reads):
    """Folds statements; ``origins`` tells for each new one the raw line of the old one."""

    def __init__(self, decided: Decided, lines: dict[int, int]) -> None:
        super().__init__()
        self.decided = decided
        self.facts = decided.facts
        self.needless = decided.needless
        self.lines = lines
        self.origins: dict[int, int] = {}
        self.chosen: set[str] = set()
        """The names that are bound to what the switch chose."""
        self.alive: list[cst.CSTNode] = []
        """What ``origins`` names by its identity, so that it is not given to another node."""

    # ---- statements

    def on_leave(self, original_node: cst.CSTNode, updated_node: cst.CSTNode) -> cst.CSTNode:  # type: ignore[override]
        result = super().on_leave(original_node, updated_node)
        assert isinstance(result, cst.CSTNode)
        if id(original_node) in self.lines:
            self.note(result, self.lines[id(original_node)])
        return result

    def note(self, node: cst.CSTNode, line: int) -> None:
        """Tell the raw line of a new statement."""
        self.origins[id(node)] = line
        self.alive.append(node)

    def with_lines_above(self, node: cst.BaseStatement, leading: Sequence[cst.EmptyLine]) -> cst.BaseStatement:
        """The statement with more lines above it."""
        if not leading:
            return node
        own = getattr(node, "leading_lines", ())
        result = node.with_changes(leading_lines=[*leading, *own])
        if id(node) in self.origins:
            self.note(result, self.origins[id(node)])
        return result

    def leave_IndentedBlock(
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        statements: _Block = []
        waiting: _Lines = []
        changed = False
        for old, new in zip(original_node.body, updated_node.body, strict=True):
            assert isinstance(new, cst.BaseStatement)
            parts, after, same = self._decided(old, new)
            changed = changed or not same
            for position, part in enumerate(parts):
                statements.append(self.with_lines_above(part, waiting if position == 0 else ()))
                waiting = [] if position == 0 else waiting
            waiting += after
            if statements and changed and _ends(statements[-1]):
                break
        if not changed:
            return updated_node
        if not statements:
            statements = [cst.SimpleStatementLine([cst.Pass()], leading_lines=waiting)]
            waiting = []
        return updated_node.with_changes(body=statements, footer=[*waiting, *updated_node.footer])

    def _decided(self, old: cst.CSTNode, new: cst.BaseStatement) -> tuple[_Block, _Lines, bool]:
        """What stands for a statement, the comments left behind it, and whether it is the statement itself."""
        if isinstance(new, cst.With) and self.lines.get(id(old)) in self.needless:
            assert isinstance(old, cst.With)
            kept = [n for o, n in zip(old.items, new.items, strict=True) if not self._switches_on(o)]
            if not kept:
                return (*self._spread(new.body, new.leading_lines), False)
            kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
            narrower = new.with_changes(items=kept)
            self.note(narrower, self.lines[id(old)])
            return [narrower], [], False
        if not isinstance(old, cst.If) or not isinstance(new, cst.If):
            return [new], [], True
        held = self._truth(old.test)
        if held is None:
            return [new], [], True
        if held:
            return (*self._spread(new.body, new.leading_lines), False)
        below, old_below = new.orelse, old.orelse
        if below is None:
            return [], [], False
        if isinstance(below, cst.Else):
            return (*self._spread(below.body, [*_comments(new.leading_lines), *below.leading_lines]), False)
        assert isinstance(old_below, cst.If)
        parts, after, _same = self._decided(old_below, self.with_lines_above(below, _comments(new.leading_lines)))
        return parts, after, False

    def _spread(self, body: cst.BaseSuite, above: Sequence[cst.EmptyLine]) -> tuple[_Block, _Lines]:
        """The statements of a branch, and the comments at its end."""
        if isinstance(body, cst.SimpleStatementSuite):
            line = cst.SimpleStatementLine(body.body, trailing_whitespace=body.trailing_whitespace)
            if id(body) in self.origins:
                self.note(line, self.origins[id(body)])
            return [self.with_lines_above(line, above)], []
        assert isinstance(body, cst.IndentedBlock)
        statements = [s for s in body.body if isinstance(s, cst.BaseStatement)]
        self.chosen |= {assigned(s) for s in statements if isinstance(s, cst.SimpleStatementLine)}
        header = [cst.EmptyLine(comment=body.header.comment)] if body.header.comment else []
        if _is_only_pass(statements):
            return [], [line for line in (*above, *header, *body.footer) if line.comment]
        first = self.with_lines_above(statements[0], [*above, *header])
        return [first, *statements[1:]], [line for line in body.footer if line.comment]

    def _switches_on(self, item: cst.WithItem) -> bool:
        return item.asname is None and self.decided.switches_on(ast.withitem(expression(item.item), None))

    def leave_If(self, original_node: cst.If, updated_node: cst.If) -> cst.If:
        below, old_below = updated_node.orelse, original_node.orelse
        if isinstance(below, cst.If) and isinstance(old_below, cst.If):
            held = self._truth(old_below.test)
            if held:
                updated_node = updated_node.with_changes(orelse=cst.Else(below.body, leading_lines=below.leading_lines))
            elif held is False:
                updated_node = updated_node.with_changes(orelse=below.orelse)
        return updated_node.with_changes(test=self._without_known(original_node.test, updated_node.test, True))

    def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> cst.Assign:
        match original_node:
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))], value=cst.IfExp(test=test)):
                if self._truth(test) is not None:
                    self.chosen.add(name)
        return updated_node

    # ---- expressions

    def leave_IfExp(self, original_node: cst.IfExp, updated_node: cst.IfExp) -> cst.BaseExpression:
        held = self._truth(original_node.test)
        if held is None:
            test = self._without_known(original_node.test, updated_node.test, True)
            return updated_node.with_changes(test=test)
        chosen = updated_node.body if held else updated_node.orelse
        if chosen.lpar or isinstance(chosen, _TIGHT):
            return chosen
        return chosen.with_changes(lpar=updated_node.lpar, rpar=updated_node.rpar)

    def leave_Comparison(self, original_node: cst.Comparison, updated_node: cst.Comparison) -> cst.BaseExpression:
        return self._constant(original_node) or updated_node

    def leave_UnaryOperation(
        self, original_node: cst.UnaryOperation, updated_node: cst.UnaryOperation
    ) -> cst.BaseExpression:
        return self._constant(original_node) or updated_node

    def leave_BooleanOperation(
        self, original_node: cst.BooleanOperation, updated_node: cst.BooleanOperation
    ) -> cst.BaseExpression:
        return self._constant(original_node) or self._without_known(original_node, updated_node, False)

    def _constant(self, node: cst.BaseExpression) -> cst.BaseExpression | None:
        value = known(expression(node), self.facts)
        if value is None or value.an_object or not any(n in self.facts for n in names_of(node)):
            return None
        return _literal(value)

    def _without_known(self, old: cst.BaseExpression, new: cst.BaseExpression, in_test: bool) -> cst.BaseExpression:
        """A chain of `and` or `or` without the operands that say nothing any more."""
        if not isinstance(old, cst.BooleanOperation) or not isinstance(new, cst.BooleanOperation):
            return new
        operands = [expression(old.left), expression(old.right)]
        kept = without_known(operands, isinstance(old.operator, cst.Or), self.facts, in_test)
        if len(kept) == 2:
            return new
        left = new.left if kept[0] == 0 else new.right
        if left.lpar or isinstance(left, _TIGHT):
            return left
        return left.with_changes(lpar=new.lpar, rpar=new.rpar)

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        value = self.facts.get(original_node.value)
        return updated_node if value is None or value.an_object else _literal(value)

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        """``model.train(True)`` and ``model.train(False)`` as everybody writes them."""
        match original_node:
            case cst.Call(func=cst.Attribute(value=model, attr=cst.Name(value="train")), args=[cst.Arg(value=mode)]):
                held = known(expression(mode), self.facts)
                if held is not None and isinstance(held.value, bool) and self.decided.is_model(expression(model)):
                    assert isinstance(updated_node.func, cst.Attribute)
                    name = cst.Name("train" if held.value else "eval")
                    return updated_node.with_changes(func=updated_node.func.with_changes(attr=name), args=[])
        return updated_node

    def visit_FormattedString(self, node: cst.FormattedString) -> bool:
        return False

    def leave_FormattedString(
        self, original_node: cst.FormattedString, updated_node: cst.FormattedString
    ) -> cst.FormattedString:
        """Known texts become part of the string; other parts keep their names."""
        return with_texts(updated_node, lambda part: known(expression(part.expression), self.facts))

    def _truth(self, test: cst.BaseExpression) -> bool | None:
        return truth(expression(test), self.facts)


def with_texts(
    node: cst.FormattedString, value_of: Callable[[cst.FormattedStringExpression], Known | None]
) -> cst.FormattedString:
    """An f-string in which known plain values are part of the text."""
    parts: list[cst.BaseFormattedStringContent] = []
    for part in node.parts:
        if isinstance(part, cst.FormattedStringExpression) and (text := _shown(part, value_of)) is not None:
            part = cst.FormattedStringText(text)
        last = parts[-1] if parts else None
        if isinstance(part, cst.FormattedStringText) and isinstance(last, cst.FormattedStringText):
            parts[-1] = cst.FormattedStringText(last.value + part.value)
        else:
            parts.append(part)
    return node.with_changes(parts=parts)


def _shown(
    part: cst.FormattedStringExpression, value_of: Callable[[cst.FormattedStringExpression], Known | None]
) -> str | None:
    if part.conversion or part.format_spec or part.equal:
        return None
    value = value_of(part)
    if value is None or value.an_object:
        return None
    text = str(value.value)
    return text if text.replace(" ", "").replace("_", "").replace("-", "").isalnum() else None


def expression(node: cst.BaseExpression) -> ast.expr:
    return ast.parse(f"({_NOTHING.code_for_node(node)}\n)", mode="eval").body


def names_of(node: cst.CSTNode) -> set[str]:
    return {n.id for n in ast.walk(expression(node)) if isinstance(n, ast.Name)}  # type: ignore[arg-type]


def _literal(value: Known) -> cst.BaseExpression:
    if isinstance(value.value, str):
        quoted = '"' + repr("'" + value.value)[2:-1] + '"'
        return cst.parse_expression(quoted)
    return cst.parse_expression(repr(value.value))


def _comments(lines: Sequence[cst.EmptyLine]) -> _Lines:
    return [line for line in lines if line.comment]


def _ends(statement: cst.BaseStatement) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and isinstance(statement.body[-1], _ENDS)


def _is_only_pass(statements: _Block) -> bool:
    return all(
        isinstance(s, cst.SimpleStatementLine) and all(isinstance(small, cst.Pass) for small in s.body)
        for s in statements
    )


def assigned(statement: cst.SimpleStatementLine) -> str:
    match statement.body:
        case [cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))])]:
            return name
    return ""
