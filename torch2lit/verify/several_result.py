"""The result of verifying a conversion for several processes, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from .agreement import OtherNumber, Parting, Sharing
from .evidence import Cause
from .result import CONVERTED_FAILED, VERSION, last_lines, run_data
from .run import Run

Status = Literal["agree", "differs", "failed", "refused", "unchanged", "unconverted"]
_EXIT_CODES: dict[Status, int] = {
    "agree": 0,
    "differs": 1,
    "failed": CONVERTED_FAILED,
    "refused": 123,
    "unchanged": 123,
    "unconverted": 123,
}
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class SeveralResult:
    """What a verification in several processes found.

    ``run`` are the processes, ``parting`` where one parts from the first, ``sharing`` what became of the data. ``evaluations`` were
    repeated in one process with the same weights, ``numbers`` names what was compared there and ``others`` what was not the same.
    ``printed`` are lines that a process other than the first printed in `fit`, each with its rank.
    """

    status: Status
    run: Run | None = None
    parting: Parting | None = None
    sharing: Sharing = field(default_factory=Sharing)
    evaluations: int = 0
    numbers: tuple[str, ...] = ()
    others: tuple[OtherNumber, ...] = ()
    printed: tuple[tuple[int, str], ...] = ()
    not_compared: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()
    problem: str = ""
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the processes are one training with the evaluation of one process."""
        return self.exit_code == 0

    @property
    def exit_code(self) -> int:
        """0 passed, 1 something differs, 5 the converted script failed, 123 there was no conversion to verify."""
        return _EXIT_CODES[self.status]

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON data; ``version`` grows when the meaning of a key changes."""
        p = self.parting
        return {
            "version": VERSION,
            "status": self.status,
            "passed": self.passed,
            "problem": self.problem,
            "converted": run_data(self.run),
            "steps_by_rank": [len(one.trace.steps) for one in self.run.ranks] if self.run is not None else [],
            "parting": None if p is None else {
                "rank": p.rank, "step": p.step, "what": p.what, "first": p.first, "other": p.other, "where": p.where,
            },
            "samples": {
                "seen": self.sharing.seen,
                "shared": self.sharing.shared,
                "taken_twice": self.sharing.twice,
                "taken_twice_to_make_shares_equal": self.sharing.padding,
                "evaluated_on": self.sharing.leaked,
                "ranks_that_compute_the_same": list(self.sharing.alike),
            },
            "evaluations": self.evaluations,
            "numbers": list(self.numbers),
            "other_numbers": [
                {"evaluation": o.evaluation, "step": o.step, "name": o.name, "several": repr(o.several), "one": repr(o.one)}
                for o in self.others
            ],
            "printed": [{"rank": rank, "line": line} for rank, line in self.printed],
            "not_compared": list(self.not_compared),
            "causes": [{"name": c.name, "why": c.why, "remedy": c.remedy} for c in self.causes],
            "notes": list(self.notes),
        }  # fmt: skip

    def render(self, color: bool = False) -> str:
        """The result for people, indented by two, ending in a newline."""
        lines = [self.problem] if self.problem else []
        if self.run is not None:
            lines += self._steps()
        if self.status in ("agree", "differs"):
            lines += [*self._training(), *self._data(), *self._evaluation(), *self._prints()]
        elif self.run is not None:
            lines += last_lines("converted", self.run)
        for number, cause in enumerate(self.causes):
            name = f"{'or' if number else 'likely cause'}: {cause.name}"
            lines += [name, f"  {cause.why}", f"  Try: {cause.remedy}"]
        lines += [f"not compared: {what}" for what in self.not_compared]
        lines += [f"note: {note}" for note in self.notes]
        lines.append(self._verdict(color))
        return "".join(f"  {line}\n" for line in lines)

    def _steps(self) -> list[str]:
        assert self.run is not None
        counts = [len(one.trace.steps) for one in self.run.ranks]
        told = f"{counts[0]} steps each" if len(set(counts)) == 1 else ", ".join(
            f"rank {rank}: {count} steps" for rank, count in enumerate(counts)
        )  # fmt: skip
        return [f"{len(counts)} processes by gloo on the CPU, each with random numbers of its own · {told}"]

    def _training(self) -> list[str]:
        p = self.parting
        if p is None:
            return ["after every step all have the same parameters and learning rates, and gave schedules the same"]
        where = f" ({p.where})" if p.where else ""
        if p.what == "steps":
            return [f"rank {p.rank} parts at step {p.step}: {p.other} steps, rank 0 has {p.first}"]
        what = "the number given to a schedule" if p.what == "schedule" else p.what
        return [f"rank {p.rank} parts at step {p.step}: {what}{where} {p.other}, rank 0 has {p.first}"]

    def _data(self) -> list[str]:
        s = self.sharing
        lines = []
        if s.alike:
            ranks = ", ".join(map(str, s.alike))
            lines.append(f"rank {ranks} computes what rank 0 does, in every step: more processes do no more than one")
        if s.leaked:
            lines.append(f"{s.leaked} training samples are among those that rank 0 evaluates on, in one process none")
        if s.twice > s.padding:
            lines.append(
                f"{s.twice} of {s.seen} training samples were taken by more than one process in the first pass"
            )
        if lines or not s.seen:
            return lines
        if not s.shared:
            return [f"{s.seen} training samples in the first pass, from loaders that are not shared out"]
        twice = f", {s.twice} of them twice to make the shares equal" if s.twice else ", none by two processes"
        return [f"{s.seen} training samples in the first pass{twice}"]

    def _evaluation(self) -> list[str]:
        if self.others:
            first = self.others[0]
            lines = [
                f"evaluation {first.evaluation}, after step {first.step}, is not that of one process with the same weights:"
            ]
            lines += [f"  {o.name}: {o.several!r}, in one process {o.one!r}" for o in self.others[:_SHOWN]]
            more = len(self.others) - _SHOWN
            return [*lines, f"  and {more} more"] if more > 0 else lines
        if not self.numbers:
            return []
        names = ", ".join(self.numbers[:_SHOWN]) + (", ..." if len(self.numbers) > _SHOWN else "")
        times = "1 evaluation" if self.evaluations == 1 else f"{self.evaluations} evaluations"
        return [f"{times}: {len(self.numbers)} numbers as in one process with the same weights ({names})"]

    def _prints(self) -> list[str]:
        if not self.printed:
            return ["in `fit` only rank 0 prints"]
        rank, line = self.printed[0]
        more = f", and {len(self.printed) - 1} more lines" if len(self.printed) > 1 else ""
        return [f"in `fit` rank {rank} prints, too: {line[:80]!r}{more}"]

    def _verdict(self, color: bool) -> str:
        word, text = {
            "agree": ("PASS", "one training in all processes (CPU)"),
            "differs": ("FAIL", self._what_differs()),
            "failed": ("FAIL", "the converted script failed"),
            "refused": ("FAIL", "not converted, so there is nothing to verify"),
            "unconverted": ("FAIL", "not converted, so there is nothing to verify"),
            "unchanged": ("FAIL", "nothing to convert, so there is nothing to verify"),
        }[self.status]
        return f"\033[1;{32 if word == 'PASS' else 31}m{word}\033[0m  {text}" if color else f"{word}  {text}"

    def _what_differs(self) -> str:
        if self.parting is not None:
            return "the processes part"
        if not self.sharing.right:
            return "the processes do not share out the training data"
        if self.others:
            return "the processes are one training, but do not evaluate as one process"
        return "the processes are one training, but print more than once"
