"""Proves that a script converted for several processes is one training in all of them, with the evaluation of one process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch2lit.findings import Finding
from torch2lit.options import Options

from .agreement import Sharing, compared_numbers, other_numbers, parting, sharing
from .causes import from_finding
from .conversion import Unconverted, convert
from .errors import VerifyError
from .evidence import Cause
from .progress import Watch, quiet
from .proof import lightning_in, stage_for, stand_ins_told, why_failed
from .run import Request, Run, require_modules
from .several_result import SeveralResult
from .terminals import ask_for_terminal

_MOST = 16
_DIFFERS = "differs-per-process"


def number_of_processes(options: Options) -> int:
    """How many processes the options ask for. Raises VerifyError when they do not say."""
    devices = options.devices or "1"
    if devices in ("auto", "-1"):
        raise VerifyError(
            f"verify runs a number of processes on the CPU, and --devices {devices} is none: try --devices 2."
        )
    count = len([index for index in devices.split(",") if index]) if "," in devices else int(devices)
    return count * (options.num_nodes or 1)


def makes_its_processes(script: Path) -> bool:
    """Whether a script makes a process group itself, so that it has a twin of several processes to be compared with."""
    return script.suffix != ".ipynb" and b"init_process_group" in script.read_bytes()


def verify_several(
    script: Path,
    arguments: Sequence[str],
    *,
    options: Options,
    python: str,
    steps: int | None = None,
    timeout: float = 600.0,
    watch: Watch = quiet,
    synthetic_data: bool = False,
) -> SeveralResult:
    """Convert a script for the processes that the options ask for, run it in them, and compare them with each other.

    Each process has random numbers and a hash seed of its own, as real ones have; all run on the CPU by gloo. Then the conversion for one
    process runs as far as is needed to repeat every evaluation with the same weights. Raises VerifyError when that cannot be attempted.
    """
    number = number_of_processes(options)
    if script.suffix == ".ipynb":
        raise VerifyError("a notebook trains in one process here: verify --devices takes scripts.")
    if number > _MOST:
        raise VerifyError(f"{number} processes are more than verify starts: at most {_MOST}.")
    nodes = options.num_nodes or 1
    here = replace(options, accelerator="cpu", devices=str(number // nodes), strategy=_strategy(options.strategy))
    several = convert(script, here)
    if isinstance(several, Unconverted):
        return SeveralResult(several.status, problem=several.problem)
    one = convert(script, replace(here, devices=None, num_nodes=None, strategy=None))
    lightning = tuple(lightning_in(several.content))
    require_modules(python, "torch", *lightning)
    request = Request(
        script, tuple(arguments), several.content, steps=steps, timeout=timeout, python=python, others=several.others,
        processes=number, nodes=nodes, apart=True, lightning=lightning,
        terminal=ask_for_terminal([script]), synthetic=synthetic_data,
    )  # fmt: skip
    with stage_for([script], watch) as stage:
        shares = stage.root / "evaluations"
        shares.mkdir()
        run = stage.run(f"{number} processes", replace(request, shares=shares))
        if run.failed or len(run.ranks) != number:
            return SeveralResult(
                "failed", run, problem=_why_failed(run, request), causes=_causes(several.findings, run)
            )
        alone: Run | None = None
        if not isinstance(one, Unconverted) and _is_needed(run):
            single = replace(
                request, content=one.content, others=one.others, processes=None, nodes=1, steps=None, apart=False,
                shares=shares, replays=True,
            )  # fmt: skip
            alone = stage.run("one process", single)
    judged = _judged(run, alone, several.findings, options, here)
    return replace(judged, notes=(*judged.notes, *stand_ins_told(synthetic_data, run, alone)))


def _strategy(asked: str | None) -> str | None:
    """The strategy that stands for the one asked for, on a CPU and in processes that are started from outside."""
    if asked in (None, "auto"):
        return None
    looks = "_find_unused_parameters_true"
    return f"ddp{looks}" if asked is not None and asked.endswith(looks) else "ddp"


def _is_needed(run: Run) -> bool:
    return bool(run.trace.evaluations) or any(batch.shared for batch in run.trace.samples)


def _judged(run: Run, alone: Run | None, findings: Sequence[Finding], asked: Options, here: Options) -> SeveralResult:
    traces = [one.trace for one in run.ranks]
    single = alone.trace if alone is not None else None
    if not traces[0].steps:
        return SeveralResult("failed", run, problem="The converted run came to its end without an optimizer step.")
    parts = parting(traces)
    shared = sharing(traces, single)
    repeated = single.evaluations if single is not None else []
    others = tuple(other_numbers(traces[0].evaluations, repeated))
    numbers = compared_numbers(traces[0].evaluations, repeated)
    printed = tuple((rank, line.text) for rank, trace in enumerate(traces) for line in trace.printed)
    right = parts is None and shared.right and not others and not printed
    return SeveralResult(
        "agree" if right else "differs",
        run,
        parts,
        shared,
        min(len(traces[0].evaluations), len(repeated)),
        numbers,
        others,
        printed,
        tuple(_not_compared(run, alone, shared, numbers)),
        () if right else _causes(findings, run),
        notes=tuple(_notes(run, asked, here)),
    )


def _not_compared(run: Run, alone: Run | None, shared: Sharing, numbers: Sequence[str]) -> list[str]:
    found = ["the raw script, in one process: `torch2lit verify` without --devices does that"]
    if not shared.seen:
        found.append("which data each process took: no DataLoader gave it")
    evaluations = run.trace.evaluations
    if not evaluations:
        found.append("evaluations: no Trainer ran one")
    elif alone is None or (alone.failed and not alone.trace.evaluations):
        why = "there is no conversion for one process" if alone is None else "the run in one process failed"
        found.append(f"the evaluations with those of one process: {why}")
    elif len(alone.trace.evaluations) < len(evaluations):
        found.append(f"the evaluations after the first {len(alone.trace.evaluations)} of {len(evaluations)}")
    elif not numbers:
        found.append("the numbers of the evaluations: they leave none on the module and log none")
    found.append("what the script does outside of `fit`, `validate` and `test`")
    return found


def _notes(run: Run, asked: Options, here: Options) -> list[str]:
    notes = []
    if asked.accelerator not in (None, "auto", "cpu") or (asked.strategy or "auto") not in ("auto", here.strategy):
        given = ", ".join(
            f"{name} {value}"
            for name, value in (("--accelerator", asked.accelerator), ("--strategy", asked.strategy))
            if value
        )
        notes.append(f"{given}: verified is the conversion for the CPU with {here.strategy or 'ddp'}")
    saves = sum(len(one.trace.saves) for one in run.peers)
    if saves:
        notes.append(f"ranks other than 0 save as well: {saves} times")
    return notes


def _causes(findings: Sequence[Finding], run: Run) -> tuple[Cause, ...]:
    """The findings of the conversion that speak of several processes, those of what differs before training first."""
    told = [finding for finding in findings if finding.severity == "review"]
    return tuple(from_finding(f) for f in sorted(told, key=lambda f: (f.slug != _DIFFERS, f.line)))


def _why_failed(run: Run, request: Request) -> str:
    if not any(one.timed_out for one in run.ranks):
        return why_failed("converted", run, request)
    counts = ", ".join(f"rank {rank}: {len(one.trace.steps)}" for rank, one in enumerate(run.ranks))
    return (
        f"The processes did not come to their end within {request.timeout:g} s (optimizer steps of {counts}). "
        "One that waits for another never does; a long training needs --steps or more time."
    )
