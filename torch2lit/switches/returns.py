"""Early returns as branches: what stands behind ``if ...: return`` goes into its ``else``, so that the body runs to its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import libcst as cst

Block = list[cst.BaseStatement]
Note = Callable[[cst.BaseStatement, cst.BaseStatement], None]
"""Tells that one statement stands for another."""


class _Returns(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        return False

    def visit_Lambda(self, node: cst.Lambda) -> bool:
        return False

    def visit_Return(self, node: cst.Return) -> None:
        self.found = True


def returns(node: cst.CSTNode) -> bool:
    """Whether a statement may leave the function around it by `return`."""
    visitor = _Returns()
    node.visit(visitor)
    return visitor.found


def without_early_returns(function: cst.FunctionDef, result: str, note: Note) -> cst.FunctionDef | None:
    """The function with at most one `return`, at its end; None when a `return` stands where no branch ends.

    ``result`` names what the function gives, "" when nobody asks for it.
    """
    body = function.body
    if not isinstance(body, cst.IndentedBlock):
        return None
    nester = _Nester(result, note)
    statements = [s for s in body.body if isinstance(s, cst.BaseStatement)]
    if not nester.can(statements) or (result and not _always(statements)):
        return None
    new = nester.nested(statements)
    if result:
        new.append(cst.SimpleStatementLine([cst.Return(cst.Name(result))]))
    return function.with_changes(body=body.with_changes(body=new or [cst.SimpleStatementLine([cst.Pass()])]))


class _Nester:
    def __init__(self, result: str, note: Note) -> None:
        self.result = result
        self.note = note

    def can(self, statements: Block) -> bool:
        """Whether every `return` of the block ends a branch."""
        for position, statement in enumerate(statements):
            if _is_return(statement):
                return position == len(statements) - 1
            if not returns(statement):
                continue
            if not isinstance(statement, cst.If):
                return False
            for way in (_block(statement.body), _orelse(statement)):
                if any(map(returns, way)) and not (_always(way) and self.can(way)):
                    return False
        return True

    def nested(self, statements: Block) -> Block:
        """The block with everything behind an early `return` in the other branch."""
        done: Block = []
        for position, statement in enumerate(statements):
            if _is_return(statement):
                return [*done, *self._given(statement)]
            if not isinstance(statement, cst.If) or not returns(statement):
                done.append(statement)
                continue
            rest = statements[position + 1 :]
            body, orelse = _block(statement.body), _orelse(statement)
            held = self.nested(body if _always(body) else [*body, *rest])
            other = self.nested(orelse if _always(orelse) else [*orelse, *rest])
            return [*done, *self._branches(statement, held, other)]
        return done

    def _branches(self, statement: cst.If, held: Block, other: Block) -> Block:
        if not held and not other:
            new: cst.BaseStatement = cst.SimpleStatementLine(
                [cst.Expr(statement.test)], leading_lines=statement.leading_lines
            )
        elif not held:
            test = cst.UnaryOperation(cst.Not(), _tight(statement.test))
            block = cst.IndentedBlock(self._without_blanks(other), header=_header(statement.body))
            new = cst.If(test, block, leading_lines=statement.leading_lines)
        else:
            block = _with(statement.body, held)
            new = cst.If(statement.test, block, self._else(other), leading_lines=statement.leading_lines)
        self.note(new, statement)
        return [new]

    def _else(self, statements: Block) -> cst.If | cst.Else | None:
        match statements:
            case []:
                return None
            case [cst.If() as inner]:
                return inner
        return cst.Else(cst.IndentedBlock(self._without_blanks(statements)))

    def _without_blanks(self, statements: Block) -> Block:
        """The statements without the blank lines above the first one."""
        first, *rest = statements
        lines = list(getattr(first, "leading_lines", ()))
        if not lines or lines[0].comment:
            return statements
        while lines and not lines[0].comment:
            del lines[0]
        new = first.with_changes(leading_lines=lines)
        self.note(new, first)
        return [new, *rest]

    def _given(self, statement: cst.BaseStatement) -> Block:
        """What is left of a `return`."""
        assert isinstance(statement, cst.SimpleStatementLine)
        last = statement.body[-1]
        assert isinstance(last, cst.Return)
        kept: list[cst.BaseSmallStatement] = list(statement.body[:-1])
        value = last.value
        if self.result:
            target = cst.AssignTarget(cst.Name(self.result))
            kept.append(cst.Assign([target], value or cst.Name("None")))
        elif value is not None and not _is_quiet(value):
            kept.append(cst.Expr(value))
        comments = any(line.comment for line in statement.leading_lines) or statement.trailing_whitespace.comment
        if not kept and not comments:
            return []
        new = statement.with_changes(body=kept or [cst.Pass()])
        self.note(new, statement)
        return [new]


def _block(body: cst.BaseSuite) -> Block:
    if isinstance(body, cst.SimpleStatementSuite):
        return [cst.SimpleStatementLine(body.body, trailing_whitespace=body.trailing_whitespace)]
    return [s for s in body.body if isinstance(s, cst.BaseStatement)]


def _with(body: cst.BaseSuite, statements: Block) -> cst.IndentedBlock:
    if isinstance(body, cst.IndentedBlock):
        return body.with_changes(body=statements)
    return cst.IndentedBlock(statements)


def _header(body: cst.BaseSuite) -> cst.TrailingWhitespace:
    return body.header if isinstance(body, cst.IndentedBlock) else cst.TrailingWhitespace()


def _orelse(statement: cst.If) -> Block:
    match statement.orelse:
        case cst.Else(body=body):
            return _block(body)
        case cst.If() as inner:
            return [inner]
    return []


def _is_return(statement: cst.BaseStatement) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and isinstance(statement.body[-1], cst.Return)


def _always(statements: Sequence[cst.BaseStatement]) -> bool:
    """Whether a block never runs past its end."""
    if not statements:
        return False
    last = statements[-1]
    if isinstance(last, cst.SimpleStatementLine):
        return isinstance(last.body[-1], cst.Return | cst.Raise)
    return isinstance(last, cst.If) and _always(_block(last.body)) and _always(_orelse(last))


def _is_quiet(value: cst.BaseExpression) -> bool:
    """Whether leaving out the expression changes nothing."""
    match value:
        case cst.Name() | cst.SimpleString() | cst.Integer() | cst.Float():
            return True
        case cst.Attribute(value=inner):
            return _is_quiet(inner)
        case cst.UnaryOperation(expression=inner):
            return isinstance(inner, cst.Integer | cst.Float)
        case cst.Tuple(elements=elements):
            return all(_is_quiet(e.value) for e in elements)
        case cst.Call(func=cst.Attribute(value=inner, attr=cst.Name(value="item")), args=[]):
            return _is_quiet(inner)
    return False


def _tight(test: cst.BaseExpression) -> cst.BaseExpression:
    plain = isinstance(test, cst.Name | cst.Attribute | cst.Call | cst.Subscript) or test.lpar
    return test if plain else test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
