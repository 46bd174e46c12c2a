"""The result of a verification and how it is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any, Literal

from .compare import Comparison
from .evidence import Cause
from .resuming import Resumed
from .run import Run

VERSION = 1
Status = Literal["identical", "differs", "failed", "undecided", "trains", "refused", "unchanged", "unconverted"]
_EXIT_CODES: dict[Status, int] = {
    "identical": 0,
    "trains": 0,
    "differs": 1,
    "undecided": 3,
    "refused": 123,
    "unchanged": 123,
    "unconverted": 123,
}
RAW_FAILED = 4
CONVERTED_FAILED = 5
_WARM_UP = 5
_ENOUGH = 20
"""Steps before and from which a time per step is told."""
_STDERR_LINES = 8
_COLORS = {"PASS": 32, "UNDECIDED": 33}


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """What a verification found.

    ``status`` is identical, differs, failed (a run did), undecided (the raw script does not even repeat itself),
    trains (a quick run of the converted script did), or one of refused, unchanged, unconverted (there is no conversion to verify). ``problem`` says why when
    nothing could be compared, ``tensors`` lists (name, largest absolute difference) of the parameters that
    part at the first differing step, worst first.
    """

    status: Status
    comparison: Comparison | None = None
    causes: tuple[Cause, ...] = ()
    raw: Run | None = None
    converted: Run | None = None
    problem: str = ""
    tensors: tuple[tuple[str, float], ...] = ()
    notes: tuple[str, ...] = field(default=())
    ranks: tuple[Comparison, ...] = ()
    """One comparison per process, by rank; ``comparison`` is that of the first rank that parts."""
    parted: int = 0
    repeat: Comparison | None = None
    """The raw script compared with itself, when the converted one parts from it."""
    cut_after: int = 0
    """The optimizer step up to which both were compared, when a time limit ended a run there; 0 when none did."""

    resumed: Resumed | None = None
    """The converted script stopped and resumed, when that was asked for."""
    kept: float | None = None
    """When both ran (seconds since 1970), when that was for an earlier call; None when they ran for this one."""

    @property
    def passed(self) -> bool:
        """Whether the proof succeeded (or, of a quick run, whether the converted script trains)."""
        return self.exit_code == 0

    @property
    def exit_code(self) -> int:
        """0 passed, 1 differs, 3 undecided, 4 the raw script failed, 5 the converted one did, 123 there was no conversion to verify."""
        if self.status == "failed":
            return RAW_FAILED if self.converted is None else CONVERTED_FAILED
        if self.resumed is not None and not self.resumed.same and not _EXIT_CODES[self.status]:
            return _EXIT_CODES["differs"]
        return _EXIT_CODES[self.status]

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON data; ``version`` grows when the meaning of a key changes."""
        return {
            "version": VERSION,
            "status": self.status,
            "passed": self.passed,
            "problem": self.problem,
            "cut_after": self.cut_after,
            "synthetic_data": list(
                dict.fromkeys(n for run in (self.raw, self.converted) if run for n in run.stand_ins)
            ),
            "kept": None if self.kept is None else _time(self.kept),
            "raw": run_data(self.raw),
            "converted": run_data(self.converted),
            "seconds_per_step": [_pace(self.raw), _pace(self.converted)],
            "comparison": _comparison_data(self.comparison),
            "ranks": [_comparison_data(comparison) for comparison in self.ranks],
            "resumed": None
            if self.resumed is None
            else {
                "after": self.resumed.after,
                "identical": self.resumed.same,
                "problem": self.resumed.problem,
                "comparison": _comparison_data(self.resumed.comparison),
            },
            "repeat": _comparison_data(self.repeat),
            "tensors": [{"name": name, "difference": _number(amount)} for name, amount in self.tensors],
            "causes": [{"name": c.name, "why": c.why, "remedy": c.remedy} for c in self.causes],
            "notes": list(self.notes),
        }

    def render(self, color: bool = False) -> str:
        """The result for people, indented by two, ending in a newline."""
        lines = self._summary()
        if self.problem:
            lines.append(self.problem)
        lines += self._first_difference()
        lines += self._failed_runs()
        for number, cause in enumerate(self.causes):
            lines += [
                f"{'likely cause' if not number else 'or'}: {cause.name}",
                f"  {cause.why}",
                f"  Try: {cause.remedy}",
            ]
        lines += [self.resumed.told] if self.resumed is not None else []
        lines += self._paces()
        lines += [f"note: {note}" for note in self.notes]
        if self.kept is not None:
            lines.append(
                f"kept from {_time(self.kept)}: nothing has changed on which it rests (--no-cache runs both again)"
            )
        lines.append(self._verdict(color))
        return "".join(f"  {line}\n" for line in lines)

    def _summary(self) -> list[str]:
        if len(self.ranks) > 1:
            told = [f"rank {rank}: {self._told(c)}" for rank, c in enumerate(self.ranks)]
            return [f"{len(self.ranks)} processes, each compared with its twin", *told]
        return [] if self.comparison is None else [self._told(self.comparison)]

    def _paces(self) -> list[str]:
        """How long a step takes, when enough of them were done to say so."""
        raw, converted = _pace(self.raw), _pace(self.converted)
        if not raw or not converted:
            return []
        times = " raw, ".join(f"{1000 * seconds:.3g} ms" for seconds in (raw, converted))
        return [f"time per step (median, with recording): {times} converted, {converted / raw:.2f} x"]

    def _told(self, c: Comparison) -> str:
        if c.steps == (0, 0):
            return f"{c.losses[0]} backward passes · losses {_same(c.losses_identical)}"
        steps = f"{c.steps[0]} steps" if c.steps[0] == c.steps[1] else f"{c.steps[0]} steps raw, {c.steps[1]} converted"
        parts = [
            steps,
            f"losses {_same(c.losses_identical)}",
            f"{c.tensors} tensors {_same(c.parameters_identical)}",
            f"learning rates {_same(c.learning_rates_identical)}",
        ]
        if c.saves[0]:
            kind = "saved files" if not c.in_checkpoints else "weights in Lightning's checkpoints"
            parts.append(f"{kind} {_same(c.saves_identical)}")
        return " · ".join(parts)

    def _first_difference(self) -> list[str]:
        if self.comparison is None or self.comparison.first is None:
            return []
        d = self.comparison.first
        parts = f"rank {self.parted} parts" if len(self.ranks) > 1 else "parts"
        where = f" ({d.where})" if d.where else ""
        by = f", by {d.amount:.3g}" if d.amount is not None else ""
        if d.what == "steps":
            lines = [f"{parts} at step {d.step}: only one run goes on ({d.raw} steps raw, {d.converted} converted)"]
        elif d.what == "losses":
            lines = [f"{parts} at step {d.step}: made of {d.raw} backward calls raw, {d.converted} converted"]
        elif d.what == "parameters" and self.tensors:
            lines = [f"{parts} at step {d.step}: parameters{where}"]
        else:
            lines = [f"{parts} at step {d.step}: {d.what}{where} {d.raw} raw, {d.converted} converted{by}"]
        worst = self.tensors[:3]
        lines += [f"  {name}: largest difference {amount:.3g}" for name, amount in worst]
        if len(self.tensors) > len(worst):
            lines.append(f"  and {len(self.tensors) - len(worst)} more")
        return lines

    def _failed_runs(self) -> list[str]:
        runs = (("raw", self.raw), ("converted", self.converted)) if self.status == "failed" else ()
        return [line for name, run in runs if run is not None for line in last_lines(name, run)]

    def _verdict(self, color: bool) -> str:
        word, text = {
            "identical": ("PASS", f"bit-identical (CPU){self._until()}{self._on_synthetic_data()}"),
            "trains": ("PASS", "the converted script trains (quick run, nothing compared)"),
            "differs": (
                "FAIL",
                "trains differently" if self._training_differs() else "trains the same, but is not the same",
            ),
            "undecided": ("UNDECIDED", "the raw script is not the same twice"),
            "failed": ("FAIL", f"the {'raw' if self.exit_code == RAW_FAILED else 'converted'} script failed"),
            "refused": ("FAIL", "not converted, so there is nothing to verify"),
            "unconverted": ("FAIL", "not converted, so there is nothing to verify"),
            "unchanged": ("FAIL", "nothing to convert, so there is nothing to verify"),
        }[self.status]
        if word == "PASS" and not self.passed:
            word, text = "FAIL", "trains the same, but a resumed run is another one"
        return f"\033[1;{_COLORS.get(word, 31)}m{word}\033[0m  {text}" if color else f"{word}  {text}"

    def _until(self) -> str:
        """How far the proof goes, when a time limit ended it."""
        steps = f"the first {self.cut_after} steps" if self.cut_after > 1 else "the first step"
        return f" as far as the time limit let it run: in {steps}" if self.cut_after else ""

    def _on_synthetic_data(self) -> str:
        stood_in = any(run is not None and run.stand_ins for run in (self.raw, self.converted))
        return ", on synthetic data" if stood_in else ""

    def _training_differs(self) -> bool:
        first = self.comparison.first if self.comparison else None
        return first is None or first.what != "saved files"


def last_lines(name: str, run: Run) -> list[str]:
    """What the processes of a run that broke wrote last to stderr, by rank where there are several."""
    lines: list[str] = []
    for rank, one in enumerate(run.ranks):
        if one.broke:
            of = f" of rank {rank}" if len(run.ranks) > 1 else ""
            lines.append(f"last lines of the {name} run{of}:")
            lines += [f"  {line}" for line in one.stderr.strip().splitlines()[-_STDERR_LINES:]]
    return lines


def _time(when: float) -> str:
    return datetime.fromtimestamp(when).astimezone().isoformat(" ", "seconds")


def _same(identical: bool) -> str:
    return "identical" if identical else "differ"


def _pace(run: Run | None) -> float:
    """The median time of a step in seconds; 0.0 when too few were done."""
    times = [step.seconds for step in run.trace.steps[_WARM_UP:]] if run is not None else []
    return median(times) if len(times) >= _ENOUGH else 0.0


def run_data(run: Run | None) -> dict[str, Any] | None:
    """A run as JSON data."""
    if run is None:
        return None
    return {
        "processes": len(run.ranks),
        "steps": len(run.trace.steps),
        "losses": len(run.trace.backwards),
        "seconds": round(run.seconds, 3),
        "exit_status": run.returncode,
        "timed_out": run.timed_out,
        "failed": run.failed,
        "ended": run.trace.ended,
    }


def _comparison_data(c: Comparison | None) -> dict[str, Any] | None:
    if c is None:
        return None
    first = None
    if c.first is not None:
        d = c.first
        first = {
            "what": d.what,
            "step": d.step,
            "raw": d.raw,
            "converted": d.converted,
            "where": d.where,
            "amount": None if d.amount is None else _number(d.amount),
        }
    return {
        "steps": list(c.steps),
        "losses": list(c.losses),
        "saves": list(c.saves),
        "tensors": c.tensors,
        "losses_identical": c.losses_identical,
        "learning_rates_identical": c.learning_rates_identical,
        "optimizers_identical": c.optimizers_identical,
        "parameters_identical": c.parameters_identical,
        "saves_identical": c.saves_identical,
        "decimals_identical": c.decimals_identical,
        "first_difference": first,
    }


def _number(value: float) -> float | str:
    """JSON has no NaN and no infinity."""
    return value if value == value and abs(value) != float("inf") else str(value)
