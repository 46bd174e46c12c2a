"""The plan of one nest while it is being made, and when it is done."""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from ..feature import Conflict, KeptSum, Proposal, Sum, Watch
from ..findings import Finding, finding
from ..options import Options
from ..program import Claim, Mechanism, TrainerSpec
from ..recover.effects import EffectAnalysis, Effects, joined_effects
from ..recover.items import Item, parts
from ..recover.nest import Frame, Nest
from ..recover.phases import Epoch, Validation
from ..recover.roles import Role, Roles
from ..recover.syntax import Source
from ..recover.variables import Variable, Variables
from ..recover.wanted_names import WantedNames

if TYPE_CHECKING:
    from ..ddp.group import Group
    from ..ddp.hindrances import Hindrance

EPOCH_START = "on_train_epoch_start"
BATCH_START = "on_train_batch_start"
TRAINING_STEP = "training_step"
BEFORE_STEP = "on_before_optimizer_step"
BATCH_END = "on_train_batch_end"
VALIDATION_START = "on_validation_epoch_start"
VALIDATION_STEP = "validation_step"
VALIDATION_END = "on_validation_epoch_end"
EPOCH_END = "on_train_epoch_end"
SAVES = ("save_best", "save_last", "save_every")
"""Methods that callbacks call behind an epoch: each writes one file of the script's."""
HOOKS = (
    EPOCH_START,
    BATCH_START,
    TRAINING_STEP,
    BEFORE_STEP,
    BATCH_END,
    VALIDATION_START,
    VALIDATION_STEP,
    VALIDATION_END,
    EPOCH_END,
    *SAVES,
)


_FOUND_OUT = ("findings", "obstacles", "declined")
"""What a draft shares with its forks."""


class Refused(Exception):
    """The nest cannot be converted; carries the finding that says why."""

    def __init__(self, found: Finding) -> None:
        super().__init__(found.message)
        self.finding = found


@dataclass(frozen=True, slots=True)
class Removal:
    """A raw statement that leaves the text: what replaces it and why."""

    target: str
    codemod: str
    reason: str


@dataclass(frozen=True, slots=True)
class Mixed:
    """Autocast and scaler that the Trainer's precision replaces.

    ``precision`` is the Trainer's argument, "" for full precision; ``block`` the `with` in a batch, ``around`` that of a validation
    batch, which has ``full`` precision when the script opens no such autocast there; ``scaler`` its statements in a batch besides backward and step, ``made`` the one that makes it.
    """

    precision: str
    block: ast.With | None
    around: ast.With | None
    full: bool
    scaler: tuple[ast.stmt, ...]
    made: ast.stmt | None


@dataclass(frozen=True, slots=True)
class TrainData:
    """The loaders as source at the entry point; more than one run side by side, as long as each has a batch.

    ``lazy``: they start only when the first batch is asked for. ``asks_at_end``: the plain loop's last, vain request
    for a batch moves the loader's own random generator on. ``asks_twice``: the script's progress bar starts it once, in vain.
    ``told_first``: lines that tell its sampler the first epoch before `fit`.
    """

    texts: tuple[str, ...]
    lazy: bool = False
    asks_at_end: bool = False
    asks_twice: bool = False
    told_first: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps a batch from automatic optimization."""

    node: ast.AST
    reason: str


@dataclass(frozen=True, slots=True)
class Placement:
    """The Trainer's accelerator and devices as source, the line above that they read, and the device's own name.

    ``measured`` says that the device is read from the model: the script's moves stay. ``of_script`` is the script's own accelerator,
    whatever the options say.
    """

    accelerator: str
    devices: str = "1"
    before: str = ""
    device: str = ""
    measured: bool = False
    of_script: str = ""


@dataclass(frozen=True, slots=True)
class Logged:
    """A number that the module logs where the script reports it: ``value`` as source, in the raw script's names.

    ``form``: "" for a value that is logged as it is; "float" for one that may be an array of one element; "double" for a number by
    which the script decides, made by the ``torch`` of that name. ``bar``: the script shows it in a progress bar.
    """

    name: str
    value: str
    form: str = ""
    torch: str = "torch"
    bar: bool = False


@dataclass(frozen=True, slots=True)
class Watched:
    """A number that an accepted proposal watches, where it is known; ``word`` is what its texts call the name under which it is logged."""

    watch: Watch
    item: Item
    hook: str
    word: str


@dataclass
class Reports:
    """What is logged before and after one reporting statement; ``shared``: over all processes together, ``one_batch``: for the only batch."""

    before: list[Logged] = field(default_factory=list)
    after: list[Logged] = field(default_factory=list)
    shared: bool = False
    one_batch: bool = False


@dataclass(frozen=True, slots=True)
class Whole:
    """How the validation loader stays whole: by a sampler in the call that makes it, or wrapped where the Trainer gets it.

    ``attributes`` are those of the loader that hooks ask for; ``same_order``: every process surely sees the batches in one order.
    """

    call: ast.Call | None = None
    sampler: str = ""
    attributes: tuple[str, ...] = ()
    same_order: bool = False


@dataclass(frozen=True, slots=True)
class Several:
    """What keeps several processes one training. ``common`` are the statements whose decision the first process takes, ``written`` and
    ``written_after`` those that it alone runs, in hooks and after `fit`; ``shown_after`` those after `fit` that print.

    ``each_writes``: files of the hooks are written by every process. ``waits``: the other processes wait after `fit` until the first one has written its files.
    """

    whole: Whole | None = None
    common: dict[ast.stmt, tuple[int, ...]] = field(default_factory=dict)
    written: frozenset[ast.stmt] = frozenset()
    written_after: frozenset[ast.stmt] = frozenset()
    shown_after: frozenset[ast.stmt] = frozenset()
    waits: bool = False
    each_writes: bool = False


@dataclass(frozen=True, slots=True)
class Behind:
    """The way from the loop to a statement behind it.

    ``passed`` are the statements that run between, in their order; ``frame`` is where it stands; ``call`` calls the function around the
    loop there, None where the statement stands in the loop's own scope. Where it stands in a function that is called behind that call,
    ``inner`` is the call of that one. Where it stands in a ``branch`` above the loop that leaves the function instead, ``passed`` is what
    that branch does before it, and ``between`` are the statements between the branch and the loop.
    """

    passed: tuple[ast.stmt, ...]
    frame: Frame
    call: ast.Call | None = None
    inner: ast.Call | None = None
    branch: ast.If | None = None
    between: tuple[ast.stmt, ...] = ()


@dataclass(frozen=True, slots=True)
class Second:
    """A call of the validation's function behind the loop, which `trainer.validate` makes over ``loader``.

    ``value`` is what the function returns, read in ``frame``; ``arguments`` are the function's, as the call gives them; ``kept`` is the
    variable of the loop in which the hooks keep the result, if they do; ``place`` is where the call stands.
    """

    call: ast.Call
    statement: ast.stmt
    loader: ast.expr
    value: ast.expr | None
    arguments: tuple[tuple[str, ast.expr], ...]
    kept: Variable | None
    frame: Frame
    place: Behind


@dataclass
class Draft:
    """Facts and decisions of one nest. Each module of this package fills in its part.

    A mechanism is tried on a `fork`, which is dropped whole when it does not hold: nobody takes decisions back one by one.
    """

    source: Source
    roles: Roles
    effects: EffectAnalysis
    variables: Variables
    nest: Nest
    options: Options
    path: str = ""
    other_loops: frozenset[ast.AST] = frozenset()
    """The outermost loops of the file's other nests."""
    group: Group | None = None
    """The wrapper for several processes that was taken out of the text, because Lightning's strategy wraps as it did."""
    wrapped_because: tuple[Hindrance, ...] = ()
    """The line and the reason why the script's own wrapper for several processes stays."""
    resumed: str = ""
    """The checkpoint from which the Trainer goes on, as source."""
    kept_resume: tuple[int, str] | None = None
    """The line and the reason why the script goes on from its own files itself."""
    averaging: str = ""
    """The callback that averages the weights, as the call that makes it."""
    kept_average: tuple[int, str] | None = None
    """The line and the reason why the script averages its weights itself."""

    mechanism: Mechanism = Mechanism.AUTOMATIC
    automatic: bool = True
    epoch: Epoch = field(default_factory=Epoch)
    counted_steps: bool = False
    """Whether the script's own steps are those of Lightning's optimizers, at least one in every batch."""
    train_data: TrainData | None = None
    """What the Trainer runs over; None when the batches are the turns of the loop or the epochs stay whole."""
    validation: Validation | None = None
    hooks: dict[str, list[Item]] = field(default_factory=dict)
    claims: dict[ast.stmt, Claim] = field(default_factory=dict)
    reports: dict[ast.stmt, Reports] = field(default_factory=dict)
    """The numbers that statements report, which the module logs beside them."""
    validation_numbers: list[Logged] = field(default_factory=list)
    """What is logged at the end of every validation, as it reads there."""
    claimed_by: dict[ast.stmt, str] = field(default_factory=dict)
    removals: dict[ast.stmt, Removal] = field(default_factory=dict)
    accepted: list[Proposal] = field(default_factory=list)
    """What features proposed and is done, in this order."""
    declined: list[tuple[str, Conflict]] = field(default_factory=list)
    """What they proposed in vain."""
    watched: list[Watched] = field(default_factory=list)
    words: dict[str, str] = field(default_factory=dict)
    """What stands for the words in braces in the texts of accepted proposals."""
    texts: dict[ast.stmt, str] = field(default_factory=dict)
    """What becomes of statements of hooks, in the script's names."""
    loud: list[ast.stmt] = field(default_factory=list)
    """Statements of hooks from which StopIteration would come, which Lightning takes for its own."""
    loud_items: list[Item] = field(default_factory=list)
    """The same for items that are no statements."""
    sums: list[tuple[str, Sum]] = field(default_factory=list)
    """What Lightning adds up from now on, and what texts call the name under which it is logged."""
    kept_sums: list[KeptSum] = field(default_factory=list)
    """Sums over the batches that Lightning does not keep."""
    exchanged: dict[ast.AST, str] = field(default_factory=dict)
    """Expressions of hooks that read otherwise."""
    rewritten: dict[ast.stmt, str] = field(default_factory=dict)
    """Statements around the loop that become other source."""
    united: list[Item] = field(default_factory=list)
    """Items of which nothing is left because their variables are one."""

    mixed: Mixed | None = None
    """Set while the Trainer casts and scales instead of the script."""
    window: ast.If | None = None
    """The `if` that steps after several batches, when the Trainer accumulates their gradients."""
    returned: ast.expr | None = None
    """What `training_step` returns in automatic optimization."""
    returned_name: str = ""
    """A fresh name for it when the expression must be evaluated earlier than at the end."""
    returned_at: ast.stmt | None = None
    several: Several | None = None
    """Set when the options ask for several processes."""
    placement: Placement | None = None
    """Where the Trainer trains, once that is asked for."""
    trainer: TrainerSpec = field(default_factory=TrainerSpec)
    imports: list[str] = field(default_factory=list)
    """Modules of the standard library that the new code needs."""
    named_imports: list[tuple[str, str]] = field(default_factory=list)
    """What else it needs: a module, and what is imported from it by name."""
    methods: list[str] = field(default_factory=list)
    """Whole extra methods of the module, as source."""
    seconds: list[Second] = field(default_factory=list)
    """The evaluations behind the loop that run through the validation's hooks, too."""
    put_in_train: list[str] = field(default_factory=list)
    """The models that the script switches to train mode in every epoch, where one switch before `fit` is the same."""
    left_in_eval: list[str] = field(default_factory=list)
    """The models that the script's last validation leaves in eval mode, where that is seen; Lightning puts them back."""
    has_turns: bool = True
    """Whether the loop surely has a turn, where that decides in which mode models are behind it."""
    eval_at_end: list[Variable] = field(default_factory=list)
    """The models that the script leaves in eval mode behind its validation, where the rest of the epoch, or what follows, may see it."""
    validated_in_train: list[Variable] = field(default_factory=list)
    """The models that surely are in train mode throughout the script's validation."""
    exits: list[ast.ExceptHandler] = field(default_factory=list)
    """Handlers of ^C around the loop that take the exit which Lightning makes of it."""
    findings: list[Finding] = field(default_factory=list)
    obstacles: list[tuple[Mechanism, Obstacle]] = field(default_factory=list)
    """What stood in the way of each mechanism that was tried, in the order of trying."""
    idioms: list[str] = field(default_factory=list)

    @property
    def wanted_elsewhere(self) -> WantedNames:
        """The names that other files of the project take from this one."""
        return WantedNames(self.path)

    @property
    def starts_late(self) -> bool:
        """Whether the Trainer gets a loader that starts at its first batch only."""
        late = self.validation is not None and self.validation.late
        return late or (self.train_data is not None and self.train_data.lazy)

    @property
    def own_points(self) -> bool:
        """Whether the logger gets the script's own points alone."""
        return any(proposal.own_points for proposal in self.accepted)

    def fork(self) -> Draft:
        """The same draft with decisions of its own. What is found out on either stays known to both."""
        other = copy.copy(self)
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name not in _FOUND_OUT and isinstance(value, dict | list):
                setattr(other, one.name, value.copy())
        other.epoch = self.epoch.copy()
        other.variables = self.variables.fork()
        return other

    def blocked(self, mechanism: Mechanism, obstacle: Obstacle) -> Obstacle:
        """The obstacle, which is remembered."""
        self.obstacles.append((mechanism, obstacle))
        return obstacle

    def note(self, slug: str, node: ast.AST | int, message: str) -> None:
        """Add a finding at a node (or a line)."""
        line = node if isinstance(node, int) else getattr(node, "lineno", 0)
        column = 1 if isinstance(node, int) else self.source.column(node)
        found = finding(slug, line, message, column)
        if found not in self.findings:
            self.findings.append(found)

    @property
    def module_that_trains(self) -> str:
        """The class whose methods train when it is a module itself, "" for any other program."""
        view = self.source.view
        return view.family.leaf.name if view is not None and view.family.is_module else ""

    def refuse(self, slug: str, node: ast.AST | int, message: str) -> Refused:
        """The exception to raise when the nest cannot be converted."""
        line = node if isinstance(node, int) else getattr(node, "lineno", 0)
        column = 1 if isinstance(node, int) else self.source.column(node)
        return Refused(finding(slug, line, message, column))

    def without_unread_constants(self, items: list[Item], readers: list[Item]) -> list[Item]:
        """The items without constants for parameters that no reader reads."""
        read = self.variables.sequence(readers).read

        def counts(item: Item) -> bool:
            constant = item.kind == "bind" and isinstance(item.value, ast.Constant)
            return not constant or any(self.variables.of(item.frame, name) in read for name in item.bound)

        return [item for item in items if counts(item)]

    def effects_of(self, item: Item) -> Effects:
        """The effects of an item, whichever kind it is."""
        if item.kind == "bind":
            assert item.value is not None and item.frame.caller is not None
            return self.effects.of(item.value, item.frame.caller.scope)
        if item.kind in ("enter", "leave"):
            assert isinstance(item.node, ast.With)
            return joined_effects([self.effects.of(i.context_expr, item.frame.scope) for i in item.node.items])
        if item.kind in ("stop", "validates", "saves"):
            assert item.value is not None
            return self.effects.of(item.value, item.frame.scope)
        if item.kind == "result":
            assert item.callee is not None
            if item.value is None:
                return Effects()
            inner = self.effects.of(item.value, item.callee.scope)
            if isinstance(item.node, ast.Assign | ast.AnnAssign | ast.Expr) and item.node.value is item.call:
                return inner
            return joined_effects([self.effects.of(part, frame.scope) for part, frame in parts(item)])
        return self.effects.of(item.node, item.frame.scope)

    def role(self, node: ast.expr, frame: Frame) -> Role | None:
        """The role of an expression in a frame."""
        return self.roles.of(node, frame.scope)

    def variable(self, node: ast.expr | None, frame: Frame) -> Variable | None:
        """The variable that a bare name stands for."""
        return self.variables.of(frame, node.id) if isinstance(node, ast.Name) else None

    def all_items(self) -> list[Item]:
        """Every item of every hook, in the order of the hooks."""
        return [item for hook in HOOKS for item in self.hooks.get(hook, [])]
