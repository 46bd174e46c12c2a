"""Runs one script under the tracer, in a process of its own (or in several that train together) and in a throw-away copy of
its folder.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from .errors import VerifyError
from .events import Trace, read
from .forks import Forked, Launcher
from .outside import told_in
from .progress import StepCounter, Watch, quiet
from .ranks import rank_arguments, rank_environments
from .synthetic import told_in as stood_in
from .terminals import terminal
from .workspace import Workspace

_CHILD = Path(__file__).with_name("child.py")
_DIFFER = Path(__file__).with_name("differ.py")
_LARGEST_OUTPUT = 8 * 1024**2
_OUTSIDE = "outside"
_EVENTS = "events.jsonl"
READS = "reads"
_STAND_INS = "stand-ins"
_GRACE = 10.0
"""Seconds that the other processes get after one of them broke."""
PINS = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "PYTHONIOENCODING": "utf-8",
    "MPLBACKEND": "Agg",
    "CUDA_VISIBLE_DEVICES": "",
    "WANDB_MODE": "offline",
}


@dataclass(frozen=True, slots=True)
class Run:
    """What one run did. ``returncode`` is negative when a signal ended it."""

    trace: Trace
    returncode: int
    stdout: str
    stderr: str
    seconds: float
    timed_out: bool = False
    peers: tuple[Run, ...] = ()
    """The other processes of the same training, by rank from 1 on."""
    outside: tuple[str, ...] = ()
    """What it wrote by its full path outside of the copy: files of the user's own."""
    stand_ins: tuple[str, ...] = ()
    """The data sets that were not there, for which small ones stood in."""

    @property
    def failed(self) -> bool:
        """Whether one of its processes did not come to its end."""
        return any(run.broke for run in self.ranks)

    @property
    def ranks(self) -> tuple[Run, ...]:
        """All processes of the training, by rank."""
        return (self, *self.peers)

    @property
    def broke(self) -> bool:
        """Whether this process did not come to its end. A signal after the script had ended does not count."""
        if self.timed_out:
            return True
        if self.trace.ended == "limit":
            return False
        return self.returncode > 0 or (self.returncode < 0 and self.trace.ended != "exit")


@dataclass(frozen=True, slots=True)
class Request:
    """How to run a script. ``script`` is the user's path; ``content`` replaces its content in the copy.

    ``steps`` ends the run after that many optimizer steps, ``dump_step`` saves the parameters after that
    step to ``dump_to``, ``search_after`` are folders to look for modules in when all others have been
    searched.
    """

    script: Path
    arguments: Sequence[str] = ()
    content: bytes | None = None
    steps: int | None = None
    seed: int = 0
    timeout: float = 600.0
    python: str = sys.executable
    dump_step: int | None = None
    dump_to: Path | None = None
    search_after: tuple[Path, ...] = ()
    others: tuple[tuple[Path, bytes], ...] = ()
    """Other files of the program with their content in the copy."""
    directory: Path | None = None
    """Where it runs; None for the workspace's own directory."""
    processes: int | None = None
    """How many processes are started with the environment of ``torchrun``; None starts one without it."""
    nodes: int = 1
    """On how many machines they pretend to be."""
    apart: bool = False
    """Whether each process has random numbers and hashes of its own, as real ones have that nothing seeds."""
    shares: Path | None = None
    """The folder of what evaluations begin with, see `torch2lit.verify.shared_work`; None when that is not recorded."""
    replays: bool = False
    checkpoint: Path | None = None
    """Where a run is saved that stops, or what one goes on from, see `torch2lit.verify.interrupted`."""
    stop_after: int | None = None
    """The number of epochs after which it stops."""
    lightning: tuple[str, ...] = ()
    terminal: bool = False
    """Whether it reads from a terminal, see `torch2lit.verify.terminals`."""
    synthetic: bool = False
    """Whether small data sets stand in for those of torchvision that are not there, see `torch2lit.verify.synthetic`."""
    noted: bool = False
    """Whether it is noted what it reads, see `torch2lit.verify.reads`."""


def run_script(
    workspace: Workspace, request: Request, scratch: Path, watch: Watch = quiet, launcher: Launcher | None = None
) -> Run:
    """Run a script inside ``workspace``; files of the tool's own go to ``scratch``, by whose name ``watch`` is told how far it is. A run of one process is
    forked by ``launcher``, where there is one.
    Never raises for what it does.
    """
    script = workspace.place(request.script)
    for path, content in [(request.script, request.content), *request.others]:
        if content is not None:
            place = workspace.place(path)
            if place.is_symlink():
                place.unlink()
            place.write_bytes(content)
    directory = workspace.place(request.directory or workspace.directory)
    shown = os.path.relpath(script, directory) if directory in script.parents else str(script)
    starts = []
    for rank, ranked in enumerate(rank_environments(request.processes, request.nodes)):
        own = scratch / f"rank{rank}" if rank else scratch
        own.mkdir(parents=True, exist_ok=True)
        control = own / "control.json"
        control.write_text(json.dumps(_control(workspace, request, script, scratch, own, rank)), encoding="utf-8")
        given = rank_arguments(request.arguments, ranked)
        command = [request.python, str(_CHILD), str(control), shown, *given]
        environment = _environment({**os.environ, **ranked, "PWD": str(directory)}, workspace)
        if request.apart:
            environment["PYTHONHASHSEED"] = str(rank)
        alone = request.processes is None and not request.terminal
        starts.append(_Start(command, environment, own, request.terminal, launcher if alone else None))
    started = time.monotonic()
    counter = StepCounter(starts[0].scratch / _EVENTS)

    def look() -> None:
        if watch is not quiet:
            watch(scratch.name, counter.count(), time.monotonic() - started)

    ends = _wait(starts, directory, request.timeout, look)
    seconds = time.monotonic() - started
    runs = [_told(start.scratch, *end, seconds, workspace) for start, end in zip(starts, ends, strict=True)]
    outside = scratch / _OUTSIDE
    runs[0] = replace(runs[0], outside=tuple(told_in(outside.read_bytes() if outside.exists() else b"")))
    stand_ins = scratch / _STAND_INS
    if stand_ins.exists():
        runs[0] = replace(runs[0], stand_ins=tuple(stood_in(stand_ins.read_text(encoding="utf-8"))))
    spawned = [read(file.read_text(encoding="utf-8").splitlines()) for file in _spawned(scratch)]
    if spawned and not runs[0].trace.steps:
        parent = runs[0]
        first, *rest = [replace(parent, trace=trace) for trace in spawned]
        return replace(first, peers=tuple(rest))
    return replace(runs[0], peers=tuple(runs[1:]))


def _told(scratch: Path, returncode: int, timed_out: bool, seconds: float, workspace: Workspace) -> Run:
    events = scratch / _EVENTS
    lines = events.read_text(encoding="utf-8").splitlines() if events.exists() else []
    out, err = (_text(scratch / name, workspace) for name in ("stdout", "stderr"))
    return Run(read(lines), returncode, out, err, seconds, timed_out)


def _spawned(scratch: Path) -> list[Path]:
    """The traces of the processes that the script started itself, by their rank."""
    files = scratch.glob("spawned-*.jsonl")
    return sorted(files, key=lambda file: int(file.stem.partition("-")[2]))


def tensor_differences(python: str, raw: Path, converted: Path) -> list[tuple[int, float]]:
    """(index, largest absolute difference) of each tensor that differs between two dumps. [] when they
    cannot be read.
    """
    command = [python, str(_DIFFER), str(raw), str(converted)]
    answer = subprocess.run(command, capture_output=True, text=True, env=_environment(os.environ), check=False)
    return [(int(i), float(x)) for i, x in json.loads(answer.stdout)] if answer.returncode == 0 else []


def require_modules(python: str, *names: str) -> None:
    """Raise VerifyError when the interpreter that runs the scripts lacks one of these modules."""
    code = "import importlib.util as u, sys; print(*[n for n in sys.argv[1:] if u.find_spec(n) is None])"
    try:
        answer = subprocess.run([python, "-c", code, *names], capture_output=True, text=True, check=False)
    except OSError as error:
        raise VerifyError(f"{python} cannot be started: {error.strerror}") from error
    if answer.returncode != 0:
        raise VerifyError(f"{python} does not run: {(answer.stderr.strip().splitlines() or ['no message'])[-1]}")
    if missing := answer.stdout.split():
        raise VerifyError(
            f"verify runs the scripts with {python}, which has no {' and no '.join(missing)}. "
            f"Install {'them' if len(missing) > 1 else 'it'} there, or run torch2lit in the environment of "
            "the scripts."
        )


def _control(
    workspace: Workspace, request: Request, script: Path, shared: Path, own: Path, rank: int
) -> Mapping[str, object]:
    return {
        "script": str(script),
        "trace": str(own / _EVENTS),
        "spawned": str(shared / "spawned-{rank}.jsonl"),
        "together": [str(shared / f"done-{number}") for number in range(request.processes or 1)],
        "rank": rank,
        "steps": request.steps,
        "seed": request.seed + (rank if request.apart else 0),
        "shares": None if request.shares is None else str(request.shares),
        "replays": request.replays,
        "checkpoint": None if request.checkpoint is None else str(request.checkpoint),
        "stop_after": request.stop_after,
        "limit": request.timeout,
        "lightning": list(request.lightning),
        "dump_step": request.dump_step,
        "dump_to": None if request.dump_to is None or rank else str(request.dump_to),
        "mirror": str(workspace.root),
        "outside": str(shared / _OUTSIDE),
        "stand_ins": str(shared / _STAND_INS) if request.synthetic else None,
        "reads": str(shared / READS) if request.noted else None,
        "stage": str(workspace.root.parent),
        "protected": [str(folder) for folder in workspace.folders],
        "search_after": [str(workspace.place(folder)) for folder in request.search_after],
    }


def environment_of_runs() -> dict[str, str]:
    """The environment of every run, but for what tells of its own folder and rank."""
    return _environment(os.environ)


def _environment(own: Mapping[str, str], workspace: Workspace | None = None) -> dict[str, str]:
    pinned = {**{key: value for key, value in own.items() if key not in ("PYTHONSAFEPATH", "OLDPWD")}, **PINS}
    if workspace is not None and pinned.get("PYTHONPATH"):
        places = (workspace.place_copied(entry) for entry in pinned["PYTHONPATH"].split(os.pathsep))
        pinned["PYTHONPATH"] = os.pathsep.join(places)
    return pinned


@dataclass(frozen=True, slots=True)
class _Start:
    command: Sequence[str]
    environment: Mapping[str, str]
    scratch: Path
    terminal: bool = False
    launcher: Launcher | None = None


def _wait(
    starts: Sequence[_Start], directory: Path, timeout: float, look: Callable[[], object]
) -> list[tuple[int, bool]]:
    """Start all processes and wait for them: the exit status of each, and whether it took too long. ``look`` is called meanwhile.

    When one breaks, the others wait for it in vain; they are ended a little later.
    """
    with ExitStack() as stack:
        processes = [_start(start, directory, stack) for start in starts]
        deadline = time.monotonic() + timeout
        try:
            while any(p.poll() is None for p in processes):
                look()
                now = time.monotonic()
                if any((p.poll() or 0) > 0 for p in processes):
                    deadline = min(deadline, now + _GRACE)
                if now >= deadline:
                    break
                running = next((p for p in processes if p.returncode is None), None)
                if running is not None:  # the last one may have ended since it was asked
                    with suppress(subprocess.TimeoutExpired):
                        running.wait(min(0.2, deadline - now))
            broken = any((p.returncode or 0) > 0 for p in processes)
            ends = [
                (p.returncode, False) if p.returncode is not None else (-signal.SIGTERM, not broken) for p in processes
            ]
        finally:
            for process in processes:
                _kill_group(process)
    return ends


def _start(start: _Start, directory: Path, stack: ExitStack) -> subprocess.Popen[bytes] | Forked:
    if start.launcher is not None:
        arguments = start.command[start.command.index(str(_CHILD)) + 1 :]
        forked = start.launcher.start(arguments, start.environment, directory, start.scratch)
        if forked is not None:
            return forked
    out, err = (stack.enter_context((start.scratch / name).open("wb")) for name in ("stdout", "stderr"))
    return subprocess.Popen(
        start.command,
        cwd=directory,
        env=start.environment,
        stdin=stack.enter_context(terminal(start.terminal)),
        stdout=out,
        stderr=err,
        start_new_session=True,
    )


def _kill_group(process: subprocess.Popen[bytes] | Forked) -> None:
    """End what the run left behind, too: loader workers, servers."""
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _text(path: Path, workspace: Workspace) -> str:
    """The end of what was printed, with the user's own paths in place of those of the copy."""
    with path.open("rb") as output:
        output.seek(max(0, path.stat().st_size - _LARGEST_OUTPUT))
        text = output.read().decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace(str(workspace.root), "")
