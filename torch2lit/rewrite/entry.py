"""The entry point: the Trainer call where the loop stood, and the user's lines around it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

import libcst as cst

from ..plan.afterwards import statements_after
from ..plan.draft import Draft, TrainData
from ..plan.entry_names import is_made_up
from ..plan.evaluation_loaders import loader_text
from ..plan.handlers import EXIT, INTERRUPT, goes_on, handlers_around, raises_before, tries_around
from ..plan.moved_back import moved_back
from ..plan.optimizers import Configured
from ..plan.outer_bar import bar_around
from ..plan.state import State
from ..plan.turns import while_condition
from ..program import Edit, Mechanism
from ..recover.names import flow
from ..recover.syntax import Source, walk
from .formatting import format_code
from .handed_on import handed_on
from .module import Names
from .proposed import around_fit, data_of, filled, fit_arguments
from .rename import rename
from .second import called_back, evaluated, given_back
from .several import written_by
from .statements import Replacement, Replacer, Statement, standalone


def trainer_source(draft: Draft, configured: Configured, state: State, names: Names) -> tuple[str, str]:
    """Module and Trainer, and `fit` with what follows it, as source that is not yet formatted."""
    arguments = [argument for _p, _a, argument in state.parameters]
    if state.hyperparameters:
        arguments.append(state.hyperparameters)
    lines = [f"{names.instance} = {names.module}({', '.join(arguments)})"]
    settings = ", ".join(f"{name}={value}" for name, value in draft.trainer.written())
    settings = filled(draft, names, settings)
    lines += draft.group.joining if draft.group is not None else []
    back = moved_back(draft, names.trainer)
    if (place := draft.placement) is not None and place.before:
        if any(re.search(rf"\b{place.device}\b", text) for text in [settings, *back]):
            lines.append(place.before)
    before, after = around_fit(draft, names)
    lines += before
    lines.append(f"{names.trainer} = {names.lightning}.Trainer({settings},)")
    made, lines = lines, []
    given = [names.instance, *_loaders(draft, names), *fit_arguments(draft, names)]
    fit = f"{names.trainer}.fit({', '.join(given)})"
    test = while_condition(draft)
    told = draft.train_data.told_first if draft.train_data is not None else ()
    run = [*(f"{name}.train()" for name in draft.put_in_train), *told, fit]
    lines += run if test is None else [f"if {_at_start(draft, state, names, test)}:", *(f"    {r}" for r in run)]
    if draft.several is not None and draft.several.waits:
        lines.append(f"{names.trainer}.strategy.barrier()")
    lines += after
    lines += back
    lines += _in_eval(draft, names)
    lines += [f"{name} = {names.trainer}.optimizers[{place}]" for name, place in state.optimizers_after]
    lines += [f"{name} = {names.instance}.{attribute}" for name, attribute in state.written_back]
    if (returned := given_back(draft, names)) and _ends_function(draft):
        lines.append(returned)
    return "\n".join(made) + "\n", "\n".join(lines) + "\n"


def _in_eval(draft: Draft, names: Names) -> list[str]:
    """The switches to eval mode of models that the script's last validation leaves in it, if there has been one."""
    switches = [f"{name}.eval()" for name in draft.left_in_eval]
    if not switches or draft.has_turns:
        return switches
    return [
        f"if {names.trainer}.current_epoch > 0:  # as the last validation leaves it",
        *(f"    {s}" for s in switches),
    ]


def _ends_function(draft: Draft) -> bool:
    """Whether nothing follows the loop in its function."""
    scope = draft.nest.entry.scope
    return (bar_around(draft) or draft.nest.outermost) is scope.body[-1] and not draft.nest.outermost.orelse


def _at_start(draft: Draft, state: State, names: Names, test: ast.expr) -> str:
    """The condition of the `while` loop before its first turn: start values may live on the module by now."""
    moved = {name: attribute for attribute, _statement, name in state.initial}
    read = {n.id for n in walk(test) if isinstance(n, ast.Name)}
    homes = {name: f"{names.instance}.{attribute}" for name, attribute in moved.items() if name in read}
    return cst.Module([]).code_for_node(rename(cst.parse_expression(f"({draft.source.segment(test)})"), homes))[1:-1]


def _loaders(draft: Draft, names: Names) -> list[str]:
    if data := data_of(draft, names):
        return [data]
    nest = draft.nest
    if draft.mechanism is Mechanism.EPOCHS:
        return ["[0]"]
    if nest.batches is None:
        assert nest.epochs is not None
        return [
            draft.source.segment(nest.epochs.base)
            if not is_made_up(nest.epochs.base)
            else ast.unparse(nest.epochs.base)
        ]
    assert draft.train_data is not None
    texts = [_train_data(draft.train_data, names)]
    if draft.validation is not None:
        whole = draft.several.whole if draft.several is not None else None
        loaders = [loader_text(draft, one) for one in draft.validation.all]
        if whole is not None and whole.call is None:
            loaders = [f"{names.every_batch}({text})" if text else "" for text in loaders]
        if draft.validation.late:
            loaders = [f"{names.lazy_loader}({text})" if text else "" for text in loaders]
        texts.append(loaders[0] if len(loaders) == 1 else f"[{', '.join(loaders)}]" if all(loaders) else "")
    assert all(texts), "a loader of the plan has no name at the entry point"
    return texts


def _train_data(data: TrainData, names: Names) -> str:
    loaders = ", ".join(data.texts)
    if data.lazy:
        return f"{names.lazy_loader}({loaders})"
    if len(data.texts) > 1:
        return f'{names.lightning}.pytorch.utilities.CombinedLoader([{loaders}], "min_size")'
    return loaders


def loop_edit(draft: Draft, source: Source, code: str, width: int, editor: EntryEditor) -> Edit:
    """The edit that puts the Trainer call in place of the loop; an `else` that always ran follows it."""
    loop = draft.nest.outermost
    whole = bar_around(draft) or loop
    indent = source.lines[whole.lineno - 1][: whole.col_offset]
    between = [
        line.strip() for line in source.lines[whole.lineno - 1 : loop.lineno - 1] if line.lstrip().startswith("#")
    ]
    text = "".join(f"{indent}{line}\n" if line else "\n" for line in [*between, *_formatted(code, width, indent)])
    return Edit(
        whole.lineno - 1,
        loop.end_lineno or loop.lineno,
        text + "".join(editor.at_indent(s, indent) for s in loop.orelse),
    )


def _formatted(code: str, width: int, indent: str) -> list[str]:
    return format_code(code, max(40, width - len(indent))).splitlines()


def above_branch_edit(branch: ast.If, source: Source, code: str, width: int) -> Edit:
    """The edit that puts module and Trainer above a branch that evaluates by them, and above what is said of it."""
    line = branch.lineno - 1
    indent = source.lines[line][: branch.col_offset]
    while line > 0 and source.lines[line - 1].lstrip().startswith("#"):
        line -= 1
    text = "".join(f"{indent}{one}\n" if one else "\n" for one in _formatted(code, width, indent))
    apart = "\n" if line > 0 and not source.lines[line - 1].strip() else ""
    return Edit(line, line, text + apart)


class EntryEditor:
    """Edits of the user's own statements around the loop: some leave, some read attributes of the module now."""

    def __init__(self, draft: Draft, state: State, names: Names) -> None:
        self.draft = draft
        self.source = draft.source
        self.state = state
        self.names = names

    def edits(self) -> list[Edit]:
        """All of them, one per statement or line."""
        gone = self._gone()
        gone = [s for s in gone if s not in self.draft.rewritten]
        result = [self._remove(s) for s in gone if self.alone(s)]
        result += self._shared_lines(gone)
        result += [self._rewritten(s, text) for s, text in self.draft.rewritten.items()]
        result += self._after(set(gone))
        result += self._handlers()
        result += self._in_caller()
        result += [self.rewritten(s.statement, {}) for s in self.draft.seconds if s.place.branch is not None]
        return [e for e in result if e is not None]

    def _gone(self) -> list[ast.stmt]:
        inside = _inside(self.draft)
        return [s for s in self.draft.removals if id(s) not in inside]

    def alone(self, statement: ast.stmt) -> bool:
        """Whether no other statement shares its line."""
        twin = self.source.twins[statement]
        return not isinstance(twin.node, cst.SimpleStatementLine) or len(twin.node.body) == 1

    def _remove(self, statement: ast.stmt) -> Edit:
        start, end = statement.lineno - 1, statement.end_lineno or statement.lineno
        lines = self.source.lines
        while start > 0 and lines[start - 1].lstrip().startswith("#") and self._travels(statement):
            start -= 1
        block = self.source.block_of(statement)
        if self._leads(statement, block):
            while end < len(lines) - 1 and not lines[end].strip():
                end += 1
        above = start == 0 or not lines[start - 1].strip()
        if above and end < len(lines) and not lines[end].strip() and end + 1 <= len(lines) - 1:
            end += 1
        if all(s in self.draft.removals for s in block):
            indent = lines[statement.lineno - 1][: statement.col_offset]
            return Edit(start, end, f"{indent}pass\n")
        return Edit(start, end, "")

    def _rewritten(self, statement: ast.stmt, text: str) -> Edit:
        """A statement that becomes other source, with what is said at its end."""
        twin = self.source.twins[statement]
        *above, line = cst.parse_module(filled(self.draft, self.names, text)).body
        assert isinstance(line, cst.SimpleStatementLine)
        if statement in statements_after(self.draft):
            line = rename(line, {n: f"{self.names.instance}.{attribute}" for n, attribute in self.state.after.items()})
        if isinstance(twin.node, cst.SimpleStatementLine):
            line = line.with_changes(trailing_whitespace=twin.node.trailing_whitespace)
        code = "".join(self.code(statement, one) for one in [*above, line])
        start = self._first_line(statement)
        while start > 0 and self.source.lines[start - 1].lstrip().startswith("#") and self._travels(statement):
            start -= 1
        return Edit(start, self._last_line(statement), code)

    def _travels(self, statement: ast.stmt) -> bool:
        """Whether the comments above a statement go where the statement goes."""
        removal = self.draft.removals.get(statement)
        return removal is not None and removal.target in ("configure_optimizers", "__init__", "LightningDataModule")

    def _leads(self, statement: ast.stmt, block: list[ast.stmt]) -> bool:
        """Whether nothing stays above it in its block: the blank lines below would stand under the block's head."""
        if isinstance(self.source.parents[statement], ast.Module) or statement not in block:
            return False
        above = block[: block.index(statement)]
        return len(above) < len(block) - 1 and all(s in self.draft.removals for s in above)

    def _shared_lines(self, gone: list[ast.stmt]) -> list[Edit]:
        """Lines with several statements of which some leave."""
        lines: dict[int, tuple[ast.stmt, cst.SimpleStatementLine]] = {}
        for statement in gone:
            twin = self.source.twins[statement]
            if isinstance(twin.node, cst.SimpleStatementLine) and len(twin.node.body) > 1:
                lines[id(twin.node)] = (statement, twin.node)
        result = []
        for statement, line in lines.values():
            out = {self.source.twins[s].index for s in gone if self.source.twins[s].node is line}
            kept = [small for index, small in enumerate(line.body) if index not in out]
            if not kept:
                result.append(Edit(statement.lineno - 1, statement.end_lineno or statement.lineno, ""))
                continue
            kept[-1] = kept[-1].with_changes(semicolon=cst.MaybeSentinel.DEFAULT)
            text = cst.Module([line.with_changes(body=kept, leading_lines=[])]).code
            raw = self.source.lines[statement.lineno - 1]
            indent = raw[: len(raw) - len(raw.lstrip())]
            result.append(Edit(statement.lineno - 1, statement.end_lineno or statement.lineno, indent + _unix(text)))
        return result

    def _after(self, gone: set[ast.stmt]) -> list[Edit]:
        names = {name: f"{self.names.instance}.{attribute}" for name, attribute in self.state.after.items()}
        result = []
        done: set[int] = set()
        handled = [s for h in handlers_around(self.draft) for s in h.body]
        for statement in [*statements_after(self.draft), *handled]:
            if statement in gone or statement in self.draft.nest.outermost.orelse or statement in self.draft.rewritten:
                continue
            if not self._is_of_first(statement):
                if not any(isinstance(n, ast.Name) and n.id in names for n in walk(statement)):
                    continue
            twin = self.source.twins[statement]
            if id(twin.node) in done:
                continue
            done.add(id(twin.node))
            result.append(self.rewritten(statement, names))
        return result

    def _in_caller(self) -> list[Edit]:
        """The function around the loop gives back what its caller evaluates with."""
        call, draft = called_back(self.draft), self.draft
        if call is None:
            return []
        names, last = self.names, draft.nest.entry.scope.body[-1]
        statement = draft.source.statement_of(call)
        start, end = statement.lineno - 1, statement.end_lineno or statement.lineno
        first, *rest = draft.source.lines[start:end]
        indent = first[: statement.col_offset]
        text = "\n".join([f"{indent}{names.trainer}, {names.instance} = {first[statement.col_offset :]}", *rest])
        result = [Edit(start, end, f"{text}\n")]
        if not _ends_function(draft):
            line = f"{draft.source.lines[last.lineno - 1][: last.col_offset]}{given_back(draft, names)}\n"
            result.append(Edit(last.end_lineno or last.lineno, last.end_lineno or last.lineno, line))
        outside = {s.statement for s in draft.seconds if s.place.call is not None}
        result += handed_on(draft, names)
        return [*result, *(self.rewritten(s, {}) for s in sorted(outside, key=lambda s: s.lineno))]

    def _is_of_first(self, statement: ast.stmt) -> bool:
        """Whether the statement changes whatever it reads: one of several processes alone runs some of it, or the Trainer evaluates."""
        if any(s.statement in set(walk(statement)) for s in self.draft.seconds):
            return True
        several = self.draft.several
        if several is None:
            return False
        return statement in several.shown_after or any(
            n in several.written_after for n in walk(statement) if isinstance(n, ast.stmt)
        )

    def _written_by_first(self, node: Statement, statement: ast.stmt) -> Statement:
        assert self.draft.several is not None
        guarded = [n for n in walk(statement) if isinstance(n, ast.stmt) and n in self.draft.several.written_after]
        changes: dict[int, Replacement | None] = {}
        for inner in guarded:
            twin = self.source.twins[inner]
            changes[id(twin.small if twin.small is not None else twin.node)] = written_by(self.names.trainer)
        if not changes:
            return node
        holder = cst.Module([node]).visit(Replacer(changes))
        assert isinstance(holder, cst.Module)
        [changed] = holder.body if len(holder.body) == 1 else [node]
        return changed

    def _handlers(self) -> list[Edit]:
        """Handlers around the loop: ^C is an exit there, and what the loop has reached is on the module."""
        result = []
        after = {n.id for s in statements_after(self.draft) for n in walk(s) if isinstance(n, ast.Name)}
        for handler in handlers_around(self.draft):
            line = handler.lineno - 1
            caught = ""
            if handler in self.draft.exits:
                caught = handler.name or self._free_name("stop")
                result.append(Edit(line, line + 1, self._with_exit(handler, caught)))
            used = set(flow(handler.body).exposed) | (after if goes_on(handler) else set())
            first = handler.body[0]
            indent = self.source.lines[first.lineno - 1][: first.col_offset]
            text = "".join(
                f"{indent}{name} = {self.names.instance}.{attribute}\n"
                for name, attribute in self.state.written_back
                if name in used
            )
            if text and (early := raises_before(self.draft, self.source.parents[handler])) is not None:
                raise self.draft.refuse("step-not-reached", early, "an exception from here finds no module behind it")
            if caught:
                test = f"isinstance({caught}, {EXIT}) and not isinstance({caught}.__context__, {INTERRUPT})"
                text = f"{indent}if {test}:\n{indent}    raise  # the Trainer makes an exit of ^C; this is another one\n{text}"
            if text and indent.strip():
                raise self.draft.refuse("step-not-reached", handler, "the handler's work stands in its first line")
            if text:
                result.append(Edit(first.lineno - 1, first.lineno - 1, text))
        return [*result, *self._at_last()]

    def _at_last(self) -> Iterator[Edit]:
        """What runs in any case behind the loop (`finally`) reads what the loop has reached, however it was left."""
        for block in tries_around(self.draft):
            used = flow(block.finalbody).exposed
            back = [(name, attribute) for name, attribute in self.state.written_back if name in used]
            if back and (early := raises_before(self.draft, block)) is not None:
                raise self.draft.refuse("step-not-reached", early, "an exception from here finds no module behind it")
            if not back:
                continue
            first = block.finalbody[0]
            indent = self.source.lines[first.lineno - 1][: first.col_offset]
            if indent.strip():
                raise self.draft.refuse("step-not-reached", first, "the work of `finally` stands in its first line")
            text = "".join(f"{indent}{name} = {self.names.instance}.{attribute}\n" for name, attribute in back)
            yield Edit(first.lineno - 1, first.lineno - 1, text)

    def _free_name(self, name: str) -> str:
        while name in self.source.names or name in self.names.taken:
            name += "_"
        return name

    def _with_exit(self, handler: ast.ExceptHandler, caught: str) -> str:
        """The head of a handler of ^C that takes exits as well, under a name."""
        kind = handler.type
        assert kind is not None and kind.end_col_offset is not None
        line = self.source.lines[handler.lineno - 1].encode()
        head, tail = line[: kind.col_offset].decode(), line[kind.end_col_offset :].decode()
        kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
        name = "" if handler.name else f" as {caught}"
        text = f"{head}({', '.join([*map(self.source.segment, kinds), EXIT])}){name}{tail}"
        return _unix(text).rstrip("\n") + "\n"

    def rewritten(self, statement: ast.stmt, names: Mapping[str, str]) -> Edit:
        """The edit of one user statement with names renamed and its formatting kept."""
        twin = self.source.twins[statement]
        node = twin.node
        assert isinstance(node, Statement)
        several = self.draft.several
        if several is not None:
            if statement in several.shown_after:
                names = {**names, "print": f"{self.names.trainer}.print"}
            node = self._written_by_first(node, statement)
        renamed = rename(node, names)
        seconds = [s for s in self.draft.seconds if s.statement in set(walk(statement))]
        if seconds:
            lines = evaluated(self.draft, self.state, self.names, node, seconds)
            text = "".join(self.code(statement, rename(line, names)) for line in lines)
            return Edit(self._first_line(statement), self._last_line(statement), text)
        text = self.code(statement, renamed)
        return Edit(self._first_line(statement), self._last_line(statement), text)

    def code(self, statement: ast.stmt, node: Statement) -> str:
        """The text of a changed statement at the place of the old one."""
        raw = self.source.lines[statement.lineno - 1]
        indent = re.match(r"\s*", raw).group()  # type: ignore[union-attr]
        node = node.with_changes(leading_lines=[])
        module = self.source.module
        if indent:
            holder = cst.If(cst.Name("_"), cst.IndentedBlock([node], indent=indent))
            text = cst.Module([holder], default_indent=module.default_indent).code
            text = _unix(text).partition("\n")[2]
        else:
            text = _unix(cst.Module([node], default_indent=module.default_indent).code)
        return text if text.endswith("\n") else text + "\n"

    def at_indent(self, statement: ast.stmt, indent: str) -> str:
        """A statement of the loop's `else`, out of its block."""
        twin = self.source.twins[statement]
        node = standalone(twin.node, twin.index)
        names = {name: f"{self.names.instance}.{attribute}" for name, attribute in self.state.after.items()}
        code = cst.Module([rename(node, names)], default_indent=self.source.module.default_indent).code
        return "".join(f"{indent}{line}\n" if line else "\n" for line in _unix(code).splitlines())

    def _first_line(self, statement: ast.stmt) -> int:
        decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
        return min([statement.lineno, *(d.lineno for d in decorators)]) - 1

    def _last_line(self, statement: ast.stmt) -> int:
        twin = self.source.twins[statement]
        if isinstance(twin.node, cst.SimpleStatementLine) and len(twin.node.body) > 1:
            return max(s.end_lineno or s.lineno for s, t in self.source.twins.items() if t.node is twin.node)
        return statement.end_lineno or statement.lineno


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _inside(draft: Draft) -> set[int]:
    """The ids of all nodes that stand in moved code: they are gone with it."""
    found = {id(n) for n in walk(draft.nest.outermost)}
    frames = draft.nest.entered
    if draft.validation is not None:
        frames += draft.validation.frames
    for frame in frames:
        if frame.caller is not None:
            found |= {id(n) for n in walk(frame.scope)}
    return found
