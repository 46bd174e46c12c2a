"""All edits of one nest: the module, the Trainer call, the import, and the user's lines that change."""

from __future__ import annotations

import ast
import sys
from collections.abc import Container
from dataclasses import replace

import libcst as cst

from ..checks import imported_but_unused
from ..memory import tree_of
from ..plan.draft import Draft
from ..plan.moved import moved_functions
from ..plan.optimizers import Configured
from ..plan.state import State
from ..program import Edit
from ..recover.syntax import Source, walk
from .blank_lines import without_surplus
from .class_place import place_of_class
from .device import unused_devices
from .entry import EntryEditor, above_branch_edit, loop_edit, trainer_source
from .formatting import format_code, line_length
from .lazy_loader import lazy_loader_source
from .left_ranks import unused_ranks
from .module import Names, choose_names, module_source
from .objects import Restorer, stub_of
from .own_layout import in_own_layout
from .proposed import classes_of, definitions, name_imports
from .second import branch_above
from .several import every_batch_source


def nest_edits(
    draft: Draft, configured: Configured, state: State, taken: set[str], lightning: str
) -> tuple[list[Edit], Names]:
    """The edits of one nest, without the import."""
    source = draft.source
    restorer = Restorer(draft)
    width = line_length(restorer.raw.lines)
    names = choose_names(draft, taken)
    names.lightning = lightning
    name_imports(draft, names)
    # What is defined in the loop goes with it.
    removed = [f for f in moved_functions(draft) if draft.nest.outermost not in source.ancestors(f)]
    definitions = restorer.definitions(state, lambda: _definitions(draft, configured, state, names))
    class_code = in_own_layout(format_code(definitions, width), restorer.raw).rstrip("\n") + "\n"
    editor = EntryEditor(draft, state, names)
    made, run = map(restorer.at_entry, trainer_source(draft, configured, state, names))
    branch = branch_above(draft)
    edits = [loop_edit(draft, source, run if branch is not None else made + run, width, editor)]
    if branch is not None:
        edits.append(above_branch_edit(branch, source, made, width))
    edits += editor.edits()
    edits = unused_devices(draft, state, editor, edits)
    if (sampler := sampler_edit(draft, editor)) is not None:
        edits.append(sampler)
    edits = [replace(e, text=restorer.at_entry(e.text)) for e in edits]
    edits += _class_and_functions(draft, state, removed, class_code, names)
    edits += _classes_above(draft, state, names, width)
    return without_surplus(source.lines, unused_ranks(draft, editor, edits)), names


def sampler_edit(draft: Draft, editor: EntryEditor) -> Edit | None:
    """The call that makes the validation loader, with a sampler that leaves every process all of it."""
    whole = draft.several.whole if draft.several is not None else None
    if whole is None or whole.call is None:
        return None
    statement = draft.source.statement_of(whole.call)
    twin = draft.source.twins[statement]
    node = twin.node
    assert isinstance(node, cst.SimpleStatementLine)
    small = node.body[twin.index]
    assert isinstance(small, cst.Assign) and isinstance(small.value, cst.Call)
    call = small.value
    sampler = cst.Arg(
        cst.parse_expression(whole.sampler),
        cst.Name("sampler"),
        equal=cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace("")),
    )
    arguments = [a.with_changes(comma=cst.MaybeSentinel.DEFAULT) if a is call.args[-1] else a for a in call.args]
    changed = node.deep_replace(call, call.with_changes(args=[*arguments, sampler]))
    assert isinstance(changed, cst.SimpleStatementLine)
    code = editor.code(statement, changed)
    width = line_length(draft.source.lines)
    if any(len(line) > width for line in code.splitlines()):
        indent = code[: len(code) - len(code.lstrip())]
        formatted = format_code(code.strip() + "\n", width - len(indent))
        code = "".join(f"{indent}{line}\n" for line in formatted.splitlines())
    return Edit(statement.lineno - 1, statement.end_lineno or statement.lineno, code)


def _definitions(draft: Draft, configured: Configured, state: State, names: Names) -> str:
    """The module, and the loader that it trains on when that is one of its own."""
    module = module_source(draft, configured, state, names)
    if own := [text for text, anchor in classes_of(draft, names) if not _stands_above(draft, state, anchor)]:
        module = "\n\n\n".join(text.rstrip("\n") for text in [module, *own]) + "\n"
    if draft.several is not None and (whole := draft.several.whole) is not None and whole.call is None:
        module = f"{every_batch_source(names.every_batch, whole.attributes)}\n\n{module}"
    module = "\n\n".join([*definitions(draft, names), module])
    return f"{lazy_loader_source(draft, names.lazy_loader)}\n\n{module}" if draft.starts_late else module


def _stands_above(draft: Draft, state: State, anchor: ast.stmt) -> bool:
    """Whether a class of a proposal is needed above the place where the module's own class may stand."""
    return _block_of_class(draft, state, anchor) is not _block_of_class(draft, state, draft.nest.outermost)


def _block_of_class(draft: Draft, state: State, statement: ast.AST) -> ast.stmt:
    """The statement, around another one, above which a class stands."""
    stop = draft.nest.entry.scope if state.inside else draft.source.tree
    while draft.source.parents[statement] is not stop:
        statement = draft.source.parents[statement]
    assert isinstance(statement, ast.stmt)
    return statement


def _classes_above(draft: Draft, state: State, names: Names, width: int) -> list[Edit]:
    """The classes of proposals that are used before the module's own class stands in the file."""
    edits = []
    for text, anchor in classes_of(draft, names):
        if _stands_above(draft, state, anchor):
            statement = _block_of_class(draft, state, anchor)
            raw = draft.source.lines[statement.lineno - 1]
            indent = raw[: len(raw) - len(raw.lstrip())]
            code = format_code(text, width - len(indent)).rstrip("\n")
            lines = [f"{indent}{line}" if line else "" for line in code.splitlines()]
            blank = "" if indent else "\n"
            edits.append(Edit(statement.lineno - 1, statement.lineno - 1, "\n".join([blank, *lines, "", blank])))
    return edits


def _class_and_functions(
    draft: Draft, state: State, removed: list[ast.FunctionDef], code: str, names: Names
) -> list[Edit]:
    source = draft.source
    edits: list[Edit] = []
    last: list[Edit] = []
    use = _block_of_class(draft, state, branch_above(draft) or draft.nest.outermost)
    place = None if state.inside else place_of_class(source, removed, use, code)
    for function in removed:
        start, end = _lines_of(source, function)
        if function is place:
            edits.append(Edit(start, end, code))
            continue
        if stub := stub_of(draft.source, function, names.module):
            edits.append(Edit(start, end, stub))
            continue
        text = _pass_if_empty(source, function, set(removed))
        if not text and function.col_offset and _is_last_of_block(source, function):
            last.append(Edit(start, end, text))
            continue
        if start > 0 and not source.lines[start - 1].strip():
            while end < len(source.lines) - 1 and not source.lines[end].strip():
                end += 1
        edits.append(Edit(start, end, text))
    for edit in last:
        _leave_at_the_end(source, edit, edits)
    if place is None:
        edits.append(_insertion(draft, state, code))
    return edits


def _leave_at_the_end(source: Source, edit: Edit, edits: list[Edit]) -> None:
    """Take out what a block ends with, and the blank lines above it: those below part the block from what follows."""
    while edit.start > 0:
        above = next((e for e in edits if e.end == edit.start and not e.text), None)
        if above is not None:
            edits.remove(above)
            edit = Edit(above.start, edit.end, "")
        elif not source.lines[edit.start - 1].strip():
            edit = Edit(edit.start - 1, edit.end, "")
        else:
            break
    edits.append(edit)


def _is_last_of_block(source: Source, function: ast.FunctionDef) -> bool:
    body = getattr(source.parents[function], "body", [])
    return bool(body) and body[-1] is function


def _pass_if_empty(source: Source, function: ast.FunctionDef, removed: set[ast.FunctionDef]) -> str:
    parent = source.parents[function]
    body = getattr(parent, "body", [])
    if parent is not source.tree and body and all(s in removed for s in body):
        return " " * function.col_offset + "pass\n"
    return ""


def _lines_of(source: Source, function: ast.FunctionDef) -> tuple[int, int]:
    start = min([function.lineno, *(d.lineno for d in function.decorator_list)]) - 1
    return start, function.end_lineno or function.lineno


def _insertion(draft: Draft, state: State, code: str) -> Edit:
    """Where the class stands when no function made room for it: before the statement that holds the loop."""
    source = draft.source
    statement = _block_of_class(draft, state, branch_above(draft) or draft.nest.outermost)
    decorators = getattr(statement, "decorator_list", [])
    line = min([statement.lineno, *(d.lineno for d in decorators)]) - 1
    while line > 0 and source.lines[line - 1].lstrip().startswith("#"):
        line -= 1
    indent = " " * statement.col_offset if state.inside else ""
    if indent:
        raw = source.lines[statement.lineno - 1]
        indent = raw[: len(raw) - len(raw.lstrip())]
        code = "".join(f"{indent}{part}\n" if part else "\n" for part in code.splitlines())
        return Edit(line, line, code + "\n")
    blank = 0
    while blank < 2 and line - 1 - blank >= 0 and not source.lines[line - 1 - blank].strip():
        blank += 1
    before = "\n" * (2 - blank) if line > 0 else ""
    return Edit(line, line, f"{before}{code}\n\n")


def import_edit(source: Source, alias: str) -> Edit | None:
    """``import lightning as L`` in the first block of imports, before torch where it is sorted there."""
    statement = (
        "import lightning as L\n"
        if alias == "L"
        else f"import lightning as {alias}\n"
        if alias != "lightning"
        else "import lightning\n"
    )
    for node in walk(source.tree):
        if isinstance(node, ast.Import) and any(
            a.name == "lightning" and (a.asname or a.name) == alias for a in node.names
        ):
            return None
    imports = [s for s in source.tree.body if isinstance(s, ast.Import | ast.ImportFrom)]
    for node in imports:
        module = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        if module and module.partition(".")[0] == "torch" and _starts_line(source, node):
            return Edit(node.lineno - 1, node.lineno - 1, statement)
    plain = [s for s in imports if not (isinstance(s, ast.ImportFrom) and s.module == "__future__")]
    if plain:
        line = plain[-1].end_lineno or plain[-1].lineno
        first = next((i for i, s in enumerate(plain) if not _follows(plain, i)), len(plain))
        line = plain[first - 1].end_lineno or line
        return Edit(line, line, statement)
    body = source.tree.body
    after = 0
    for node in body:
        is_doc = (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        )
        if is_doc or (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
            after = node.end_lineno or node.lineno
        else:
            break
    if after == 0:
        while after < len(source.lines) and source.lines[after].startswith("#"):
            after += 1
    return Edit(after, after, statement)


def module_import_edit(source: Source, module: str) -> Edit | None:
    """``import itertools`` above the file's first import; None when the file has it."""
    imports = [s for s in source.tree.body if isinstance(s, ast.Import | ast.ImportFrom)]
    for node in imports:
        if isinstance(node, ast.Import) and any(a.name == module and a.asname is None for a in node.names):
            return None
    if module not in sys.stdlib_module_names:
        return _installed_import(imports, module)
    plain = [s for s in imports if not (isinstance(s, ast.ImportFrom) and s.module == "__future__")]
    before = [s for s in plain if isinstance(s, ast.Import) and s.names[0].name < module and _is_standard(s)]
    if before:
        last = before[-1]
        return Edit(last.end_lineno or last.lineno, last.end_lineno or last.lineno, f"import {module}\n")
    line = plain[0].lineno - 1 if plain else 0
    following = "" if plain and _is_standard(plain[0]) else "\n"
    return Edit(line, line, f"import {module}\n{following}")


def _installed_import(imports: list[ast.Import | ast.ImportFrom], module: str) -> Edit:
    """``import numpy`` above torch, where the file's own imports of packages are."""
    for node in imports:
        name = node.names[0].name if isinstance(node, ast.Import) else node.module or ""
        if not _is_standard(node) and name > module and name != "__future__":
            return Edit(node.lineno - 1, node.lineno - 1, f"import {module}\n")
    line = imports[-1].end_lineno or imports[-1].lineno if imports else 0
    return Edit(line, line, f"import {module}\n")


def _is_standard(statement: ast.Import | ast.ImportFrom) -> bool:
    module = statement.names[0].name if isinstance(statement, ast.Import) else statement.module or ""
    return module.partition(".")[0] in sys.stdlib_module_names


def unused_import_edits(source: Source, after: str, edits: list[Edit], wanted: Container[str] = ()) -> list[Edit]:
    """Imports whose last use was in replaced code leave with it, unless an edit holds their line already."""
    try:
        tree = tree_of(after)
    except SyntaxError:
        return []
    new = [without_names(source, s, names) for s, names in imported_but_unused(source.tree, tree, wanted)]
    return [e for e in new if e is not None and not overlap(edits, [e])]


def overlap(edits: list[Edit], new: list[Edit]) -> bool:
    """Whether two edits, one of each list, change the same line."""
    return any(a.start < b.end and b.start < a.end for a in edits for b in new)


def without_names(source: Source, statement: ast.Import | ast.ImportFrom, names: set[str]) -> Edit | None:
    """The edit that takes names out of an import, or the whole import when none is left."""
    if not _starts_line(source, statement) or ";" in source.lines[statement.lineno - 1]:
        return None
    start, end = statement.lineno - 1, statement.end_lineno or statement.lineno
    kept = [a for a in statement.names if (a.asname or a.name).split(".")[0] not in names]
    if not kept:
        return Edit(start, end, "")
    twin = source.twins[statement]
    line = twin.node
    assert isinstance(line, cst.SimpleStatementLine)
    small = line.body[0]
    assert isinstance(small, cst.Import | cst.ImportFrom) and not isinstance(small.names, cst.ImportStar)
    left = [a for a, raw in zip(small.names, statement.names, strict=True) if raw in kept]
    left[-1] = left[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
    text = cst.Module([line.with_changes(body=[small.with_changes(names=left)], leading_lines=[])]).code
    return Edit(start, end, text.replace("\r\n", "\n").replace("\r", "\n"))


def _starts_line(source: Source, node: ast.stmt) -> bool:
    return not source.lines[node.lineno - 1][: node.col_offset].strip()


def _follows(imports: list[ast.Import | ast.ImportFrom], index: int) -> bool:
    """Whether an import belongs to the first block of imports."""
    return index == 0 or imports[index].lineno - (imports[index - 1].end_lineno or 0) <= 2
