"""Ask every idiom for its claims on the statements of the hooks."""

from __future__ import annotations

import ast

from ..installed import idioms
from ..recover.items import Item, names_in
from ..recover.makings import Value, sources
from ..recover.nest import Frame
from ..recover.roles import Role
from ..recover.syntax import blocks, walk
from .acceptance import Proposal, accept, holds_there
from .batch_places import BatchPlaces, leave_batches_to_the_script, may_leave_host
from .draft import BATCH_END, BATCH_START, BEFORE_STEP, TRAINING_STEP, VALIDATION_STEP, Draft
from .entry_names import at_entry
from .held_parameters import optimizes_all
from .looks import Looks
from .loop_bars import loop_bars
from .no_arrays import NoArrays
from .numbers import Numbers
from .one_batch import runs_once
from .ranks import Ranks
from .takes_apart import takes_apart
from .told_apart import told_apart
from .without_graph import VARIABLE, WithoutGraph


def claim_statements(draft: Draft) -> None:
    """Give every statement of every hook, nested ones too, to the first idiom whose claim holds where it stands."""
    proposals: list[Proposal] = []
    places = _batch_places(draft)
    if leave_batches_to_the_script(draft, places.values()):
        places = {}
    for hook, items in draft.hooks.items():
        for item in items:
            if item.kind == "statement":
                _propose(draft, item, item.node, hook, places.get(hook), proposals)
    accept(draft, proposals)


def _propose(
    draft: Draft, item: Item, statement: ast.stmt, hook: str, places: BatchPlaces | None, proposals: list[Proposal]
) -> None:
    if statement in draft.removals or isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return
    site = StatementSite(draft, item, statement, hook, places)
    for idiom in idioms():
        claim = idiom.claim(site)
        if claim is None:
            continue
        holds = holds_there(draft, item, statement, hook, claim)
        proposals.append(Proposal(statement, idiom.name, claim, holds))
        if holds and claim.replace is None:
            return
        if holds:
            break
    for block in blocks(statement):
        for inner in block:
            _propose(draft, item, inner, hook, places, proposals)


def _batch_places(draft: Draft) -> dict[str, BatchPlaces]:
    """Where the batch is in each step that Lightning hands one."""
    found: dict[str, BatchPlaces] = {}
    nest, validation = draft.nest, draft.validation
    if TRAINING_STEP in draft.hooks and nest.batches is not None and draft.mechanism.value in ("automatic", "manual"):
        items = [i for hook in (BATCH_START, TRAINING_STEP, BEFORE_STEP, BATCH_END) for i in draft.hooks.get(hook, [])]
        found[TRAINING_STEP] = BatchPlaces(draft, nest.batches, nest.inner, items)
    if validation is not None:
        items = draft.hooks.get(VALIDATION_STEP, [])
        found[VALIDATION_STEP] = BatchPlaces(draft, validation.loop, validation.frame, items)
    return found


_MAKERS = {
    "tensor", "as_tensor", "from_numpy", "zeros", "ones", "empty", "full", "rand", "randn", "randint", "arange", "eye",
    "Tensor", "FloatTensor", "LongTensor",
}  # fmt: skip
"""Functions of torch that make a tensor in the host's memory, unless they are told a device."""


def _of_one_element(backward: ast.Call, draft: Draft) -> list[ast.Name]:
    """The names that surely are tensors of one element: the one that runs backward, scaled, divided or added up."""
    scope = draft.nest.step_frame.scope
    no_arrays = NoArrays(draft)
    found: list[ast.Name] = []
    nodes = [backward.func.value] if isinstance(backward.func, ast.Attribute) else []
    while nodes:
        match nodes.pop():
            case ast.Name() as name:
                found.append(name)
            case ast.BinOp(left=left, op=ast.Div()):
                nodes.append(left)
            case ast.BinOp(left=left, op=ast.Add() | ast.Mult(), right=right):
                nodes += [n for n in (left, right) if not isinstance(n, ast.Name) or no_arrays.surely(n, scope)]
            case ast.Call(func=ast.Attribute(value=scaler, attr="scale"), args=[inner]):
                nodes += [inner] if draft.roles.of(scaler, scope) is Role.SCALER else []
    return found


class StatementSite:
    """One statement as the idioms see it (the protocol ``torch2lit.program.Site``)."""

    def __init__(
        self, draft: Draft, item: Item, statement: ast.stmt, hook: str, places: BatchPlaces | None = None
    ) -> None:
        self._draft = draft
        self._item = item
        self._statement = statement
        self._hook = hook
        self._places = places

    @property
    def statement(self) -> ast.stmt:
        return self._statement

    @property
    def hook(self) -> str:
        return self._hook

    @property
    def runs_once(self) -> bool:
        return runs_once(self._draft, self._hook)

    @property
    def automatic(self) -> bool:
        return self._draft.automatic

    @property
    def outermost(self) -> bool:
        return self._statement is self._item.node

    @property
    def between(self) -> bool:
        return self._hook == BEFORE_STEP

    @property
    def _frame(self) -> Frame:
        return self._item.frame

    def role(self, node: ast.expr) -> str:
        role = self._draft.roles.of(node, self._frame.scope)
        return role.value if role else ""

    def from_batch(self, node: ast.expr) -> bool:
        return self._places is not None and self._places.from_batch(node, self._statement, self._frame)

    def is_taken_apart(self, node: ast.Name) -> bool:
        variable = self._draft.variables.of(self._frame, node.id)
        uses = [
            use
            for item in self._draft.all_items()
            for use, frame in names_in(item)
            if self._draft.variables.of(frame, use.id) is variable and isinstance(use.ctx, ast.Load)
        ]
        return variable is not None and all(takes_apart(self._draft.roles, use) for use in uses)

    def needs_cpu(self, node: ast.Call) -> bool:
        return self._places is not None and node in self._places.numpys and may_leave_host(self._draft)

    def is_plain_variable(self, node: ast.expr) -> bool:
        if not isinstance(node, ast.Call) or self._draft.roles.full_name(node.func) not in VARIABLE:
            return False
        known = WithoutGraph(self._draft, self._frame)
        plain = known.is_variable(node) and known.surely(node.args[0])
        return plain and not told_apart(self._draft.source, node)

    def _comes_from_host(self, node: ast.AST) -> bool:
        if not isinstance(node, ast.Call):
            return False
        full = self._draft.roles.full_name(node.func)
        if full.startswith("torch.") and full.rpartition(".")[2] in _MAKERS:
            return not any(k.arg == "device" for k in node.keywords)
        return full.startswith("numpy.") or (
            isinstance(node.func, ast.Attribute) and node.func.attr in ("numpy", "cpu")
        )

    def at_entry(self, node: ast.expr) -> str:
        return at_entry(self._draft, node, self._frame)

    def is_loop_bar(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and self._draft.variables.of(self._frame, node.id) in loop_bars(self._draft)

    def only_looks(self, node: ast.expr) -> bool:
        return Looks(self._draft).only(node, self._frame)

    def is_number(self, node: ast.expr) -> bool:
        return Numbers(self._draft).number(node, self._frame)

    def may_be_array(self, node: ast.expr) -> bool:
        made = sources(Value(node, self._frame.scope, self._draft.roles))
        calls = [one.roles.full_name(one.node.func) for one in made if isinstance(one.node, ast.Call)]
        return any(full.startswith(("torch.", "numpy.")) for full in calls)

    def is_loss(self, node: ast.expr) -> bool:
        if not isinstance(node, ast.Name):
            return False
        variable = self._draft.variables.of(self._frame, node.id)
        key = self._draft.roles.key(self._frame.scope, node.id)
        bindings = self._draft.roles.bindings(key) if key else []
        if variable is None or any(self._comes_from_host(n) for b in bindings if b.value for n in walk(b.value)):
            return False
        return any(
            isinstance(backward.func, ast.Attribute)
            and not backward.args
            and self._draft.variables.of(self._draft.nest.step_frame, loss.id) is variable
            for backward in self._draft.nest.backwards
            for loss in _of_one_element(backward, self._draft)
        )

    def optimizes_all(self, model: ast.expr) -> bool:
        return optimizes_all(self._draft, model, self._item)

    def first_process(self, node: ast.expr) -> bool | None:
        return Ranks(self._draft).is_first(node, self._frame.scope)
