"""The one model that everything speaks: pure data, no behaviour beyond small look-ups."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from tokenize import TokenInfo
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from .findings import Finding

Node = TypeVar("Node", bound=ast.AST)
Place = tuple[int, int]
"""A line counted from 1 and a column counted in bytes of UTF-8 from 0, as `ast` has them."""


class Mechanism(str, Enum):
    """How the converted loop runs (docs/ARCHITECTURE.md, "Mechanisms"), best first."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"
    ITERATIONS = "iterations"
    EPOCHS = "epochs"
    FABRIC = "fabric"


class Outcome(str, Enum):
    """What became of one file."""

    CONVERTED = "converted"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    FAILED = "failed"


class Cause(str, Enum):
    """Why a file is unchanged, for those who go on from there; `Conversion.reason` says it in words."""

    NO_LOOP = "no-training-loop"
    FRAMEWORK = "framework"


class Library(str, Enum):
    """What a file holds that starts none of its training itself: functions that it never calls, or classes of which it makes no object."""

    FUNCTIONS = "functions"
    CLASSES = "classes"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a file could not be converted; line and column count from 1, 0 for an unknown place. ``cell`` is that of a notebook."""

    reason: str
    line: int = 0
    column: int = 0
    cell: int = 0

    def __str__(self) -> str:
        cell = f"cell {self.cell}: " if self.cell else ""
        return f"{self.line}:{self.column}: {cell}{self.reason}" if self.line else self.reason


class Fate(str, Enum):
    """What became of one raw statement."""

    KEPT = "kept"
    MOVED = "moved"
    REPLACED = "replaced"
    FLAGGED = "flagged"


@dataclass(frozen=True, slots=True)
class Edit:
    """The lines ``[start, end)`` of the text before, counted from 0, become ``text``.

    An edit with ``start == end`` inserts. ``text`` holds complete lines that end in "\\n", whatever newline
    the file uses.
    """

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """Where one raw statement of the training program went, and why.

    ``target`` is the hook (``training_step``), the place (``main``) or the Lightning mechanism that
    replaces it; ``codemod`` names the rewrite in charge, "" when nothing was rewritten.
    """

    line: int
    end_line: int
    source: str
    fate: Fate
    target: str
    codemod: str
    reason: str


@dataclass(frozen=True, slots=True)
class NestSummary:
    """One nest as `analyze` shows it. Lines count from 1.

    ``roles`` are pairs of a role and the name that plays it, ``phases`` pairs of a phase and its line. ``obstacles`` are the
    better mechanisms that do not hold, each with the line and the reason, ``declined`` the features that proposed what was not accepted,
    each with the law and what it was broken by.
    """

    line: int
    function: str
    loops: tuple[str, ...]
    roles: tuple[tuple[str, str], ...]
    phases: tuple[tuple[str, int], ...]
    mechanism: str
    module: str
    idioms: tuple[str, ...] = ()
    obstacles: tuple[tuple[str, int, str], ...] = ()
    declined: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Conversion:
    """The result for one file: what every report is a view of.

    ``before`` and ``after`` are text with the file's own newlines; ``after`` equals ``before`` unless the
    outcome is converted. ``edits`` lead from the one to the other; they may be left out. ``error`` is one
    line when the outcome is failed: ``LINE:COLUMN: REASON`` when the place is known, the reason alone when
    not, which ``failure`` says in parts. ``reason`` says why a file is unchanged, ``cause`` the same to those who go on from there. ``library``: nothing in the file itself starts its training, other files do.
    """

    path: str
    outcome: Outcome
    before: str = ""
    after: str = ""
    mechanism: Mechanism | None = None
    findings: tuple[Finding, ...] = ()
    ledger: tuple[LedgerEntry, ...] = ()
    nests: tuple[NestSummary, ...] = ()
    error: str = ""
    reason: str = ""
    edits: tuple[Edit, ...] = ()
    library: Library | None = None
    cause: Cause | None = None
    failure: Failure | None = None
    encoding: str = "utf-8"
    """How the file holds its text, and whether a byte order mark stands before it: diffs are about bytes."""
    bom: bool = False


@dataclass(frozen=True, slots=True)
class TrainerSpec:
    """What a Trainer is told, as source that is valid at the entry point: arguments, callbacks, loggers. A value: nothing changes it.

    Two of them are a `conflict` where both say something about one thing, be it the same: to do it twice is not to do it once.
    """

    arguments: tuple[tuple[str, str], ...] = ()
    callbacks: tuple[str, ...] = ()
    loggers: tuple[str, ...] = ()
    defaults: tuple[str, ...] = ()
    """Arguments that keep Lightning's default, which nobody may switch off."""

    def set(self, name: str, text: str) -> TrainerSpec:
        """The same with one argument more. ValueError when it is said already."""
        return self.joined(TrainerSpec(((name, text),)))

    def callback(self, text: str) -> TrainerSpec:
        """The same with one callback more."""
        return self.joined(TrainerSpec(callbacks=(text,)))

    def logger(self, text: str) -> TrainerSpec:
        """The same with one logger more."""
        return self.joined(TrainerSpec(loggers=(text,)))

    def get(self, name: str) -> str:
        """What the argument is, "" when nothing is said about it."""
        return dict(self.arguments).get(name, "")

    def conflict(self, other: TrainerSpec) -> str:
        """The argument, callback or logger of which both say something, "" when there is none."""
        mine, theirs = self._said(), other._said()
        return next((thing for thing in mine if thing in theirs), "")

    def joined(self, other: TrainerSpec) -> TrainerSpec:
        """What both say. ValueError when they are in conflict."""
        if thing := self.conflict(other):
            raise ValueError(f"the Trainer is told twice of `{thing}`")
        return replace(
            self,
            arguments=(*self.arguments, *other.arguments),
            callbacks=(*self.callbacks, *other.callbacks),
            loggers=(*self.loggers, *other.loggers),
            defaults=(*self.defaults, *other.defaults),
        )

    def written(self) -> tuple[tuple[str, str], ...]:
        """All of it as keyword arguments of the Trainer."""
        listed = (("callbacks", self.callbacks), ("logger", self.loggers))
        lists = (
            (name, texts[0] if name == "logger" and len(texts) == 1 else f"[{', '.join(texts)}]")
            for name, texts in listed
            if texts
        )
        return (*self.arguments, *lists)

    def _said(self) -> list[str]:
        return [*(name for name, _ in self.arguments), *self.callbacks, *self.loggers]


@dataclass(frozen=True, slots=True)
class Claim:
    """What an idiom makes of one raw statement.

    ``target`` names the Lightning mechanism that takes over, ``reason`` says why that is the same training.
    ``replace`` gets the statement's LibCST node and answers what stands in its place, None to take it away; without
    it the statement goes away. ``trainer`` says what the Trainer is told; ``methods`` are whole methods of the LightningModule as
    source, none of which is a hook that holds statements of the script; ``unread`` parts of the statement that do not run any more.

    Lightning does what the Trainer is told and what a method says always, once, and at its own time. So such a claim, and one that only takes
    the statement away, is heard only where nothing stands around the statement: no condition, loop or other block, and no way past it.
    ``logged`` are the names under which what takes its place logs numbers. ``anywhere`` says that the claim holds there as well, because the idiom has looked at what stands around or because it does not matter.
    Claims that say something about the same argument, callback or method are in conflict, and their statements stay.
    """

    target: str
    reason: str
    replace: Callable[[Any], Any] | None = None
    trainer: TrainerSpec = field(default_factory=TrainerSpec)
    methods: tuple[str, ...] = ()
    unread: tuple[ast.AST, ...] = ()
    logged: tuple[str, ...] = ()
    anywhere: bool = False

    @property
    def unconditional(self) -> bool:
        """Whether what takes over runs where Lightning runs it, not where the statement stands."""
        return bool(self.trainer.written()) or bool(self.methods) or self.replace is None


class Site(Protocol):
    """What an idiom may ask about the statement that it looks at."""

    @property
    def statement(self) -> ast.stmt:
        """The raw statement."""

    @property
    def hook(self) -> str:
        """The hook where it would stand."""

    @property
    def runs_once(self) -> bool:
        """Whether its hook runs once in an epoch or a validation, behind the batches or for the only one."""

    @property
    def automatic(self) -> bool:
        """Whether Lightning does backward and step itself."""

    @property
    def outermost(self) -> bool:
        """Whether it stands in no other block of its hook."""

    @property
    def between(self) -> bool:
        """Whether it stands between backward and the optimizer's step."""

    def role(self, node: ast.expr) -> str:
        """The role of an expression (``model``, ``optimizer``, ...), "" when it has none."""

    def from_batch(self, node: ast.expr) -> bool:
        """Whether the expression surely is an element of the batch, or a view of one, where Lightning has moved it."""

    def is_taken_apart(self, node: ast.Name) -> bool:
        """Whether all that the hooks do with a variable is to take parts out of it, so that a list is as good as a tuple."""

    def needs_cpu(self, node: ast.Call) -> bool:
        """Whether a call of ``.numpy()`` asks an element of the batch that the script has on the host, and Lightning may not."""

    def is_plain_variable(self, node: ast.expr) -> bool:
        """Whether the expression is ``torch.autograd.Variable(x)`` around data, which is the data itself."""

    def at_entry(self, node: ast.expr) -> str:
        """The expression as it reads at the entry point, "" when it cannot be evaluated there or changes in training."""

    def is_loop_bar(self, node: ast.expr) -> bool:
        """Whether the name is a progress bar around a loop that Lightning runs now."""

    def only_looks(self, node: ast.expr) -> bool:
        """Whether evaluating the expression surely changes nothing and draws nothing, so that it may be left out."""

    def is_number(self, node: ast.expr) -> bool:
        """Whether the expression is provably a plain number."""

    def may_be_array(self, node: ast.expr) -> bool:
        """Whether torch or NumPy makes the value, which the Trainer does not take for a number."""

    def is_loss(self, node: ast.expr) -> bool:
        """Whether the name is the loss that training runs backward from, which is a tensor of one element."""

    def optimizes_all(self, model: ast.expr) -> bool:
        """Whether the one optimizer holds exactly ``model.parameters()``, in one group."""

    def first_process(self, node: ast.expr) -> bool | None:
        """True for a condition that holds in the first of all processes alone, False for one that holds in all others.

        None for any other, and where the Trainer may number the processes otherwise.
        """


class Idiom(Protocol):
    """A raw construct for which Lightning has a mechanism of its own: one file in codemods/."""

    @property
    def name(self) -> str:
        """The rewrite's name, the same as its file's."""

    def claim(self, site: Site) -> Claim | None:
        """The claim on the statement; None when the construct is another or its conditions do not hold."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The text from one place to another becomes ``text``; it has as many line breaks as what it replaces."""

    start: Place
    end: Place
    text: str


@dataclass(frozen=True, slots=True)
class Modernisation:
    """What a moderniser makes of one place that a current torch no longer runs as it was meant.

    Without ``pieces`` the place stays as it is and is only reported. ``meaning`` says in one clause what the code
    meant then and what it does now. ``certain`` holds when the pieces mean exactly what the code meant.
    ``settled_in`` names the hooks in which there is nothing to report.
    """

    line: int
    end_line: int
    pieces: tuple[Piece, ...]
    meaning: str
    certain: bool = True
    settled_in: tuple[str, ...] = ()


class Script(Protocol):
    """What a moderniser may ask about the file that it looks at."""

    def all(self, kind: type[Node]) -> Sequence[Node]:
        """Every node of exactly this type, in source order."""

    def full_name(self, node: ast.AST) -> str:
        """The dotted name with import aliases resolved, ``np.int`` → ``numpy.int``; "" for what is no such name.

        A name that the file binds itself is not resolved to an import or a builtin: it has "" then.
        """

    def role(self, node: ast.expr) -> str:
        """The role of an expression (``model``, ``loader``, ...), "" when it has none."""

    def values(self, name: ast.Name) -> Sequence[ast.expr] | None:
        """All that the name is ever bound to, parameters by the arguments of every call; None when that is not known."""

    def scalar(self, node: ast.expr) -> Literal["", "one element", "no dimension"]:
        """Whether the value is a tensor of no dimension; "one element" when it may have one of length 1; "" if unknown."""

    def parent(self, node: ast.AST) -> ast.AST | None:
        """The node around a node."""

    def builtin(self, name: str) -> bool:
        """Whether the file leaves the name to what Python binds it to."""

    def rest(self, inner: ast.AST, outer: ast.AST) -> str:
        """The text from the end of an inner node to the end of the outer one."""

    def before(self, inner: ast.AST, outer: ast.AST) -> str:
        """The text from the start of the outer node to the start of an inner one."""

    def text(self, node: ast.AST) -> str:
        """The text of a node as it stands."""


class Modernizer(Protocol):
    """A construct of an older torch (or numpy) that a current one no longer runs: one file in codemods/."""

    @property
    def name(self) -> str:
        """The rewrite's name, the same as its file's."""

    @property
    def words(self) -> tuple[str, ...]:
        """A file that holds none of these texts is not shown to it."""

    def modernise(self, script: Script) -> Iterable[Modernisation]:
        """The places of the construct; those whose conditions do not hold are left or only reported."""


class Repair(Protocol):
    """A construct for which a current Python does not even parse the file: one file in codemods/."""

    @property
    def name(self) -> str:
        """The rewrite's name, the same as its file's."""

    @property
    def words(self) -> tuple[str, ...]:
        """A file that holds none of these texts is not shown to it."""

    def repair(self, tokens: Sequence[TokenInfo]) -> Iterable[Modernisation]:
        """The places of the construct among the file's tokens, whose columns count characters, not bytes."""


def at(node: ast.AST) -> Place:
    """Where a node begins."""
    return node.lineno, node.col_offset  # type: ignore[attr-defined]


def end_of(node: ast.AST) -> Place:
    """Where a node ends."""
    return node.end_lineno, node.end_col_offset  # type: ignore[attr-defined]


def replaced(
    node: ast.AST, text: str, meaning: str, *, after: ast.AST | None = None, certain: bool = True
) -> Modernisation:
    """The modernisation that puts a text in place of a node, or of what is left of it after one of its parts."""
    start = at(node) if after is None else end_of(after)
    return Modernisation(at(node)[0], end_of(node)[0], (Piece(start, end_of(node), text),), meaning, certain)


def left(node: ast.AST, meaning: str, settled_in: tuple[str, ...] = ()) -> Modernisation:
    """The modernisation that only reports a place."""
    return Modernisation(at(node)[0], end_of(node)[0], (), meaning, False, settled_in)
