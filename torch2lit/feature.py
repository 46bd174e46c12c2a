"""The contract of a *feature*: a way of Lightning's own for what a script does in several statements (`codemods/early_stopping.py`).

A feature looks at the whole training (`Training`) and yields proposals. A `Proposal` is data: which statements go, what the Trainer is told, what is logged,
what stands before and after `fit`. It is accepted whole or not at all, by laws that a feature need not know (`torch2lit/plan/proposals.py`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol, TypeVar

from .program import TrainerSpec

Node = TypeVar("Node", bound=ast.AST)

_ALWAYS = ("lightning", "module", "trainer")
"""The words in braces that every text may hold."""


def reads_as_word(text: str, *own: str) -> bool:
    """Whether a piece of the script holds by chance, in a text with gaps, what would be filled in as one of a proposal's words."""
    return any(f"{{{word}}}" in text for word in (*_ALWAYS, *own))


BEFORE, AFTER, ELSEWHERE = "before", "after", "elsewhere"
AROUND = (BEFORE, AFTER, ELSEWHERE)
"""The places around the loop: what surely runs before it, what runs after it, all else of the file. Every other place is a hook of the module."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One statement of the training where it runs: before the loop, in a hook, after the loop.

    ``within`` are the statements around it in that place, the outermost first. ``last``: nothing of the epoch follows it, on whichever way it is reached.
    """

    statement: ast.stmt
    place: str
    within: tuple[ast.stmt, ...] = ()
    last: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """The one statement above the loop that gives a value its start, and the expression that it gives."""

    statement: ast.stmt
    value: ast.expr


@dataclass(frozen=True, slots=True)
class Value:
    """A variable of the function that holds the loop, or of the file, which has no ``start`` where the loop is in a function.

    ``start`` is None where several statements give it one, or one that does not surely run each time before the loop.
    ``mentions`` are all the places in the file that name it, whoever runs them, under the names of functions in the hooks as well; ``hidden``: it may be named in ways that nobody sees.
    ``handed`` are those that only give it to such a function, in a call of which nothing is left.
    """

    name: str
    start: Start | None
    mentions: tuple[ast.Name, ...]
    hidden: bool = False
    handed: tuple[ast.Name, ...] = ()


@dataclass(frozen=True, slots=True)
class Watch:
    """A number by which the Trainer decides from now on: it is logged, in double, where ``before`` begins.

    The name under which that is done is written ``{key}`` in the texts of the proposal, and ``{key!}`` without its quotes.
    """

    key: str
    value: ast.Name
    before: ast.stmt


@dataclass(frozen=True, slots=True)
class Saving:
    """A file that a callback has written from now on: what is saved, by which function, in a method ``save_best``, ``save_last`` or ``save_every`` of the module, which gets the path.

    Without a ``function`` the value is a call that does it, at a path that it knows. ``condition``: only where that holds, asked when it is saved.
    """

    method: str
    statement: ast.stmt
    value: ast.expr
    function: str
    condition: ast.expr | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """A number that the script adds up over the batches of an epoch, and tells when they are over.

    ``start`` starts it, ``left`` is the source of what else that statement starts. ``fed`` adds ``value`` once in every batch, source of a double of one element, and
    nothing for a count of which nothing is left. It is the mean with that ``weight`` that is told, or the sum where there is none.
    ``told`` are the expressions that tell it, each as the source that its double is put into, in place of ``{number}``; ``called`` are names that say what it is.
    ``counts``: what is added is known without the batch's results, as its size is. ``holders`` are given the mean and nothing else. ``names`` are all its names in the hooks of which nothing is left, its start's first.
    """

    name: str
    key: str
    of_validation: bool
    start: ast.stmt
    left: str
    fed: ast.stmt
    value: str
    weight: str
    told: Mapping[ast.AST, str]
    called: tuple[ast.expr, ...]
    names: tuple[ast.Name, ...]
    holders: tuple[ast.expr, ...] = ()
    counts: bool = False


@dataclass(frozen=True, slots=True)
class KeptSum:
    """A number that the script adds up over the batches, and tells where Lightning would not know it: the statement that starts it, and its name there. A metric object may keep it."""

    statement: ast.stmt
    name: ast.Name


@dataclass(frozen=True, slots=True)
class Note:
    """A finding, by the slug of its rule, about a statement: what is another one now, or why something stays as it is."""

    slug: str
    statement: ast.stmt
    message: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a feature would make of the training, and why that is the same one.

    ``removed`` statements go; each of ``replaced`` becomes the source given for it, in the script's own names. ``decided`` are conditions whose outcome the
    Trainer finds by itself: what they guarded may go. ``unread`` are expressions that are not evaluated any more in statements that stay.
    ``reworded`` statements say the same in other words where they stand, under whatever condition; "" is nothing at all.
    ``own_points``: the logger gets the numbers that the texts give it, and nothing of what the module logs.
    ``trainer`` says what the Trainer is told, ``watched`` what is logged for it, ``before_fit`` and ``after_fit`` are lines of source around the call of `fit`.
    ``imports`` are full names of what the texts use, ``fresh`` new variables. Both are written in braces, ``{EarlyStopping}``, as are ``{lightning}``, ``{module}`` and ``{trainer}``.
    ``level``: "exact" where nothing that the script trains, decides, prints or writes changes. What is "native" is asked for by the level, or by the one ``option`` named.
    ``saved`` files are written by methods of the module that a callback calls.
    ``definitions`` are functions and classes of its own, above the module; ``fit`` are further arguments of the call of `fit`.
    ``notes`` say what changes; ``declined`` is told instead when a law is broken, its ``{why}`` being that law in the user's words.
    ``key`` tells the callback from others of its class, where a checkpoint tells them apart.
    ``classes`` are whole classes of the file, in the script's own names, ``data`` what `fit` gets in place of the loaders.
    ``sums`` are kept by Lightning from now on: each place that tells one asks for the number under the name of its ``key``.
    """

    target: str
    reason: str
    removed: tuple[ast.stmt, ...] = ()
    replaced: Mapping[ast.stmt, str] = field(default_factory=lambda: MappingProxyType({}))
    reworded: Mapping[ast.stmt, str] = field(default_factory=lambda: MappingProxyType({}))
    decided: tuple[ast.stmt, ...] = ()
    unread: tuple[ast.expr, ...] = ()
    trainer: TrainerSpec = field(default_factory=TrainerSpec)
    watched: tuple[Watch, ...] = ()
    before_fit: tuple[str, ...] = ()
    after_fit: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    level: Literal["exact", "native"] = "exact"
    option: str = ""
    notes: tuple[Note, ...] = ()
    declined: Note | None = None
    key: str = ""
    own_points: bool = False
    definitions: tuple[str, ...] = ()
    fit: tuple[str, ...] = ()
    saved: tuple[Saving, ...] = ()
    classes: tuple[str, ...] = ()
    data: str = ""
    sums: tuple[Sum, ...] = ()

    @property
    def texts(self) -> dict[ast.stmt, str]:
        """What becomes of each statement that does not go altogether."""
        return {**self.replaced, **self.reworded}


@dataclass(frozen=True, slots=True)
class Conflict:
    """Why a proposal was not accepted: the law, and the statement (or the thing) that it is about."""

    law: str
    about: str


class Training(Protocol):
    """What a feature may ask about the training."""

    @property
    def parts(self) -> Sequence[Part]:
        """Every statement, nested ones too: before the loop, in the hooks in the order in which they run, after the loop, elsewhere in the file."""

    def all(self, kind: type[Node]) -> Sequence[Node]:
        """Every node of exactly this type in the file, in source order."""

    def asked(self, option: str) -> str:
        """What the user wants of one piece of machinery: the value of its option, else what the level makes of it."""

    def by_level(self, option: str) -> bool:
        """Whether the user wants that because of the level, and has not given the option."""

    def loaders(self) -> Sequence[str]:
        """The names of the one loader of the training and of the one of its validation, as the Trainer gets them; none where it gets something else."""

    @property
    def own_points(self) -> bool:
        """Whether the logger gets the script's own points alone."""

    def sums(self) -> tuple[Sequence[Sum], Sequence[KeptSum]]:
        """What the script adds up over the batches of an epoch where Lightning would keep the same, and its other sums."""

    def in_training(self, node: ast.AST) -> bool:
        """Whether a node stands in the loop, or in a function of which nothing but the hooks is left."""

    def comments(self, statement: ast.stmt) -> tuple[Sequence[str], str]:
        """The comments on lines of their own right above a statement, and the one beside its end."""

    def only_called_by(self, call: ast.Call) -> bool:
        """Whether nothing but this one call needs the function of the file that it names: no other line, no other file."""

    def is_gone(self, statement: ast.stmt) -> bool:
        """Whether something else has taken the statement away altogether."""

    def stops(self) -> Sequence[Part]:
        """The statements that end the training before its last epoch: `break`, or `return` where that means the same."""

    def value(self, name: ast.Name) -> Value | None:
        """The variable that a name stands for; None for what is neither the file's own nor of the function that holds the loop."""

    def full_name(self, node: ast.expr) -> str:
        """The dotted name with import aliases resolved, a builtin as it is; "" for what the script binds itself."""

    def number(self, node: ast.expr, part: Part) -> bool:
        """Whether the expression surely gives a number that nothing changes in place."""

    def constant(self, node: ast.expr) -> object:
        """The number or text that an expression stands for in the whole run; None when that is not known."""

    def at_entry(self, node: ast.expr, part: Part | None = None) -> str:
        """An expression of a part, or of the function that holds the loop, as it reads where the Trainer is made; "" when it cannot be evaluated there or changes in training."""

    def counts_epochs(self, node: ast.expr, part: Part) -> bool:
        """Whether the name counts the epochs as the Trainer does, from 0."""

    def first_epoch(self, node: ast.expr, part: Part) -> int | None:
        """The whole number from which the name counts the epochs, one by one; None for other names, and where that is not known."""

    def is_epoch(self, node: ast.expr, part: Part) -> bool:
        """Whether the name counts the epochs, from whatever number."""

    @property
    def resumed(self) -> str:
        """The checkpoint from which the Trainer goes on, as source where it is made, "" when the script knows no such thing."""

    @property
    def averaging(self) -> str:
        """The callback that averages the weights, as the call that makes it, "" when the script keeps no average or keeps it itself."""

    def trains(self, node: ast.expr, part: Part) -> bool:
        """Whether the name is the one model that is trained: the optimizer holds all its parameters and no others."""

    def steps(self, node: ast.expr, part: Part) -> bool:
        """Whether the name is the one optimizer that steps."""

    def trains_nothing_else(self, node: ast.expr, part: Part) -> bool:
        """Whether that model is surely all that the module holds and training changes: what else it has keeps its state."""

    def weights_stay(self, part: Part) -> bool:
        """Whether nothing changes weights or buffers from a statement of a hook to the end of its epoch."""

    def following(self, part: Part) -> Sequence[ast.AST]:
        """All that an epoch runs behind a statement of a hook, in whatever form it is left there."""

    @property
    def automatic(self) -> bool:
        """Whether Lightning steps the optimizer itself, batch by batch, and so counts the steps."""

    @property
    def counts_steps(self) -> bool:
        """Whether the Trainer surely counts an optimizer step in every epoch: it steps itself, or the module steps Lightning's optimizers."""

    def may_be_passed(self, part: Part) -> bool:
        """Whether the hook may be left before it gets to the statement around which nothing stands."""

    def told(self, argument: str) -> str:
        """What the Trainer is told by that argument so far, "" when nothing."""

    @property
    def validates_always(self) -> bool:
        """Whether the validation, where there is one, runs in every epoch."""

    @property
    def processes(self) -> bool:
        """Whether several processes train together."""

    @property
    def spread(self) -> bool:
        """Whether several processes may train together, because of the options or of what the script imports, too."""

    def text(self, node: ast.AST) -> str:
        """The text of a node as it stands."""


class Feature(Protocol):
    """One file in codemods/ with a ``FEATURE``: it looks at the whole training and proposes."""

    @property
    def name(self) -> str:
        """The feature's name, the same as its file's."""

    @property
    def after(self) -> Sequence[str]:
        """The features that are asked before this one, by name."""

    def proposals(self, training: Training) -> Iterable[Proposal | Note | KeptSum]:
        """What it would make of the training, and notes on what stays. It sees what accepted proposals before left of it."""
