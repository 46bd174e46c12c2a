"""The verification itself: convert if asked, run both, compare, name causes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from torch2lit.files.asked import Asked, noting
from torch2lit.findings import Finding
from torch2lit.options import Options

from .causes import likely_causes
from .compare import Comparison, compare, tensor_name
from .conversion import Unconverted, convert
from .cut import cut, steps_in_time
from .errors import VerifyError
from .forks import Launcher
from .ground import missing_ground
from .kept import Asking, KeptResults
from .progress import Watch, quiet
from .repeat import not_later, sources_of_chance, told
from .result import VerifyResult
from .resuming import resumed
from .rules import RAW_DID_NOT_STEP
from .run import READS, Request, Run, environment_of_runs, require_modules, run_script, tensor_differences
from .stale import own_folder
from .terminals import ask_for_terminal
from .workspace import build

_FAST_STEPS = 2
_SHOWN_PATHS = 5
_KINDS = {".py", ".ipynb", ""}


def verify(
    raw: Path,
    converted: Path | None,
    arguments: Sequence[str],
    *,
    options: Options,
    steps: int | None = None,
    fast_dev_run: bool = False,
    timeout: float = 600.0,
    python: str = sys.executable,
    processes: int | None = None,
    watch: Watch = quiet,
    resume_at: int | None = None,
    results: KeptResults | None = None,
    synthetic_data: bool = False,
) -> VerifyResult:
    """Prove that a converted script trains as the raw one does: same losses, rates and parameters, bit for
    bit.

    With ``converted`` None the raw script is converted first, with ``options``. ``arguments`` are the
    command line of both, ``steps`` ends both after that many optimizer steps, ``timeout`` is in seconds and
    per run: what both did until then is compared. ``fast_dev_run`` only checks that the converted script trains, for two steps. ``python`` is the
    interpreter that has torch and lightning. ``processes`` starts every script in that many processes, as
    ``torchrun`` does, and compares each of them; processes that a script spawns itself are compared anyway. ``watch`` is told how far a run is. ``resume_at`` also stops the
    converted script after that many epochs and resumes it. ``results`` keeps a result, and gives one that is kept where nothing has changed on which it
    rests; with ``processes``, ``fast_dev_run`` and ``resume_at`` both run in any case. ``synthetic_data`` lets small data sets stand in for those of torchvision that are not there. Scripts run in copies of their folders. Raises VerifyError
    when the proof cannot be attempted.
    """
    scripts = [path for path in (raw, converted) if path is not None]
    for path in scripts:
        _check_script(path)
    terminal = ask_for_terminal(scripts)
    asking: Asking | None = None
    if results is not None and processes is None and not fast_dev_run and resume_at is None:
        asking = results.asking(
            raw, converted, arguments, options=options, steps=steps, synthetic=synthetic_data, python=python, terminal=terminal
        )  # fmt: skip
        if asking is not None and (kept := asking.answer()) is not None:
            return kept
    with Launcher(python, environment_of_runs(), scripts) as launcher:
        return _proof(
            raw, converted, arguments, options=options, steps=steps, fast_dev_run=fast_dev_run, timeout=timeout, python=python, processes=processes,
            watch=watch, resume_at=resume_at, synthetic_data=synthetic_data, terminal=terminal, asking=asking, launcher=launcher,
        )  # fmt: skip


def _proof(
    raw: Path,
    converted: Path | None,
    arguments: Sequence[str],
    *,
    options: Options,
    steps: int | None,
    fast_dev_run: bool,
    timeout: float,
    python: str,
    processes: int | None,
    watch: Watch,
    resume_at: int | None,
    synthetic_data: bool,
    terminal: bool,
    asking: Asking | None,
    launcher: Launcher,
) -> VerifyResult:
    scripts = [path for path in (raw, converted) if path is not None]
    asked: Asked | None = None
    findings: tuple[Finding, ...] = ()
    content: bytes | None = None
    others: tuple[tuple[Path, bytes], ...] = ()
    modern: bytes | None = None
    if converted is None:
        with noting() as asked:
            conversion = convert(raw, options)
        if isinstance(conversion, Unconverted):
            return VerifyResult(conversion.status, problem=conversion.problem)
        content, findings, others = conversion.content, conversion.findings, conversion.others
        modern = conversion.modern
    texts = [content if content is not None else scripts[-1].read_bytes(), *(text for _path, text in others)]
    require_modules(python, "torch", *lightning_in(b"\n".join(texts)))
    first = Request(
        raw, tuple(arguments), steps=steps, timeout=timeout, python=python, content=modern, processes=processes,
        terminal=terminal, synthetic=synthetic_data, noted=asking is not None,
    )  # fmt: skip
    if raw.suffix == ".ipynb":  # a notebook server starts a kernel in the notebook's folder
        first = replace(first, directory=raw.resolve().parent)
    second = replace(first, script=scripts[-1], content=content, others=others)
    if converted is not None and converted.resolve().parent != raw.resolve().parent:
        second = replace(second, search_after=(raw.resolve().parent,))
    with stage_for(scripts, watch, launcher) as stage:
        if fast_dev_run:
            result = _quick(stage.run("converted", replace(second, steps=_FAST_STEPS)))
        else:
            result = _prove(stage, first, second, findings)
        if resume_at is not None and result.converted is not None and not result.converted.failed:
            end = result.cut_after or steps
            found = resumed(stage.run, result.converted, replace(second, steps=end), resume_at, stage.root)
            result = replace(result, resumed=found)
        stood_in = stand_ins_told(synthetic_data, result.raw, result.converted)
        result = replace(result, notes=(*result.notes, *stood_in, *_outside(result)))
        if asking is not None:
            asking.keep(result, asked, [stage.root / name / READS for name in ("raw", "converted")])
    return result


def stand_ins_told(asked: bool, *runs: Run | None) -> list[str]:
    """What is told of data sets that were not there, when somebody has asked for stand-ins."""
    if not asked:
        return []
    found = dict.fromkeys(name for run in runs if run is not None for name in run.stand_ins)
    if not found:
        return ["synthetic data stood in for nothing: no data set of torchvision was missing"]
    return [f"synthetic data, the same in every run, stood in for what is not here: {', '.join(found)}"]


def _outside(result: VerifyResult) -> list[str]:
    """What is told of files that the runs wrote outside of their copy."""
    paths = sorted({path for run in (result.raw, result.converted) if run is not None for path in run.outside})
    if not paths:
        return []
    shown = ", ".join(paths[:_SHOWN_PATHS]) + (
        f" and {len(paths) - _SHOWN_PATHS} more" if len(paths) > _SHOWN_PATHS else ""
    )
    return [f"outside of the project the script writes to the real files, by their full path: {shown}"]


@dataclass(frozen=True, slots=True)
class Stage:
    """Where runs take place: one after the other at the same path, so that nothing that depends on the path
    differs.
    """

    root: Path
    scripts: Sequence[Path]
    watch: Watch
    launcher: Launcher | None = None

    def run(self, name: str, request: Request) -> Run:
        mirror = self.root / "copy"
        if mirror.exists():
            shutil.rmtree(mirror, ignore_errors=True)
        mirror.mkdir(exist_ok=True)
        return run_script(build(mirror, self.scripts, Path.cwd()), request, self.root / name, self.watch, self.launcher)


@contextmanager
def stage_for(scripts: Sequence[Path], watch: Watch, launcher: Launcher | None = None) -> Iterator[Stage]:
    """A place for runs that is gone afterwards."""
    with own_folder() as root:
        yield Stage(root, scripts, watch, launcher)


def _prove(stage: Stage, first: Request, second: Request, findings: Sequence[Finding]) -> VerifyResult:
    raw = stage.run("raw", first)
    if limit := steps_in_time(raw):
        raw = cut(raw, limit)
        first, second = replace(first, steps=limit), replace(second, steps=limit)
    if raw.failed:
        return VerifyResult("failed", raw=raw, problem=why_failed("raw", raw, first))
    if not any(run.trace.steps or run.trace.backwards for run in raw.ranks):
        problem = "The raw run came to its end without an optimizer step or a backward pass."
        return VerifyResult("failed", causes=(RAW_DID_NOT_STEP,), raw=raw, problem=problem)
    converted = stage.run("converted", second)
    # When the raw script came to its end, one that does not in the same time may well hang.
    if limit and (fewer := steps_in_time(converted)):
        limit = fewer
        raw, converted = cut(raw, limit), cut(converted, limit)
        first, second = replace(first, steps=limit), replace(second, steps=limit)
    if converted.failed:
        return VerifyResult("failed", raw=raw, converted=converted, problem=why_failed("converted", converted, second))
    if len(raw.ranks) != len(converted.ranks):
        problem = f"{len(raw.ranks)} processes trained raw, {len(converted.ranks)} converted."
        return VerifyResult("failed", raw=raw, converted=converted, problem=problem)
    pairs = list(zip(raw.ranks, converted.ranks, strict=True))
    ranks = tuple(compare(a.trace, b.trace, a.stdout, b.stdout) for a, b in pairs)
    parted = [rank for rank, comparison in enumerate(ranks) if comparison.first is not None]
    rank = parted[0] if parted else 0
    comparison = ranks[rank]
    notes = _notes(ranks, first)
    if not parted:
        return VerifyResult(
            "identical", comparison, raw=raw, converted=converted, notes=notes, ranks=ranks, cut_after=limit
        )
    again = _repeated(stage, first, raw, rank)
    if again is not None and not_later(again.first, comparison.first):
        return VerifyResult(
            "undecided", comparison, raw=raw, converted=converted, problem=_undecided(again, first), notes=notes,
            ranks=ranks, parted=rank, repeat=again,
        )  # fmt: skip
    if again is not None and again.first is not None:
        notes = (*notes, f"{told(again)}; the converted one parts from it before that")
    causes = likely_causes(pairs[rank][0].trace, pairs[rank][1].trace, comparison, findings, _text(second))
    tensors = _largest_differences(stage, first, second, raw, comparison) if rank == 0 else ()
    return VerifyResult(
        "differs",
        comparison,
        causes,
        raw,
        converted,
        tensors=tensors,
        notes=notes,
        ranks=ranks,
        parted=rank,
        repeat=again,
    )


def _repeated(stage: Stage, first: Request, raw: Run, rank: int) -> Comparison | None:
    """The raw script compared with itself; None when the second run fails."""
    again = stage.run("raw-repeated", first)
    if again.failed or len(again.ranks) != len(raw.ranks):
        return None
    a, b = raw.ranks[rank], again.ranks[rank]
    return compare(a.trace, b.trace, a.stdout, b.stdout)


def _undecided(again: Comparison, first: Request) -> str:
    content = first.content if first.content is not None else first.script.read_bytes()
    seen = [] if first.script.suffix == ".ipynb" else sources_of_chance(content.decode("utf-8", "replace"))
    sentence = f"{told(again)}, so this comparison cannot blame the conversion"
    lines = [f"{sentence[0].upper()}{sentence[1:]}."]
    if seen:
        lines.append(f"Seen in it: {'; '.join(seen)}.")
    return " ".join([*lines, "Make the raw script repeat itself (seeds that are numbers), then verify again."])


def _text(request: Request) -> str:
    parts = [request.content if request.content is not None else request.script.read_bytes()]
    return b"\n".join([*parts, *(content for _path, content in request.others)]).decode("utf-8", "replace")


def _quick(run: Run) -> VerifyResult:
    if run.failed:
        return VerifyResult("failed", converted=run, problem=why_failed("converted", run, None))
    if not run.trace.steps and not run.trace.backwards:
        return VerifyResult(
            "failed", converted=run, problem="The converted script ran to its end without an optimizer step."
        )
    return VerifyResult("trains", converted=run)


def _largest_differences(
    stage: Stage, first: Request, second: Request, raw: Run, comparison: Comparison
) -> tuple[tuple[str, float], ...]:
    """Run both again up to the step at which parameters part, and measure them."""
    difference = comparison.first
    if difference is None or difference.what != "parameters":
        return ()
    index = difference.step - 1
    dumps = []
    for name, request in (("raw-again", first), ("converted-again", second)):
        dump = stage.root / f"{name}.pt"
        stage.run(name, replace(request, steps=difference.step, dump_step=index, dump_to=dump))
        dumps.append(dump)
    optimizer = raw.trace.steps[index].optimizer
    rows = sorted(tensor_differences(first.python, *dumps), key=lambda row: (-row[1], row[0]))
    return tuple((tensor_name(raw.trace, optimizer, number), amount) for number, amount in rows)


def _notes(ranks: Sequence[Comparison], raw: Request) -> tuple[str, ...]:
    notes = []
    if raw.content is not None:
        notes.append("the raw script is for an older torch: it ran as modernised, see the findings of the conversion")
    if not all(comparison.decimals_identical for comparison in ranks):
        notes.append("other decimal numbers were printed (this does not decide)")
    if not any(comparison.steps[0] for comparison in ranks):
        notes.append("no optimizer stepped: the loss of every backward pass was compared, and what was saved")
    saves = [sum(comparison.saves[side] for comparison in ranks) for side in (0, 1)]
    if saves[1] > saves[0]:
        notes.append(f"the converted run saves more: {saves[1]} times, the raw run {saves[0]}")
    return tuple(notes)


def why_failed(name: str, run: Run, request: Request | None) -> str:
    """Which process of a run broke, how and when, in a sentence for people."""
    broken = next((r for r in run.ranks if r.broke and r.returncode > 0), next((r for r in run.ranks if r.broke), run))
    taken = f"after {len(broken.trace.steps)} optimizer steps"
    if len(run.ranks) > 1:
        taken += f" of rank {run.ranks.index(broken)}"
    run = broken
    if run.timed_out:
        limit = f" of {request.timeout:g} s" if request is not None else ""
        return f"The {name} run did not end within its time limit{limit}, {taken}. Try --steps or more time."
    if run.returncode < 0:
        return f"The {name} run was ended by signal {-run.returncode} {taken}."
    told = f"The {name} run failed with exit status {run.returncode} {taken}."
    if name == "raw" and (need := missing_ground(run.stderr, request.processes if request is not None else None)):
        told += f" {need}"
    return told


def _check_script(path: Path) -> None:
    if not path.is_file():
        raise VerifyError(f"{path} is not a file.")
    if path.suffix not in _KINDS:
        raise VerifyError(f"{path} is neither a Python script nor a notebook.")


def lightning_in(content: bytes) -> list[str]:
    """The Lightning packages that a script imports, by their text."""
    return [
        name
        for name in ("lightning", "pytorch_lightning")
        if b"import " + name.encode() in content or b"from " + name.encode() in content
    ]
