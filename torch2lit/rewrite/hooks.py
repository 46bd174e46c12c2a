"""The body of one hook, from the raw statements that were moved there."""

from __future__ import annotations

import ast
import itertools
from dataclasses import replace
from typing import Any, TypeVar

import libcst as cst

from ..plan.draft import (
    BATCH_START,
    EPOCH_END,
    EPOCH_START,
    TRAINING_STEP,
    VALIDATION_START,
    VALIDATION_STEP,
    Draft,
    Logged,
    Reports,
)
from ..plan.last_returns import leaves_only_loop
from ..plan.several_loaders import LOADER_INDEX, started_names
from ..plan.state import State
from ..plan.steps import controls
from ..recover.backwards import object_backward
from ..recover.items import Guard, Item, parts
from ..recover.names import flow
from ..recover.nest import Frame
from ..recover.state_names import is_attribute
from ..recover.syntax import walk
from ..recover.variables import Variable
from .exchanged import exchanged, with_words
from .logged import with_reports
from .loud import loud
from .rename import rename, rename_statements
from .several import decided_by_first, written_by
from .statements import Replacement, Replacer, Statement, as_lines, standalone, without_last_return

Node = TypeVar("Node", bound=cst.CSTNode)
_RESULT = "_result_of_the_call_"
_OWN = "self"
"""What the script may call something of its own, and what the hooks call the module."""


class HookWriter:
    """Writes hooks of one draft."""

    def __init__(self, draft: Draft, state: State) -> None:
        self.draft = draft
        self.state = state
        self._names: dict[tuple[int, str], dict[str, str]] = {}

    def names(self, frame: Frame, hook: str, node: ast.AST) -> dict[str, str]:
        """What the names of a node stand for in a hook."""
        found: dict[str, str] = {}
        uses = flow([node])
        for name in uses.read | uses.written:
            variable = self.draft.variables.of(frame, name)
            if variable is None:
                continue
            text = self.state.in_hook.get((hook, variable)) or self.state.reading(variable) or None
            if text is None and variable.name != name:
                text = variable.name
            if text is not None and text != name:
                found[name] = text + self._of_loader(variable, frame, hook)
        if self.draft.several is not None and "print" in uses.read:
            if self.draft.roles.key(frame.scope, "print") is None:
                found["print"] = "self.print"
        return found

    def _of_loader(self, variable: Variable, frame: Frame, hook: str) -> str:
        """The place of a loader's own value, where the validation runs over several."""
        if variable not in self.state.per_loader or hook == VALIDATION_START:
            return ""
        if hook == VALIDATION_STEP or self.draft.validation is None:
            return f"[{LOADER_INDEX}]"
        return f"[{[one.frame for one in self.draft.validation.all].index(frame)}]"

    def expression(self, node: ast.expr, frame: Frame, hook: str) -> cst.BaseExpression:
        """An expression as it reads in a hook."""
        parsed = exchanged(cst.parse_expression(self._one_line(node)), self._exchanged([node]))
        return rename(parsed, self.names(frame, hook, node))

    def _one_line(self, node: ast.expr) -> str:
        text = self.draft.source.segment(node)
        if "\n" in text and not text.lstrip().startswith(("(", "[", "{")):
            return f"({text})"
        return text

    def text(self, node: ast.expr, frame: Frame, hook: str) -> str:
        """An expression as it reads in a hook, as source."""
        return cst.Module([]).code_for_node(self.expression(node, frame, hook))

    # ---- items

    def body(self, hook: str, items: list[Item]) -> list[Statement]:
        """The statements of a hook, its prologue first."""
        lines: list[Statement] = []
        if declared := sorted(n for n in self.state.global_names.get(hook, ()) if not is_attribute(n)):
            lines.append(_parse(f"global {', '.join(declared)}"))
        for text in self.state.prologue.get(hook, []):
            lines.append(_parse(text))
        if unpacking := self.state.unpacked.get(hook, ""):
            lines.append(_parse(unpacking))
        start = len(lines)
        carried: list[cst.EmptyLine] = []
        guard: Guard | None = None
        arms: list[Guard] = []
        for item in items:
            if item.node in self.draft.removals and item.kind == "statement":
                if item.node is self.draft.returned_at and self.draft.returned_name:
                    lines.append(self._returned_line())
                carried += self._footer(item)
                continue
            written = self.item(item, hook)
            if item in self.draft.loud_items and written:
                written = [loud(self._fresh_end)(written)]
            if carried and written:
                written[0] = written[0].with_changes(leading_lines=[*carried, *_leading(written[0])])
                carried = []
            if not written:
                carried += self._footer(item)
                continue
            if item.guard is None:
                lines += written
            elif item.guard is guard:
                lines[-1] = _longer(lines[-1], written)
            elif arms and guard is arms[-1] and _is_another_arm(item.guard, arms):
                lines[-1] = _or_else(lines[-1], self._guarded(item.guard, hook, written), _is_last(item.guard, arms))
                arms.append(item.guard)
            else:
                lines.append(self._guarded(item.guard, hook, written))
                arms = [item.guard]
            guard = item.guard
            carried += self._footer(item)
        lines += [_parse(text) for text in self.state.epilogue.get(hook, [])]
        if hook == TRAINING_STEP and self.draft.automatic:
            lines.append(self._return(carried))
            carried = []
        else:
            lines = [*lines[:start], *without_last_return(lines[start:])]
        if carried and lines:
            self.trailing = carried
        if len(lines) > start and start < len(lines):
            first = lines[start]
            lines[start] = first.with_changes(leading_lines=_without_blank_start(_leading(first)))
        return lines

    def _guarded(self, guard: Guard, hook: str, lines: list[Statement]) -> Statement:
        """The first statements of a hook that run in some of its turns only, under their condition."""
        test = "self.trainer.is_last_batch"
        if guard.test is not None and guard.frame is not None:
            test = self.text(guard.test, guard.frame, hook)
        elif guard.loaders:
            test = f"{LOADER_INDEX} {f'== {guard.loaders[0]}' if len(guard.loaders) == 1 else f'in {guard.loaders}'}"
        block = _parse(f"if {test}:\n    pass\n")
        assert isinstance(block, cst.If)
        lines = [lines[0].with_changes(leading_lines=_without_blank_start(_leading(lines[0]))), *lines[1:]]
        return block.with_changes(body=cst.IndentedBlock(lines))

    trailing: list[cst.EmptyLine] | None = None

    def opening(self, hook: str) -> int:
        """How many lines of a hook come before its first raw statement."""
        lines = len(self.state.prologue.get(hook, []))
        return lines + bool(self.state.global_names.get(hook)) + bool(self.state.unpacked.get(hook, ""))

    def _returned_line(self) -> Statement:
        assert self.draft.returned is not None
        text = self.text(self.draft.returned, self.draft.nest.step_frame, TRAINING_STEP)
        return _parse(f"{self.draft.returned_name} = {text}")

    def returned_text(self) -> str:
        """What ``training_step`` returns in automatic optimization."""
        if self.draft.returned_name:
            return self.draft.returned_name
        assert self.draft.returned is not None
        return self.text(self.draft.returned, self.draft.nest.step_frame, TRAINING_STEP)

    def _return(self, comments: list[cst.EmptyLine]) -> Statement:
        line = _parse(f"return {self.returned_text()}")
        return line.with_changes(leading_lines=[c for c in comments if c.comment])

    def _footer(self, item: Item) -> list[cst.EmptyLine]:
        """The comments that end the block whose last statement this is, when the block itself is taken apart."""
        if item.kind != "statement":
            return []
        parent = self.draft.source.parents.get(item.node)
        flattened = {self.draft.nest.outermost, item.parent}
        if self.draft.nest.batches is not None:
            flattened.add(self.draft.nest.batches.node)
        if self.draft.validation is not None:
            flattened |= {one.loop.node for one in self.draft.validation.firsts}
        if not (
            parent in flattened
            or (isinstance(parent, ast.FunctionDef) and parent is item.frame.scope and item.frame.caller)
        ):
            return []
        body = getattr(parent, "body", [])
        if not body or body[-1] is not item.node:
            return []
        if isinstance(parent, ast.FunctionDef | ast.For | ast.With | ast.If):
            twin = self.draft.source.twins.get(parent)
            block: Any = getattr(twin.node, "body", None) if twin else None
            if isinstance(block, cst.IndentedBlock):
                return [line for line in block.footer if line.comment]
        return []

    def item(self, item: Item, hook: str) -> list[Statement]:
        """One item as statements of a hook."""
        if hook == VALIDATION_START and self.state.per_loader & self.draft.variables.use(item).written:
            return [self._for_each_loader(item)]
        if item.kind == "bind":
            return [self._bind(item, hook)]
        if item.kind == "enter":
            return self._enter(item, hook)
        if item.kind == "leave":
            assert isinstance(item.node, ast.With)
            contexts = [self.state.contexts[part] for part in reversed(item.node.items)]
            return [_parse(f"{context}.__exit__(None, None, None)") for context in contexts]
        if item.kind == "stop":
            assert item.value is not None
            test = self._negated(item.value, item.frame, hook)
            line = _parse(f"if {test}:\n    self.trainer.should_stop = True\n")
            common = self.draft.several is not None and item.node in self.draft.several.common
            return as_lines(decided_by_first(None)(line)) if common else [line]
        if item.kind == "validates":
            assert item.value is not None
            test = self.text(item.value, item.frame, hook)
            limit = self.text(*item.limit, hook) if item.limit is not None else "1.0"
            line = _parse(f"self.trainer.limit_val_batches = {limit} if {test} else 0")
            above = [c for c in _leading(self.draft.source.twins[item.node].node) if c.comment]  # type: ignore[arg-type]
            return [line.with_changes(leading_lines=above)]
        if item.kind == "saves":
            return [self._saving(item, hook)]
        if item.kind == "result":
            return self._result(item, hook)
        twin = self.draft.source.twins[item.node]
        node = standalone(twin.node, twin.index)
        names = self.names(item.frame, hook, item.node) | self._names_of_texts(item, hook)
        own = names.pop(_OWN, "")
        changed = [self._told(line, item) for line in self._replaced(node, item.node, hook, own)]
        if changed and (above := self._above(item)):
            changed[0] = changed[0].with_changes(leading_lines=[*above, *_leading(changed[0])])
        return [rename(line, names) for line in changed]

    def _saving(self, item: Item, hook: str) -> Statement:
        """What a callback has written, where the condition holds for it."""
        assert item.value is not None
        text = self.text(item.value, item.frame, hook)
        line = f"{item.target}({text}, path)" if item.target else text
        return _parse(f"if {self.text(*item.limit, hook)}:\n    {line}\n" if item.limit is not None else line)

    def _told(self, line: Node, item: Item) -> Node:
        """What tells a number that Lightning keeps asks for it by its name."""
        texts = self._exchanged([part for part, _frame in parts(item)])
        return with_words(exchanged(line, texts), self.draft.words) if texts or self.draft.sums else line

    def _exchanged(self, code: list[ast.AST]) -> dict[str, str]:
        if not self.draft.exchanged:
            return {}
        nodes = {n for part in code for n in walk(part)} & self.draft.exchanged.keys()
        return {ast.unparse(n): self.draft.exchanged[n] for n in nodes}

    def _names_of_texts(self, item: Item, hook: str) -> dict[str, str]:
        """What the names in texts of accepted proposals stand for: they may be of a statement beside it."""
        texts = [t for s in _inner(item.node) if (t := self.draft.texts.get(s))]
        found = {n: home for t in texts for n, home in self.names(item.frame, hook, ast.parse(t)).items()}
        return {name: home for name, home in found.items() if name != "self"}

    def _above(self, item: Item) -> list[cst.EmptyLine]:
        """What stands above the autocast block whose first statement this is, when the Trainer takes its place."""
        mixed, parent = self.draft.mixed, item.parent
        if mixed is None or parent not in (mixed.block, mixed.around) or not isinstance(parent, ast.With):
            return []
        twin = self.draft.source.twins.get(parent)
        return _leading(twin.node) if twin is not None and parent.body[0] is item.node else []  # type: ignore[arg-type]

    def _replaced(self, node: Statement, statement: ast.stmt, hook: str, own: str = "") -> list[Statement]:
        """A statement with what takes the place of its parts; ``own``: what a variable of the script called `self` is in the module."""
        places: dict[int, cst.CSTNode] = {}
        alone = node.body[0] if isinstance(node, cst.SimpleStatementLine) else None
        if own:
            node, places = rename_statements(node, {_OWN: own})
        changes: dict[int, Replacement | None] = {}
        leaving = {id(c) for c in controls(statement)}
        for inner in _inner(statement):
            twin = self.draft.source.twins.get(inner)
            if twin is None:
                continue
            target: Any = twin.small if twin.small is not None else twin.node
            if inner is statement and alone is not None:
                target = alone  # one of several on a line is another node by itself
            if inner in self.draft.removals:
                changes[id(target)] = None
            elif inner in self.draft.claims:
                changes[id(target)] = self.draft.claims[inner].replace
            elif id(inner) in leaving:
                changes[id(target)] = self._leave(inner, hook)
            elif isinstance(inner, ast.Global):
                changes[id(target)] = None
            if id(target) in places:
                if id(target) in changes:
                    changes[id(places[id(target)])] = changes.pop(id(target))
                target = places[id(target)]
            if (several := self.draft.several) is not None and inner not in self.draft.removals:
                if inner in several.common:
                    changes[id(target)] = decided_by_first(changes.get(id(target)), several.common[inner])
                elif inner in several.written:
                    changes[id(target)] = written_by("self.trainer", changes.get(id(target)))
            if inner in self.draft.loud and inner not in self.draft.removals:
                changes[id(target)] = loud(self._fresh_end, changes.get(id(target)))
            if inner in self.draft.reports and inner not in self.draft.removals:
                reports = _reports_of(self.draft.reports[inner], own)
                changes[id(target)] = with_reports(reports, changes.get(id(target)), self.draft.own_points)
        if not changes:
            backward = any(isinstance(n, ast.Attribute) and n.attr == "backward" for n in walk(statement))
            return self._manual(node, statement) if backward else [node]
        holder = cst.Module([node]).visit(Replacer(changes))
        assert isinstance(holder, cst.Module)
        return [line for part in holder.body for line in self._manual(part, statement)]

    @property
    def _fresh_end(self) -> str:
        return next(
            n for i in itertools.count(1) if (n := f"end_{i}" if i > 1 else "end") not in self.draft.source.names
        )

    def _leave(self, control: ast.AST, hook: str) -> Replacement:
        """What ``break``, ``continue`` and ``return`` become when their loop is Lightning's."""
        if hook == BATCH_START:
            return lambda _node: cst.Return(cst.parse_expression("-1"))
        leaves = isinstance(control, ast.Break) or leaves_only_loop(self.draft, control)
        if leaves and hook in (EPOCH_START, TRAINING_STEP, EPOCH_END):
            return lambda _node: [_parse("self.trainer.should_stop = True"), _parse("return")]
        return lambda _node: cst.Return()

    def _manual(self, node: Statement, raw: ast.AST) -> list[Statement]:
        if self.draft.automatic:
            return [node]
        own = {
            ast.unparse(call.func.value).rpartition(".")[2]
            for call in walk(raw)
            if isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and object_backward(self.draft.roles, call, self.draft.source.scope_of(call))
        }
        return [node.visit(_ManualBackward(own))]  # type: ignore[list-item]

    def _bind(self, item: Item, hook: str) -> Statement:
        assert item.value is not None and item.frame.caller is not None
        targets = []
        for name in item.bound:
            variable = self.draft.variables.of(item.frame, name)
            home = (
                "" if variable is None else self.state.in_hook.get((hook, variable)) or self.state.homes.get(variable)
            )
            targets.append(home or (variable.name if variable is not None else name))
        apart = "," if len(item.spread) == 1 else ""
        line = _parse(f"{', '.join(targets)}{apart} = {self.text(item.value, item.frame.caller, hook)}")
        return with_words(line, self.draft.words)

    def _for_each_loader(self, item: Item) -> Statement:
        """A value that a validation over several loaders starts with, once for each of them."""
        node, count = item.node, len(self.draft.validation.all) if self.draft.validation is not None else 1
        if item.kind == "bind":
            pairs, frame = [(item.target, item.value)], item.frame.caller
        else:
            assert isinstance(node, ast.Assign)
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            names = started_names(node)
            pairs, frame = list(zip(names, values if len(names) > 1 else [node.value], strict=True)), item.frame
        targets, lists = [], []
        for name, value in pairs:
            variable = self.draft.variables.of(item.frame, name)
            assert value is not None and frame is not None and variable is not None
            text = self.text(value, frame, VALIDATION_START)
            targets.append(self.state.homes.get(variable, name))
            lists.append(f"[{', '.join([text] * count)}]" if variable in self.state.per_loader else text)
        line = _parse(f"{', '.join(targets)} = {', '.join(lists)}")
        if item.kind == "bind":
            return line
        return line.with_changes(leading_lines=[c for c in _leading(self.draft.source.twins[node].node) if c.comment])  # type: ignore[arg-type]

    def _negated(self, test: ast.expr, frame: Frame, hook: str) -> str:
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            return self.text(test.operand, frame, hook)
        text = self.text(test, frame, hook)
        simple = isinstance(test, ast.Name | ast.Attribute | ast.Call | ast.Compare | ast.Subscript)
        return f"not {text}" if simple else f"not ({text})"

    def _enter(self, item: Item, hook: str) -> list[Statement]:
        """A `with` begins: what it opens is held by the module until the hook that closes it."""
        assert isinstance(item.node, ast.With)
        lines: list[Statement] = []
        for part in item.node.items:
            context = self.state.contexts[part]
            lines.append(_parse(f"{context} = {self.text(part.context_expr, item.frame, hook)}"))
            target = f"{self.text(part.optional_vars, item.frame, hook)} = " if part.optional_vars is not None else ""
            lines.append(_parse(f"{target}{context}.__enter__()"))
        comments = [c for c in _leading(self.draft.source.twins[item.node].node) if c.comment]  # type: ignore[arg-type]
        lines[0] = lines[0].with_changes(leading_lines=comments)
        return lines

    def _result(self, item: Item, hook: str) -> list[Statement]:
        twin = self.draft.source.twins[item.node]
        node = standalone(twin.node, twin.index)
        names = self.names(item.frame, hook, item.node)
        results: list[cst.BaseExpression] = []
        for number, one in enumerate(_chain(item)):
            assert one.callee is not None and one.call is not None and isinstance(one.call.func, ast.Name)
            swap = _Swap(one.call.func.id, f"{_RESULT}{number}_")
            swapped = node.visit(swap)
            assert isinstance(swapped, Statement)
            node = swapped
            value = cst.parse_expression("None")
            if one.value is not None:
                value = self._returned(one, hook)
            bare = isinstance(value, cst.Tuple | cst.NamedExpr | cst.GeneratorExp) and not swap.assigned
            if _needs_parentheses(value) and (bare or not swap.alone):
                value = value.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
            results.append(value)
        renamed = rename(node, names)
        assert isinstance(renamed, Statement)
        final = renamed.visit(_PutResults({f"{_RESULT}{i}_": value for i, value in enumerate(results)}))
        assert isinstance(final, Statement)
        lines = self._manual(with_words(final, self.draft.words), item.node)
        if (reports := self.draft.reports.get(item.node)) is not None:
            own = names.pop(_OWN, "")
            logs = with_reports(_reports_of(reports, own), lambda _node: [], self.draft.own_points)(node)
            lines = [*lines, *(rename(self._told(line, item), names) for line in logs)]
        return lines

    def _returned(self, item: Item, hook: str) -> cst.BaseExpression:
        """What a call gives: its function's last value, or another one that it returns at once."""
        assert item.value is not None and item.callee is not None
        value = self.expression(item.value, item.callee, hook)
        if item.unless is None:
            return value
        test, other = (self.text(part, item.callee, hook) for part in item.unless)
        return cst.parse_expression(f"{other} if {test} else {cst.Module([]).code_for_node(value)}")


def _chain(item: Item) -> list[Item]:
    """A result and those that are put into the same statement before it, the earliest first."""
    return [*(_chain(item.inner) if item.inner is not None else []), item]


def _reports_of(reports: Reports, own: str) -> Reports:
    """Reports with ``own`` in place of what the script calls `self`."""
    if not own:
        return reports

    def one(logged: Logged) -> Logged:
        value = rename(cst.parse_expression(logged.value), {_OWN: own})
        return replace(logged, value=cst.Module([]).code_for_node(value))

    return replace(reports, before=[*map(one, reports.before)], after=[*map(one, reports.after)])


def _needs_parentheses(node: cst.BaseExpression) -> bool:
    return (
        not isinstance(node, cst.Name | cst.Attribute | cst.Call | cst.Subscript | cst.BaseNumber | cst.BaseString)
        and not node.lpar
    )


class _Swap(cst.CSTTransformer):
    """Put a mark in place of the first call of a function."""

    def __init__(self, function: str, mark: str) -> None:
        super().__init__()
        self.function = function
        self.mark = mark
        self.done = False
        self.alone = False
        self.assigned = False

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        if not self.done and isinstance(original_node.func, cst.Name) and original_node.func.value == self.function:
            self.done = True
            return cst.Name(self.mark)
        return updated_node

    def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> cst.Assign:
        self.assigned = self._is_mark(updated_node.value)
        self.alone |= self.assigned
        return updated_node

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> cst.Arg:
        self.alone |= self._is_mark(updated_node.value)
        return updated_node

    def leave_Element(self, original_node: cst.Element, updated_node: cst.Element) -> cst.Element:
        self.alone |= self._is_mark(updated_node.value)
        return updated_node

    def leave_FormattedStringExpression(
        self, original_node: cst.FormattedStringExpression, updated_node: cst.FormattedStringExpression
    ) -> cst.FormattedStringExpression:
        self.alone |= self._is_mark(updated_node.expression)
        return updated_node

    def _is_mark(self, node: cst.BaseExpression) -> bool:
        return isinstance(node, cst.Name) and node.value == self.mark


class _PutResults(cst.CSTTransformer):
    def __init__(self, values: dict[str, cst.BaseExpression]) -> None:
        super().__init__()
        self.values = values

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        return self.values.get(original_node.value, updated_node)


class _ManualBackward(cst.CSTTransformer):
    """``loss.backward(...)`` → ``self.manual_backward(loss, ...)``, but for objects of the script's own."""

    def __init__(self, own: set[str]) -> None:
        super().__init__()
        self.own = own

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.Call:
        function = updated_node.func
        if not isinstance(function, cst.Attribute) or function.attr.value != "backward":
            return updated_node
        if isinstance(function.value, cst.Attribute) and function.value.attr.value == "autograd":
            return updated_node
        receiver = function.value.attr if isinstance(function.value, cst.Attribute) else function.value
        if isinstance(receiver, cst.Name) and receiver.value in self.own:
            return updated_node
        arguments = [cst.Arg(function.value.with_changes(lpar=[], rpar=[])), *updated_node.args]
        return updated_node.with_changes(
            func=cst.Attribute(cst.Name("self"), cst.Name("manual_backward")), args=arguments
        )


def _longer(block: Statement, lines: list[Statement]) -> Statement:
    """An `if` statement with more statements in its last block."""
    assert isinstance(block, cst.If | cst.Else) and isinstance(block.body, cst.IndentedBlock)
    if isinstance(block, cst.If) and block.orelse is not None:
        return block.with_changes(orelse=_longer(block.orelse, lines))  # type: ignore[arg-type]
    return block.with_changes(body=block.body.with_changes(body=[*block.body.body, *lines]))


def _or_else(block: Statement, other: Statement, last: bool) -> Statement:
    """An `if` statement and another one as its `elif`, or as its `else` where that is the ``last`` possibility."""
    assert isinstance(block, cst.If) and isinstance(other, cst.If)
    if isinstance(block.orelse, cst.If):
        return block.with_changes(orelse=_or_else(block.orelse, other, last))
    return block.with_changes(orelse=cst.Else(other.body) if last else other)


def _is_another_arm(guard: Guard, earlier: list[Guard]) -> bool:
    """Whether items are for other loaders than all of those before them."""
    return bool(guard.loaders) and all(one.loaders and one.part == guard.part for one in earlier)


def _is_last(guard: Guard, earlier: list[Guard]) -> bool:
    """Whether all loaders of a validation are those of this guard or of earlier ones."""
    return len({i for one in [*earlier, guard] for i in one.loaders}) == guard.count


def _inner(statement: ast.stmt) -> list[ast.stmt]:
    return [n for n in walk(statement) if isinstance(n, ast.stmt)]


def _parse(text: str) -> Statement:
    statement = cst.parse_statement(text)
    assert isinstance(statement, Statement)
    return statement


def _leading(line: Statement) -> list[cst.EmptyLine]:
    return list(getattr(line, "leading_lines", []))


def _without_blank_start(lines: list[cst.EmptyLine]) -> list[cst.EmptyLine]:
    while lines and lines[0].comment is None:
        lines = lines[1:]
    return lines
