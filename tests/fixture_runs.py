"""Running a raw script and its conversion in this process, under the tracer, and telling what differs."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import io
import itertools
import logging
import os
import re
import runpy
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from event_files import is_event_file, points
from fixture_cases import OWN_FILES, Case, case
from legacy_torch import legacy_torch

from torch2lit.verify.compare import compare
from torch2lit.verify.events import Trace
from torch2lit.verify.trace import record

_BAR = re.compile(r"^.*?\|[^|]*\| *\d+/\S+ \[[^\]]*\]|\x1b\[[0-9;]*[A-Za-z]")  # what tqdm draws
_TIME = re.compile(r"\b\d+(\.\d+)?(e-\d+)?\s?(s|sec|secs|seconds|ms)\b|\b\d+m \d+s\b")
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")


@dataclass(frozen=True, slots=True)
class Run:
    """What one script did: its trace, its output (times and bars aside), the plain files that it wrote."""

    trace: Trace
    stdout: tuple[str, ...]
    files: dict[str, bytes]
    error: str = ""


def run_script(case: Case, text: str, max_steps: int | None = None, legacy: bool = False) -> Run:
    """Run a script's text as ``__main__`` in a folder of its own, with torch as a new process finds it.

    ``legacy``: with what an older torch offered.
    An exception of the script is told in ``error``.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        work = folder / "work"
        shutil.copytree(case.folder, work, ignore=shutil.ignore_patterns(*OWN_FILES))
        script = folder / "train.py"
        script.write_bytes(text.encode("utf-8"))
        run = _run(script, work, case.arguments, max_steps, legacy)
    if case.options.asked("logger") == "own":
        return run
    files = {name: content for name, content in run.files.items() if name.partition("/")[0] != _OF_LOGGERS}
    return replace(run, files=files)


def run_program(entry: Path) -> Run:
    """Run the entry script of a program of several files in its folder, as `run_script` does."""
    return _run(entry.resolve(), entry.resolve().parent)


def _run(
    script: Path, work: Path, arguments: Sequence[str] = (), max_steps: int | None = None, legacy: bool = False
) -> Run:
    given = {path.relative_to(work) for path in work.rglob("*")}
    printed, error = io.StringIO(), ""
    with (
        _fresh(work, [str(script), *arguments]),
        contextlib.redirect_stdout(printed),
        record(max_steps=max_steps, seed=0) as trace,
        legacy_torch() if legacy else contextlib.nullcontext(),
    ):
        sys.path.insert(0, str(script.parent))
        try:
            runpy.run_path(str(script), run_name="__main__")
        except SystemExit as stop:
            error = f"SystemExit({stop.code})" if stop.code else ""
        except Exception as problem:
            error = f"{type(problem).__name__}: {problem}"
    saved = {save.name for save in trace.saves}
    written = [p for p in sorted(work.rglob("*")) if p.relative_to(work) not in given and "__pycache__" not in p.parts]
    events = [path for path in written if is_event_file(path)]
    folders = {path.parent for path in events}
    files = {
        path.relative_to(work).as_posix(): b"" if path.name in saved or path.is_dir() else path.read_bytes()
        for path in written
        if path not in events and not (path.name == "hparams.yaml" and path.parent in folders)
    }
    files |= {
        f"{folder.relative_to(work).as_posix()}/tfevents": points(folder.glob("*tfevents*")) for folder in folders
    }
    return Run(trace, tuple(plain_lines(printed.getvalue())), files, error)


@functools.cache
def raw_run(name: str) -> Run:
    """What a case's raw script does, run once per session."""
    return run_script(case(name), case(name).runnable, legacy=case(name).legacy)


@functools.lru_cache(maxsize=64)
def run_of(name: str, text: str) -> Run:
    """What a conversion of a case does; one that several options write is run once."""
    return run_script(case(name), text)


def run_by(case: Case) -> tuple[object, ...]:
    """All that a run of a case follows from, but for the script: with two scripts it is what comparing them follows from."""
    files = sorted(path for path in case.folder.rglob("*") if path.is_file() and path.name not in OWN_FILES)
    held = [
        (path.relative_to(case.folder).as_posix(), path.read_bytes())
        for path in files
        if "__pycache__" not in path.parts
    ]
    return (case.runnable, case.arguments, case.legacy, case.options.asked("logger"), held)


def plain_lines(printed: str) -> list[str]:
    """What was printed, without progress bars, times and addresses."""
    parts = re.split(r"[\r\n]", printed)
    parts = [_BAR.sub("", part).strip() if _BAR.search(part) else part.rstrip() for part in parts]
    lines = [_ADDRESS.sub("<address>", _TIME.sub("<time>", part)) for part in parts]
    return [line for line in lines if line]


def differences(raw: Run, converted: Run, most: int = 5) -> list[str]:
    """Where two runs part, in the order in which a reader wants to know it; [] when they are identical.

    Where Lightning saves, its checkpoints stand for the script's files: one for each, after the same step, with the same tensors.
    """
    told = [f"{which} stopped with {r.error}" for which, r in (("raw", raw), ("converted", converted)) if r.error]
    told += _sequence("loss", _exact(raw.trace.losses), _exact(converted.trace.losses))
    for fact in ("optimizer", "learning_rates", "parameters"):
        one, other = ([str(getattr(step, fact)) for step in run.trace.steps] for run in (raw, converted))
        told += _sequence(fact, one, other)
    if any(save.by_lightning for save in converted.trace.saves):
        told += _checkpoints(raw, converted)
        raw, converted = _without_checkpoints(raw, raw), _without_checkpoints(converted, raw)
    else:
        told += _sequence("torch.save", list(map(str, raw.trace.saves)), list(map(str, converted.trace.saves)))
    told += _sequence("line of stdout", list(raw.stdout), [t for t in converted.stdout if _LIGHTNINGS not in t])
    if raw.files != converted.files:
        names = [n for n in sorted({*raw.files, *converted.files}) if raw.files.get(n) != converted.files.get(n)]
        told.append(f"files differ: {', '.join(names)}")
    return told[:most]


def _checkpoints(raw: Run, converted: Run) -> list[str]:
    saves = [[save.steps for save in run.trace.saves] for run in (raw, converted)]
    told = [] if saves[0] == saves[1] else [f"saved after the steps {saves[0]} raw, {saves[1]} converted"]
    names = {save.name for save in raw.trace.saves}
    stems = {n.rpartition(".")[0] for n in raw.files if n.rpartition("/")[2] in names}
    now = {n.rpartition(".")[0] for n in converted.files if n.endswith(".ckpt") or n.rpartition("/")[2] in names}
    told += [] if stems == now else [f"saved as {sorted(stems)} raw, {sorted(now)} converted"]
    compared = compare(raw.trace, converted.trace)
    return [*told, *([] if compared.saves_identical else [f"saved: {compared.first}"])]


def _without_checkpoints(run: Run, raw: Run) -> Run:
    saved = {save.name for save in raw.trace.saves}
    files = {n: b for n, b in run.files.items() if not n.endswith(".ckpt") and n.rpartition("/")[2] not in saved}
    return replace(run, files=files)


_OF_LOGGERS = "lightning_logs"
"""Where a logger of Lightning's writes unless it is told a folder: beside the script's files, where it was asked for."""

_LIGHTNINGS = "lightning.pytorch."
"""Lightning logs through the root logger too, so a script that sets one up shows lines of Lightning's own."""


def _exact(numbers: list[float]) -> list[str]:
    return [number.hex() for number in numbers]  # nan equals nan, 0.0 is not -0.0


def _sequence(what: str, raw: list[str], converted: list[str]) -> Iterator[str]:
    for index, (a, b) in enumerate(itertools.zip_longest(raw, converted)):
        if a != b:
            yield f"{what} {index} of {len(raw)} raw, {len(converted)} converted: {a} / {b}"
            return


@functools.cache
def import_everything() -> None:
    """Import what scripts import, once, and hide it all from the garbage collector: that makes runs fast."""
    os.environ["MPLBACKEND"] = "Agg"
    import lightning.pytorch.loops  # noqa: F401
    import torch._dynamo  # what the first step of an optimizer imports

    torch.set_num_threads(1)
    _remember_plug_ins()
    _collect()


def _remember_plug_ins() -> None:
    """Each Trainer looks through all installed packages for callbacks; here it is told again what it found the first time."""
    registry = importlib.import_module("lightning.fabric.utilities.registry")
    found: dict[str, Any] = {}

    def entry_points(group: str) -> Any:
        if group not in found:
            found[group] = metadata.entry_points(group=group)
        return found[group]

    vars(registry)["entry_points"] = entry_points


def _collect() -> None:
    """Let go of what a run has left, and never look again through what stays."""
    gc.collect()
    gc.freeze()


@contextlib.contextmanager
def _fresh(folder: Path, argv: list[str]) -> Iterator[None]:
    """The state of a new process around the block, and this process's own state after it."""
    import_everything()
    import torch

    before = (
        sys.argv,
        list(sys.path),
        Path.cwd(),
        dict(os.environ),
        list(logging.root.handlers),
        logging.root.level,
    )
    modules = set(sys.modules)
    random_state = torch.get_rng_state()
    _reset_torch()
    try:
        os.chdir(folder)
        sys.argv = argv
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.argv, sys.path[:] = before[0], before[1]
        os.chdir(before[2])
        os.environ.clear()
        os.environ.update(before[3])
        logging.root.handlers[:], logging.root.level = before[4], before[5]
        for name in set(sys.modules) - modules:
            if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(folder.parent)):
                del sys.modules[name]
        _reset_torch()
        torch.set_rng_state(random_state)
        _collect()


def _reset_torch() -> None:
    import torch

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_grad_enabled(True)
    torch.use_deterministic_algorithms(False)
    torch.autograd.set_detect_anomaly(False)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = False
    torch.set_printoptions(profile="default")
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")
