"""What views offer and `torch2lit.search` tries: a program as it is seen, a way to see it otherwise, or why there is none."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

from ..by_trainer import skipped_nests
from ..ddp.group import Group
from ..ddp.hindrances import Hindrance
from ..files.edits import edits_between
from ..findings import Finding
from ..options import Options
from ..origin import Origin
from ..program import Conversion
from ..recover.neighbours import neighbours_of
from ..recover.nest import Nest, Recovered, recover_nests
from ..recover.roles import Roles, roles_of
from ..recover.syntax import Seen, Source, source_of

MODERN, SWITCHES, METHODS, INHERITED, WRAPPER = "modern", "switches", "methods", "inherited", "wrapper"
FULL_BATCH, BATCH_SOURCE, COUNTED, MADE_INSIDE = "full-batch", "batch-source", "counted", "made-inside"
RESUMED, HANDED_OVER, SCHEDULED, AVERAGED = "resumed", "handed-over", "scheduled", "averaged"
MADE_ON_CALL, BATCH_LIST, GENERATOR = "made-on-call", "batch-list", "generator"
PRECISION_ARMS, PHASES, NESTED_TESTS = "precision-arms", "phases", "nested-tests"
HEAD_BREAKS, GIVEN_BACK, SKIPPED_EPOCHS = "head-breaks", "given-back", "skipped-epochs"
CHECKED_FIRST = "checked-first"
UNFOLDABLE, UNCONVERTED = "unfoldable", "not-converted"
"""Codes of what blocks a way: the wrapper for several processes has to stay, and no mechanism holds."""
ALL = frozenset(
    (
        MODERN,
        SWITCHES,
        METHODS,
        INHERITED,
        WRAPPER,
        FULL_BATCH,
        BATCH_SOURCE,
        COUNTED,
        MADE_INSIDE,
        RESUMED,
        HANDED_OVER,
        SCHEDULED,
        AVERAGED,
        MADE_ON_CALL,
        BATCH_LIST,
        GENERATOR,
        PRECISION_ARMS,
        PHASES,
        NESTED_TESTS,
        HEAD_BREAKS,
        GIVEN_BACK,
        SKIPPED_EPOCHS,
        CHECKED_FIRST,
    )
)


@dataclass(frozen=True)
class Program:
    """One text on the way to its conversion, and what is known of it."""

    text: str
    path: str
    options: Options
    closed: frozenset[str] = frozenset()
    """The views that led here, and those that would see nothing new."""
    group: Group | None = None
    """The wrapper for several processes that was taken out of the text."""
    view: Seen | None = None
    """What the text is a plain view of."""
    explained: tuple[Finding, ...] | None = None
    """The findings of `recovered`, once a view has said more of them."""
    wrapped_because: tuple[Hindrance, ...] = ()
    """Why the script's own wrapper for several processes stays."""

    resumed: str = ""
    """The checkpoint from which the Trainer goes on, as source; the script's own block for it was taken out of the text."""
    kept_resume: tuple[int, str] | None = None
    """The line and the reason why the script goes on from its own files."""
    averaging: str = ""
    """The callback that averages the weights, as the call that makes it; the script's own average was taken out of the text."""
    kept_average: tuple[int, str] | None = None
    """The line and the reason why the script averages its weights itself."""

    @cached_property
    def source(self) -> Source:
        """The parsed text. Raises SyntaxError when it is not Python."""
        return source_of(self.text, self.view)

    @cached_property
    def roles(self) -> Roles:
        """What its values are for."""
        return roles_of(self.source, neighbours_of(self.path))

    @cached_property
    def recovered(self) -> Recovered:
        """Its training loops, and what kept others from being followed."""
        return recover_nests(self.source, self.roles)

    @cached_property
    def skipped(self) -> list[Nest]:
        """The training loops that a comment asks to leave alone."""
        return skipped_nests(self.source, self.recovered.nests)

    @property
    def nests(self) -> list[Nest]:
        """The other training loops."""
        return [nest for nest in self.recovered.nests if nest not in self.skipped]

    @property
    def findings(self) -> list[Finding]:
        """What is to be said of the training that no loop was found for."""
        return list(self.recovered.findings if self.explained is None else self.explained)

    @property
    def classes_that_train(self) -> list[Finding]:
        """The findings of training in the methods of a class."""
        return [one for one in self.findings if one.slug == "loop-in-class"]

    def seen(self, text: str, *closed: str, group: Group | None = None) -> Program:
        """The same program in another text, for which some views are closed."""
        return Program(
            text,
            self.path,
            self.options,
            self.closed | {*closed},
            group or self.group,
            resumed=self.resumed,
            averaging=self.averaging,
        )

    def moved(self, text: str, lines: Mapping[int, int], *closed: str) -> Program:
        """The same program in another text, with what is known of it at the lines of that text; ``lines`` leads back from them."""
        places = {raw: line for line, raw in lines.items()}
        explained, because = self.explained, self.wrapped_because
        resume, average = self.kept_resume, self.kept_average
        return replace(
            self,
            text=text,
            closed=self.closed | {*closed},
            explained=explained and tuple(replace(one, line=places.get(one.line, one.line)) for one in explained),
            wrapped_because=tuple(replace(one, line=places.get(one.line, one.line)) for one in because),
            kept_resume=resume and (places.get(resume[0], resume[0]), resume[1]),
            kept_average=average and (places.get(average[0], average[0]), average[1]),
        )


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why a view leads nowhere: a code for those who decide by it, and the reason in the words of the program.

    ``about`` is the class in question, when there are several; ``hindrances`` are what keeps a wrapper for several processes;
    ``line`` is where it stands, 0 for nowhere.
    """

    code: str
    reason: str = ""
    about: ast.ClassDef | None = None
    hindrances: tuple[Hindrance, ...] = ()
    line: int = 0


Finish = Callable[[Conversion, Conversion], Conversion | Blocked]


@dataclass(frozen=True, slots=True)
class Way:
    """A program as a view sees it.

    ``origin`` leads back from its text. ``finish`` gets the conversion as it is told of the raw text, with that of the derived
    text beside it, and puts the new text right; it may find that this way leads nowhere. ``second_best``: it is only taken
    when what follows finds no good mechanism. ``goes_on``: what is left of the training is looked at again afterwards.
    """

    program: Program
    origin: Origin
    finish: Finish
    second_best: bool = False
    goes_on: bool = False
    about: ast.ClassDef | None = None


class View(Protocol):
    """One way of seeing programs: one file in views/."""

    @property
    def name(self) -> str:
        """What closes it (`Program.closed`)."""

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The ways to see a program, best first, and the reasons where there is none."""

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program for the views that follow, after all ways of this one were blocked."""


def as_it_is(told: Conversion, result: Conversion) -> Conversion | Blocked:
    """The converted text is that of the raw program, too: only its edits are others."""
    return replace(told, edits=edits_between(told.before, result.after))
