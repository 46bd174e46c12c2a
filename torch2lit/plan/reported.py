"""The numbers that a script reports: each is logged where that happens, so that any callback can monitor it.

What is printed, written or kept in a history is logged after the statement, what decides (best, patience, plateau) before it and in
double, as the script's own comparison is. Only what is provably a number or a tensor of one element is logged, or what the script itself
formats as a float there: `self.log` takes nothing else.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ..feature import Sum
from ..recover.items import Item, names_in
from ..recover.roles import Role
from ..recover.state_names import is_state
from ..recover.syntax import blocks, walk, walk_scope
from ..recover.variables import Variable
from ..recover.ways_on import gives_up
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
from .kept_losses import bare_value, kept_by
from .log_names import is_result, is_training_loss, log_name, of_epoch, of_training, of_validation, single_value
from .logged_in_step import log_in_step
from .looks import Looks
from .measured import Measured
from .metrics import logged_numbers
from .no_arrays import NoArrays
from .numbers import Numbers
from .of_validation import OfValidation
from .one_batch import runs_once
from .returned_losses import returned_losses
from .shown import Shown
from .shown_numbers import root_of, shown_by_bar, shown_numbers
from .state import State
from .steps import open_controls

_HOOKS = (
    TRAINING_STEP,
    BEFORE_STEP,
    BATCH_END,
    EPOCH_START,
    VALIDATION_START,
    VALIDATION_STEP,
    VALIDATION_END,
    EPOCH_END,
)
_STEPS = (TRAINING_STEP, BEFORE_STEP, BATCH_END)
_AROUND = (VALIDATION_END, EPOCH_END)
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
        self.measured = Measured(draft.roles)
        self.no_arrays = NoArrays(draft)
        self.taken: dict[str, set[str]] = {}
        self.values: set[tuple[str, str]] = set()
        watched = [draft.variables.of(w.item.frame, w.watch.value.id) for w in draft.watched]
        self.deciding = _deciding(draft) | {v for v in watched if v is not None}
        self.homes: set[str] = set()
        self.of_epoch: dict[Variable, tuple[_Place, str]] = {}
        """What the hooks around an epoch log by its own name, and where."""
        self.of_validation = OfValidation(draft)
        self.sums: dict[Variable, str] = {}
        """The variables that are given what Lightning adds up, with the names under which that is logged."""
        self.told: set[str] = set()
        self.written = {s for p in draft.accepted if p.own_points for s in p.texts}

    def run(self) -> None:
        for claim in self.draft.claims.values():
            self.taken.setdefault(TRAINING_STEP, set()).update(claim.logged)
            self.taken.setdefault(EPOCH_END, set()).update(claim.logged)
            self.taken.setdefault(BATCH_END, set()).update(claim.logged)
        self._name_sums()
        self._end_validation()
        self._watch()
        for hook in _HOOKS:
            if hook == VALIDATION_STEP and not runs_once(self.draft, hook):
                continue
            places = sorted(self._places(hook), key=lambda p: (p.depth, p.order))
            for place in places:
                self._report(place)
        if not any(is_training_loss(n) for hook in (*_STEPS, EPOCH_START, EPOCH_END) for n in self.taken.get(hook, ())):
            self._keep_losses()
        log_in_step(self.draft)

    def _name_sums(self) -> None:
        """Under which name each number is logged that Lightning adds up, and which variables are given it."""
        for word, one in self.draft.sums:
            name = self._name_of_sum(one)
            name = of_validation(name) if one.of_validation else of_training(name)
            name = next(n for n in (name, *(f"{name}_{i}" for i in range(2, 100))) if n not in self._all_names())
            self.taken.setdefault(VALIDATION_STEP if one.of_validation else TRAINING_STEP, set()).add(name)
            self.draft.words[word] = f'"{name}"'
            self.sums |= dict.fromkeys(self._given(one.holders), name)
            self.told |= {ast.unparse(n) for n in one.told if one.weight}

    def _name_of_sum(self, one: Sum) -> str:
        """The script's word for a mean, and another one for a sum whose word is that of a result made of it."""
        words = [*one.called, ast.Name(one.name, ast.Load())]
        said = [n for w in words if (n := log_name(w, ""))]
        said = [single_value(n) for n in said] if one.weight else said
        added = one.value.partition(".double()")[0]
        said += [added] if one.weight and added.isidentifier() and is_result(added) else []
        found = next((n for n in said if is_result(n)), next(iter(said), ""))
        return (found or one.name) if one.weight else (f"{found}_sum" if found else one.name)

    def _all_names(self) -> set[str]:
        return {name for names in self.taken.values() for name in names}

    def _given(self, holders: Iterable[ast.expr]) -> Iterator[Variable]:
        """The variables behind these targets that nothing else gives a value."""
        wanted = {id(n) for n in holders}
        for item in self.draft.all_items():
            for name, frame in names_in(item):
                if id(name) in wanted and (variable := self.draft.variables.of(frame, name.id)) is not None:
                    writers = [i for i in self.draft.all_items() if variable in self.draft.variables.use(i).written]
                    if writers == [item]:
                        yield variable

    def _keep_losses(self) -> None:
        """Log the loss that a step only hands on, to a meter or to a sum whose mean is not known to be a number."""
        for hook in _STEPS:
            for place in self._places(hook):
                for kept in {n.id: n for n in kept_by(place.statement)}.values():
                    self._keep_loss(place, kept)
        for hook, item, kept in returned_losses(self.draft, _STEPS):
            self._keep_loss(_Place(item, item.node, hook, 0, 0), kept)

    def _keep_loss(self, place: _Place, kept: ast.Name) -> None:
        if not self._site(place).is_loss(kept) or self._is_reduced(kept, place):
            return
        name = log_name(kept, "") or "loss"
        if shown := self._name(name, place, kept, kept.id) or self._name_of_step(name, place, kept):
            self.draft.reports.setdefault(place.statement, Reports()).after.append(Logged(shown, kept.id))

    def _name_of_step(self, name: str, place: _Place, kept: ast.Name) -> str:
        """The name of a loss of the step where a validation's hook tells the epoch's by the same word."""
        told = {n for hook in (VALIDATION_START, VALIDATION_END) for n in self.taken.get(hook, ())}
        return self._name(f"{name}_step", place, kept, kept.id) if name in told else ""

    def _site(self, place: _Place) -> StatementSite:
        return StatementSite(self.draft, place.item, place.statement, place.hook)

    def _end_validation(self) -> None:
        """What is logged when all else of a validation is done."""
        variables = {home: variable for variable, home in self.state.homes.items()}
        names = self.taken.setdefault(VALIDATION_END, set())
        for attribute, home in logged_numbers(self.draft, self.state).items():
            shown = log_name(ast.Name(attribute, ast.Load()), "")
            name = of_validation(shown) if shown else ""
            if not name or name in names or variables[home] in self.sums:
                continue
            if name != shown and variables[home] not in self.of_validation.at_its_end:
                continue  # the training's number is logged where it is told
            names.add(name)
            self.homes.add(home)
            decides = variables[home] in self.deciding
            value = self.state.reading(variables[home])
            self.draft.validation_numbers.append(self._in_double(name, value) if decides else Logged(name, value))

    def _watch(self) -> None:
        """What the Trainer's callbacks watch is logged in double where the script decides by it, unless that is done when a validation ends."""
        known: dict[tuple[Variable | None, ast.stmt], str] = {}
        for watched in self.draft.watched:
            value, statement = watched.watch.value, watched.watch.before
            place = _Place(watched.item, statement, watched.hook, 0, 0)
            same = (self.draft.variables.of(watched.item.frame, value.id), statement)
            name = known.get(same, "") or self._logged_name(value, place)
            if not name:
                name = self._name(log_name(value, ""), place, value, value.id) or self._free_name(place)
                reports = self.draft.reports.setdefault(statement, Reports())
                reports.before.append(self._in_double(name, value.id))
            known[same] = name
            self.draft.words[watched.word] = f'"{name}"'
            self.draft.words[f"{watched.word[:-1]}!}}"] = name

    def _logged_name(self, value: ast.Name, place: _Place) -> str:
        """The name under which a value is logged at the end of every validation and has not changed since; "" for others."""
        variable = self.draft.variables.of(place.item.frame, value.id)
        if variable in self.sums:
            return self.sums[variable]
        if variable is None or variable in self.draft.variables.sequence(self.draft.hooks.get(EPOCH_END, [])).written:
            return ""
        home = self.state.reading(variable)
        return next((n.name for n in self.draft.validation_numbers if n.value == home), "")

    def _free_name(self, place: _Place) -> str:
        """A name for a number for which the script has no word, or whose word stands for another one."""
        names = {name for taken in self.taken.values() for name in taken}
        name = next(n for n in ("monitored", *(f"monitored_{i}" for i in range(2, 100))) if n not in names)
        self.taken.setdefault(place.hook, set()).add(name)
        return name

    def _places(self, hook: str) -> Iterator[_Place]:
        order = 0
        for item in self.draft.hooks.get(hook, []):
            if item.kind != "statement" or self._runs_per_loader(item):
                continue
            for statement, depth in self._statements(item.node, hook, 0):
                order += 1
                yield _Place(item, statement, hook, depth, order)

    def _runs_per_loader(self, item: Item) -> bool:
        """Whether the item stands in the hook once for each of several loaders: one name would be logged as often."""
        validation = self.draft.validation
        return (
            validation is not None
            and bool(validation.others)
            and item.frame in [v.frame for v in validation.all if v.call is not None]
        )

    def _statements(self, statement: ast.stmt, hook: str, depth: int) -> Iterator[tuple[ast.stmt, int]]:
        if statement in self.draft.removals or isinstance(
            statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ):
            return
        yield statement, depth
        if isinstance(statement, ast.For | ast.AsyncFor | ast.While) and hook not in _STEPS:
            return  # one name, many values: their mean would be logged
        for block in blocks(statement):
            if gives_up(block):
                continue  # what is told there is why the training ends
            for inner in block:
                yield from self._statements(inner, hook, depth + 1)

    def _report(self, place: _Place) -> None:
        if place.statement in self.written:
            return
        found: list[Logged] = []
        bar = self._is_label(place)
        all_shown = shown_by_bar if bar else shown_numbers
        for shown in all_shown(self.draft.source, place.statement):
            if shown.holder and place.hook in _STEPS and self._starts_anew(place):
                continue
            try:
                logged = self._logged(shown, place)
            except SyntaxError:
                continue
            if logged is not None:
                found.append(replace(logged, bar=bar))
        decided = self._decided(place)
        if found or decided:
            before = decided if isinstance(place.statement, ast.If | ast.Assign) else []
            after = [*found, *(decided if not before else [])]
            watched = self.draft.reports.get(place.statement, Reports()).before
            self.draft.reports[place.statement] = Reports(
                [*watched, *before], after, self._is_shared(place), place.hook == VALIDATION_STEP
            )

    def _is_label(self, place: _Place) -> bool:
        """Whether a statement labels the bar of a loop that Lightning runs now, where what it shows is one value."""
        bar = self.draft.claimed_by.get(place.statement) == "progress_bar" and place.statement in self.draft.claims
        return bar and not self.draft.claims[place.statement].logged and runs_once(self.draft, place.hook)

    def _decided(self, place: _Place) -> list[Logged]:
        """The numbers by which a test, or a schedule that waits for a plateau, decides."""
        if place.hook in _STEPS or self._is_elif(place.statement):
            return []
        parts: list[ast.AST] = []
        match place.statement:
            case ast.If(test=test):
                parts = [test]
            case ast.Expr() as whole:
                parts = [whole]
            case ast.Assign(value=ast.Compare() | ast.Call() as value):
                parts = [value]
        compared = [n for part in parts for node in walk_scope(part) for n in _compared(self.draft, node, place.item)]
        compared += self._compared_later(place)
        found = []
        for name in dict.fromkeys(compared):
            number = ast.Name(name, ast.Load())
            if self.numbers.number(number, place.item.frame) and not self._is_logged_already(number, place):
                if shown := self._name(log_name(number, ""), place, number, name):
                    found.append(self._in_double(shown, name))
        return found

    def _compared_later(self, place: _Place) -> list[str]:
        """The names that an `elif` compares, as far as they surely have their values before the first `if`."""
        if not isinstance(place.statement, ast.If) or place.depth:
            return []
        items = self.draft.hooks[place.hook]
        surely = self.draft.variables.sequence(items[: items.index(place.item)]).definite
        found: list[str] = []
        following = place.statement.orelse
        while len(following) == 1 and isinstance(following[0], ast.If):
            for node in walk_scope(following[0].test):
                found += _compared(self.draft, node, place.item)
            following = following[0].orelse
        return [name for name in found if self.draft.variables.of(place.item.frame, name) in surely]

    def _is_elif(self, statement: ast.stmt) -> bool:
        parent = self.draft.source.parents.get(statement)
        return isinstance(parent, ast.If) and isinstance(statement, ast.If) and parent.orelse == [statement]

    def _logged(self, shown: Shown, place: _Place) -> Logged | None:
        node, frame = shown.node, place.item.frame
        site = self._site(place)
        if isinstance(node, ast.Constant) or not self._may_be_repeated(node, place):
            return None
        if self.measured.is_time(node, frame.scope):
            return None
        value, form = shown.value, ""
        bare, single = bare_value(node)
        if site.is_loss(bare) and (shown.formatted or single or not self._is_reduced(bare, place)):
            value = ast.unparse(bare)
        elif self.numbers.number(node, frame):
            if not shown.formatted and not self.measured.is_result(node, frame.scope):
                return None
        elif shown.formatted == "exact" and self.no_arrays.surely(node, frame.scope):
            form = ""
        elif shown.formatted and self.draft.roles.key(frame.scope, "float") is None:
            form = "float"
        else:
            return None
        if self._is_logged_already(node, place) or ast.unparse(node) in self.told:
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
        if variable is None or variable in self.sums:
            return variable is not None
        home = self.state.in_hook.get((place.hook, variable)) or self.state.homes.get(variable, "")
        return home in self.homes

    def _name(self, name: str, place: _Place, node: ast.expr, value: str) -> str:
        """The name as it is logged in a hook; "" when that number or that name is logged there already."""
        if not name or (place.hook, value) in self.values:
            return ""
        if self.of_validation.value(node, place.item, place.statement):
            name = of_validation(name)
        elif place.hook not in _STEPS and any(
            name in names for hook, names in self.taken.items() if hook != place.hook
        ):
            name = of_epoch(name)
        if any(name in names for names in self.taken.values()):
            return ""
        if (earlier := self._told_before(node, place)) is not None:
            if not earlier[0].depth or place.depth:
                return ""
            name = self._take_back(*earlier)
        elif isinstance(node, ast.Name) and place.hook in _AROUND and (v := self._variable(node, place)) is not None:
            self.of_epoch[v] = (place, name)
        self.values.add((place.hook, value))
        self.taken.setdefault(place.hook, set()).add(name)
        return name

    def _variable(self, node: ast.Name, place: _Place) -> Variable | None:
        return self.draft.variables.of(place.item.frame, node.id)

    def _told_before(self, node: ast.expr, place: _Place) -> tuple[_Place, str] | None:
        """Where another hook of the same epoch logs a number that nothing has given another value since."""
        if not isinstance(node, ast.Name) or place.hook not in _AROUND:
            return None
        variable = self._variable(node, place)
        earlier = self.of_epoch.get(variable) if variable is not None else None
        if earlier is None or earlier[0].hook == place.hook:
            return None
        items = [item for hook in _AROUND for item in self.draft.hooks.get(hook, [])]
        return None if variable in self.draft.variables.sequence(items).written else earlier

    def _take_back(self, place: _Place, name: str) -> str:
        """Log a number no longer where only a condition tells it; the name is free for the place that always does."""
        reports = self.draft.reports[place.statement]
        reports.before = [one for one in reports.before if one.name != name]
        reports.after = [one for one in reports.after if one.name != name]
        self.taken[place.hook].discard(name)
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
        """Whether a name gets a value that a call makes of its last one, or starts as none: what had more elements may have one then."""
        if not isinstance(node, ast.Name):
            return False
        key = self.draft.roles.key(place.item.frame.scope, node.id)
        for binding in self.draft.roles.bindings(key) if key is not None else ():
            if isinstance(binding.value, ast.Constant) and binding.value.value is None:
                return True
            for call in (n for n in walk(binding.value) if isinstance(n, ast.Call)):
                if any(isinstance(n, ast.Name) and n.id == node.id for n in walk(call)):
                    return True
        return False

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
        if not is_for_several(self.draft) or place.hook in _STEPS or place.depth:
            return False
        items = self.draft.hooks[place.hook]
        earlier = items[: items.index(place.item)]
        return not any(open_controls(self.draft, i.node) for i in earlier if i.kind == "statement")


def is_for_several(draft: Draft) -> bool:
    """Whether numbers of several processes are logged."""
    return draft.group is not None or draft.options.several_processes


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
        case ast.Call(func=ast.Name(id="max" | "min"), args=[one, other]):
            names = [part.id for part in (one, other) if isinstance(part, ast.Name)]
            new = [name for name in names if not any(word in name.lower() for word in _BEST)]
            if len(names) == 2 and len(new) == 1:
                return new
        case ast.Call(func=ast.Attribute(value=scheduler, attr="step"), args=[ast.Name(id=name)]):
            if draft.role(scheduler, item.frame) is Role.SCHEDULER:
                return [name]
    return []


def _words(node: ast.AST) -> list[str]:
    return [t for t in (getattr(node, "id", ""), getattr(node, "attr", "")) if t]
