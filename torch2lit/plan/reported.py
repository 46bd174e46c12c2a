"""The numbers that a script reports: each is logged where that happens, so that any callback can monitor it.

What is printed, written or kept in a history is logged after the statement, what decides (best, patience, plateau) before it and in
double, as the script's own comparison is. Only what is provably a number or a tensor of one element is logged, or what the script itself
formats as a float there: `self.log` takes nothing else.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ..recover.items import Item
from ..recover.roles import Role
from ..recover.state_names import is_state
from ..recover.syntax import blocks, walk, walk_scope
from .draft import (
    BATCH_END,
    BEFORE_STEP,
    EPOCH_END,
    EPOCH_START,
    TRAINING_STEP,
    VALIDATION_END,
    VALIDATION_START,
    VALIDATION_STEP,
    Draft,
    Logged,
    Reports,
)
from .idioms import StatementSite
from .log_names import log_name, of_epoch, of_validation
from .looks import Looks
from .metrics import logged_numbers
from .no_arrays import NoArrays
from .numbers import Numbers
from .shown_numbers import Shown, root_of, shown_numbers
from .state import State
from .steps import open_controls

_HOOKS = (TRAINING_STEP, BEFORE_STEP, BATCH_END, EPOCH_START, VALIDATION_END, EPOCH_END)
_STEPS = (TRAINING_STEP, BEFORE_STEP, BATCH_END)
_OF_VALIDATION = (VALIDATION_START, VALIDATION_STEP, VALIDATION_END)
_CLOCKS = ("time.", "datetime.", "psutil.")
_BEST = ("best", "min_", "max_", "_min", "_max", "lowest", "highest", "minimum")


@dataclass(frozen=True, slots=True)
class _Place:
    """A statement that may report, where it runs. ``depth``: how many blocks stand around it in its hook."""

    item: Item
    statement: ast.stmt
    hook: str
    depth: int
    order: int


def report_numbers(draft: Draft, state: State) -> None:
    """Decide what is logged beside which statement."""
    _Reporter(draft, state).run()


class _Reporter:
    def __init__(self, draft: Draft, state: State) -> None:
        self.draft = draft
        self.state = state
        self.numbers = Numbers(draft)
        self.looks = Looks(draft)
        self.no_arrays = NoArrays(draft)
        self.taken: dict[str, set[str]] = {}
        self.values: set[tuple[str, str]] = set()
        self.deciding = _deciding(draft)
        self.homes: set[str] = set()
        validating = [i for hook in _OF_VALIDATION for i in draft.hooks.get(hook, [])]
        self.validated = draft.variables.sequence(validating).written if draft.validation is not None else frozenset()

    def run(self) -> None:
        for claim in self.draft.claims.values():
            self.taken.setdefault(TRAINING_STEP, set()).update(claim.logged)
            self.taken.setdefault(EPOCH_END, set()).update(claim.logged)
            self.taken.setdefault(BATCH_END, set()).update(claim.logged)
        self._end_validation()
        for hook in _HOOKS:
            places = sorted(self._places(hook), key=lambda p: (p.depth, p.order))
            for place in places:
                self._report(place)

    def _end_validation(self) -> None:
        """What is logged when all else of a validation is done."""
        variables = {home: variable for variable, home in self.state.homes.items()}
        names = self.taken.setdefault(VALIDATION_END, set())
        for attribute, home in logged_numbers(self.draft, self.state).items():
            name = log_name(ast.Name(attribute, ast.Load()), "")
            if not name or (name := of_validation(name)) in names:
                continue
            names.add(name)
            self.homes.add(home)
            decides = variables[home] in self.deciding
            self.draft.validation_numbers.append(self._in_double(name, home) if decides else Logged(name, home))

    def _places(self, hook: str) -> Iterator[_Place]:
        order = 0
        for item in self.draft.hooks.get(hook, []):
            if item.kind != "statement":
                continue
            for statement, depth in self._statements(item.node, hook, 0):
                order += 1
                yield _Place(item, statement, hook, depth, order)

    def _statements(self, statement: ast.stmt, hook: str, depth: int) -> Iterator[tuple[ast.stmt, int]]:
        if statement in self.draft.removals or isinstance(
            statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ):
            return
        yield statement, depth
        if isinstance(statement, ast.For | ast.AsyncFor | ast.While) and hook not in _STEPS:
            return  # one name, many values: their mean would be logged
        for block in blocks(statement):
            for inner in block:
                yield from self._statements(inner, hook, depth + 1)

    def _report(self, place: _Place) -> None:
        found: list[Logged] = []
        for shown in shown_numbers(self.draft.source, place.statement):
            if shown.holder and place.hook in _STEPS and self._starts_anew(place):
                continue
            try:
                logged = self._logged(shown, place)
            except SyntaxError:
                continue
            if logged is not None:
                found.append(logged)
        decided = self._decided(place)
        if found or decided:
            before = decided if isinstance(place.statement, ast.If) else []
            after = [*found, *(decided if not before else [])]
            self.draft.reports[place.statement] = Reports(before, after, self._is_shared(place))

    def _decided(self, place: _Place) -> list[Logged]:
        """The numbers by which a test, or a schedule that waits for a plateau, decides."""
        if place.hook in _STEPS or self._is_elif(place.statement):
            return []
        part = place.statement.test if isinstance(place.statement, ast.If) else place.statement
        if part is place.statement and not isinstance(part, ast.Expr):
            return []
        found = []
        for name in (n for node in walk_scope(part) for n in _compared(self.draft, node, place.item)):
            value = ast.Name(name, ast.Load())
            if self.numbers.number(value, place.item.frame) and not self._is_logged_already(value, place):
                if shown := self._name(log_name(value, ""), place, value, name):
                    found.append(self._in_double(shown, name))
        return found

    def _is_elif(self, statement: ast.stmt) -> bool:
        parent = self.draft.source.parents.get(statement)
        return isinstance(parent, ast.If) and isinstance(statement, ast.If) and parent.orelse == [statement]

    def _logged(self, shown: Shown, place: _Place) -> Logged | None:
        node, frame = shown.node, place.item.frame
        site = StatementSite(self.draft, place.item, place.statement, place.hook, set())
        if isinstance(node, ast.Constant) or not self._may_be_repeated(node, place):
            return None
        value, form = shown.value, ""
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name() as inner, attr="item"), args=[]) if site.is_loss(inner):
                value = inner.id
        if value != shown.value or (site.is_loss(node) and (shown.formatted or not self._is_reduced(node, place))):
            form = ""
        elif self.numbers.number(node, frame):
            if not shown.formatted and not self._is_measured(node, place, 0):
                return None
        elif shown.formatted == "exact" and self.no_arrays.surely(node, frame.scope):
            form = ""
        elif shown.formatted and self.draft.roles.key(frame.scope, "float") is None:
            form = "float"
        else:
            return None
        if self._is_logged_already(node, place):
            return None
        name = self._name(log_name(node, shown.label, shown.holder), place, node, value)
        if not name:
            return None
        if form == "" and self.numbers.number(node, frame) and self._decides(node, place):
            return self._in_double(name, value)
        return Logged(name, value, form)

    def _is_logged_already(self, node: ast.expr, place: _Place) -> bool:
        """Whether the end of every validation logs the value."""
        if not isinstance(node, ast.Name):
            return False
        variable = self.draft.variables.of(place.item.frame, node.id)
        if variable is None:
            return False
        home = self.state.in_hook.get((place.hook, variable)) or self.state.homes.get(variable, "")
        return home in self.homes

    def _is_validated(self, node: ast.expr, place: _Place) -> bool:
        """Whether a value is made of what the validation found."""
        names = [n.id for n in walk(node) if isinstance(n, ast.Name)]
        return any(self.draft.variables.of(place.item.frame, name) in self.validated for name in names)

    def _name(self, name: str, place: _Place, node: ast.expr, value: str) -> str:
        """The name as it is logged in a hook; "" when that number or that name is logged there already."""
        if not name or (place.hook, value) in self.values:
            return ""
        if place.hook in (VALIDATION_END, EPOCH_END) and self._is_validated(node, place):
            name = of_validation(name)
        elif place.hook not in _STEPS and any(
            name in names for hook, names in self.taken.items() if hook != place.hook
        ):
            name = of_epoch(name)
        if any(name in names for names in self.taken.values()):
            return ""
        self.values.add((place.hook, value))
        self.taken.setdefault(place.hook, set()).add(name)
        return name

    def _may_be_repeated(self, node: ast.expr, place: _Place) -> bool:
        """Whether evaluating the value once more gives it again, changes nothing and costs next to nothing."""
        for part in walk(node):
            if isinstance(part, ast.Call):
                full = self.draft.roles.full_name(part.func)
                if full.startswith(_CLOCKS) or self.draft.source.function(full) is not None:
                    return False
                if isinstance(part.func, ast.Attribute) and any(
                    f.name == part.func.attr for f in self.draft.source.functions
                ):
                    return False
            if isinstance(part, ast.Starred | ast.Lambda):
                return False
        return self.looks.only(node, place.item.frame)

    def _is_reduced(self, node: ast.expr, place: _Place) -> bool:
        """Whether a name gets a value that a call makes of its last one: what had more elements may have one then."""
        if not isinstance(node, ast.Name):
            return False
        key = self.draft.roles.key(place.item.frame.scope, node.id)
        for binding in self.draft.roles.bindings(key) if key is not None else ():
            for call in (n for n in walk(binding.value) if isinstance(n, ast.Call)):
                if any(isinstance(n, ast.Name) and n.id == node.id for n in walk(call)):
                    return True
        return False

    def _is_measured(self, node: ast.expr, place: _Place, depth: int) -> bool:
        """Whether a number comes from a tensor or a division: counts and settings are no results."""
        for part in walk(node):
            if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr == "item":
                return True
            if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Div):
                return True
            if isinstance(part, ast.Name) and depth < 4:
                frame = place.item.frame
                key = self.draft.roles.key(frame.scope, part.id)
                values = [b.value for b in self.draft.roles.bindings(key)] if key is not None else []
                values += [
                    n.value
                    for i in self.draft.all_items()
                    for n in (walk_scope(i.node) if i.kind == "statement" else ())
                    if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name) and n.target.id == part.id
                ]
                if any(not self._same(part.id, v) and self._is_measured(v, place, depth + 1) for v in values):
                    return True
        return False

    @staticmethod
    def _same(name: str, value: ast.expr) -> bool:
        return isinstance(value, ast.Name) and value.id == name

    def _starts_anew(self, place: _Place) -> bool:
        """Whether the list that a step appends to is a new one in every epoch: then it is no history."""
        call = place.statement.value  # type: ignore[attr-defined]
        root = root_of(call.func.value)
        variable = self.draft.variables.of(place.item.frame, root)
        if variable is None or is_state(root):
            return True
        return variable in self.draft.variables.sequence(self.draft.all_items()).written

    def _in_double(self, name: str, value: str) -> Logged:
        tree = self.draft.source.tree
        names = [a for s in tree.body if isinstance(s, ast.Import) for a in s.names]
        found = [
            a.asname or "torch" for a in names if a.name == "torch" or (a.name.startswith("torch.") and not a.asname)
        ]
        if not found and "torch" not in self.draft.imports:
            self.draft.imports.append("torch")
        return Logged(name, value, "double", found[0] if found else "torch")

    def _decides(self, node: ast.expr, place: _Place) -> bool:
        if not isinstance(node, ast.Name):
            return False
        return self.draft.variables.of(place.item.frame, node.id) in self.deciding

    def _is_shared(self, place: _Place) -> bool:
        """Whether all processes of a group surely come by, so that they may log the value of all of them."""
        if self.draft.group is None or place.hook in _STEPS or place.depth:
            return False
        items = self.draft.hooks[place.hook]
        earlier = items[: items.index(place.item)]
        return not any(open_controls(self.draft, i.node) for i in earlier if i.kind == "statement")


def _deciding(draft: Draft) -> set[object]:
    """The variables that are compared with a best value or given to a schedule that waits for a plateau."""
    found: set[object] = set()
    for hook in (VALIDATION_END, EPOCH_END, EPOCH_START, TRAINING_STEP):
        for item in draft.hooks.get(hook, []):
            for node in walk_scope(item.node):
                for name in _compared(draft, node, item):
                    if (variable := draft.variables.of(item.frame, name)) is not None:
                        found.add(variable)
    return found


def _compared(draft: Draft, node: ast.AST, item: Item) -> list[str]:
    match node:
        case ast.Compare(left=left, ops=[ast.Lt() | ast.Gt() | ast.LtE() | ast.GtE()], comparators=[right]):
            for one, other in ((left, right), (right, left)):
                if isinstance(one, ast.Name) and any(
                    word in text.lower() for n in walk(other) for text in _words(n) for word in _BEST
                ):
                    if not any(word in one.id.lower() for word in ("best",)):
                        return [one.id]
        case ast.Call(func=ast.Attribute(value=scheduler, attr="step"), args=[ast.Name(id=name)]):
            if draft.role(scheduler, item.frame) is Role.SCHEDULER:
                return [name]
    return []


def _words(node: ast.AST) -> list[str]:
    return [t for t in (getattr(node, "id", ""), getattr(node, "attr", "")) if t]
