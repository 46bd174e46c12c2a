"""A function as it runs when some facts hold, under a name of its own."""

from __future__ import annotations

import ast
from collections import Counter

import libcst as cst

from ..files.lines import split_lines
from ..memory import tree_of
from ..recover.known import Known, known
from ..recover.switches import Special, bindings
from ..recover.syntax import Source, source_of
from .fold import Folder, Reads, assigned, expression, names_of, with_texts
from .returns import returns, without_early_returns

_NOTHING = cst.Module([])
_Block = list[cst.BaseStatement]
_Lines = list[cst.EmptyLine]


def folded(source: Source, special: Special) -> tuple[str, dict[int, int]]:
    """The text of the special function, as far to the right as the function stands, and its lines' raw ones.

    A line of the new text is counted from 0, one of the raw text from 1; only first lines of statements are told.
    """
    twin = source.twins[special.function].node
    assert isinstance(twin, cst.FunctionDef)
    folder = _FunctionFolder(special, {id(t.node): statement.lineno for statement, t in source.twins.items()})
    result = folder.function(twin)
    module = source.module.visit(_Replacer(twin, result))
    assert isinstance(module, cst.Module)
    new = source_of(module.code)
    new.__dict__["module"] = module
    found = next(f for f in new.functions if f.name == special.name)
    first, last = found.lineno - 1, found.end_lineno or found.lineno
    origins = {0: special.function.lineno}
    for statement, pair in new.twins.items():
        if first < statement.lineno <= last and id(pair.node) in folder.origins:
            origins[statement.lineno - 1 - first] = folder.origins[id(pair.node)]
    return "".join(split_lines(module.code)[first:last]), origins


class _Replacer(cst.CSTTransformer):
    def __init__(self, old: cst.FunctionDef, new: cst.FunctionDef) -> None:
        super().__init__()
        self.old, self.new = old, new

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        return node is not self.old

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        return self.new if original_node is self.old else updated_node


class _FunctionFolder(Folder):
    """Folds one function."""

    def __init__(self, special: Special, lines: dict[int, int]) -> None:
        super().__init__(special, lines)
        self.special = special

    def function(self, node: cst.FunctionDef) -> cst.FunctionDef:
        """The function under its own name."""
        result = node.visit(self)
        assert isinstance(result, cst.FunctionDef)
        result = result.with_changes(name=cst.Name(self.special.name), leading_lines=[])
        writer = _Writer(self, self._stand_ins(result))
        if writer.values:
            result = writer.rewritten(result)
        read = _reads(result)
        names = {n for n in self.facts if n not in self.special.parameters} | set(writer.values)
        droppable = {n for n in names if not read[n]}
        block = result.body
        if droppable and isinstance(block, cst.IndentedBlock):
            result = result.with_changes(body=self._without_assignments(block, droppable))
        if self.special.trains and not _ends_once(result):
            return without_early_returns(result, self.special.result, self._same) or result
        return result

    def _same(self, new: cst.BaseStatement, old: cst.BaseStatement) -> None:
        if id(old) in self.origins:
            self.note(new, self.origins[id(old)])

    def _stand_ins(self, function: cst.FunctionDef) -> dict[str, cst.BaseExpression]:
        """The names for which the switch chose one of two lasting things, and what it chose."""
        bound = bindings(tree_of(_NOTHING.code_for_node(function)))
        found: dict[str, cst.BaseExpression] = {}
        body = function.body.body if isinstance(function.body, cst.IndentedBlock) else ()
        for statement in body:
            match statement:
                case cst.SimpleStatementLine(
                    body=[cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))], value=value)]
                ):
                    if name in self.chosen and bound[name] == 1 and self.special.lasts(expression(value)):
                        found[name] = value
        return found

    def _without_assignments(self, block: cst.IndentedBlock, names: set[str]) -> cst.IndentedBlock:
        statements: _Block = []
        waiting: _Lines = []
        for statement in block.body:
            assert isinstance(statement, cst.BaseStatement)
            if isinstance(statement, cst.SimpleStatementLine) and assigned(statement) in names:
                waiting += statement.leading_lines
                comment = statement.trailing_whitespace.comment
                waiting += [cst.EmptyLine(comment=comment)] if comment else []
                continue
            statements.append(self.with_lines_above(statement, waiting))
            waiting = []
        if not statements:
            statements = [cst.SimpleStatementLine([cst.Pass()])]
        return block.with_changes(body=statements, footer=[*waiting, *block.footer])


class _Writer(Reads):
    """Writes what a name stands for where it is read; what ``folder`` tells of a statement holds for the new one."""

    def __init__(self, folder: Folder, values: dict[str, cst.BaseExpression]) -> None:
        super().__init__()
        self.folder = folder
        self.values = values

    def rewritten(self, function: cst.FunctionDef) -> cst.FunctionDef:
        """The function with the values."""
        result = function.visit(self)
        assert isinstance(result, cst.FunctionDef)
        return result

    def on_leave(self, original_node: cst.CSTNode, updated_node: cst.CSTNode) -> cst.CSTNode:  # type: ignore[override]
        result = super().on_leave(original_node, updated_node)
        assert isinstance(result, cst.CSTNode)
        if id(original_node) in self.folder.origins:
            self.folder.note(result, self.folder.origins[id(original_node)])
        return result

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        return self.values.get(original_node.value, updated_node)

    def leave_FormattedString(
        self, original_node: cst.FormattedString, updated_node: cst.FormattedString
    ) -> cst.FormattedString:
        return with_texts(updated_node, lambda part: self._shown(part.expression))

    def visit_FormattedStringExpression(self, node: cst.FormattedStringExpression) -> bool:
        """A text has quotes of its own, which old Pythons do not read there."""
        return not any(
            isinstance(v, cst.SimpleString) and n in names_of(node.expression) for n, v in self.values.items()
        )

    def _shown(self, node: cst.BaseExpression) -> Known | None:
        value = self.values.get(node.value) if isinstance(node, cst.Name) else None
        return None if value is None else known(expression(value), {})


def _ends_once(function: cst.FunctionDef) -> bool:
    """Whether no `return` stands anywhere but at the end."""
    *before, _last = function.body.body
    return not any(map(returns, before)) and not isinstance(_last, cst.If)


def _reads(function: cst.FunctionDef) -> Counter[str]:
    tree = tree_of(_NOTHING.code_for_node(function))
    return Counter(n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
