"""Runs one script under the tracer, in a process of its own and in a throw-away copy of its folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .errors import VerifyError
from .events import Trace, read
from .workspace import Workspace

_CHILD = Path(__file__).with_name("child.py")
_DIFFER = Path(__file__).with_name("differ.py")
_LARGEST_OUTPUT = 8 * 1024**2
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

    @property
    def failed(self) -> bool:
        """Whether the script did not come to its end. A signal after the script had ended does not count."""
        if self.timed_out:
            return True
        if self.trace.ended == "limit":
            return False
        return self.returncode > 0 or (self.returncode < 0 and self.trace.ended != "exit")


@dataclass(frozen=True, slots=True)
class Request:
    """How to run a script. ``script`` is the user's path; ``text`` replaces its content in the copy.

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


def run_script(workspace: Workspace, request: Request, scratch: Path) -> Run:
    """Run a script inside ``workspace``; files of the tool's own go to ``scratch``. Never raises for what
    it does.
    """
    script = workspace.place(request.script)
    for path, content in [(request.script, request.content), *request.others]:
        if content is not None:
            place = workspace.place(path)
            if place.is_symlink():
                place.unlink()
            place.write_bytes(content)
    directory = workspace.place(request.directory or workspace.directory)
    scratch.mkdir(parents=True, exist_ok=True)
    events = scratch / "events.jsonl"
    control = scratch / "control.json"
    control.write_text(json.dumps(_control(workspace, request, script, events)), encoding="utf-8")
    shown = os.path.relpath(script, directory) if directory in script.parents else str(script)
    command = [request.python, str(_CHILD), str(control), shown, *request.arguments]
    started = time.monotonic()
    returncode, timed_out = _wait(command, _environment(os.environ, workspace), directory, scratch, request.timeout)
    seconds = time.monotonic() - started
    lines = events.read_text(encoding="utf-8").splitlines() if events.exists() else []
    out, err = (_text(scratch / name, workspace) for name in ("stdout", "stderr"))
    return Run(read(lines), returncode, out, err, seconds, timed_out)


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


def _control(workspace: Workspace, request: Request, script: Path, events: Path) -> Mapping[str, object]:
    return {
        "script": str(script),
        "trace": str(events),
        "steps": request.steps,
        "seed": request.seed,
        "dump_step": request.dump_step,
        "dump_to": None if request.dump_to is None else str(request.dump_to),
        "mirror": str(workspace.root),
        "protected": [str(folder) for folder in workspace.folders],
        "search_after": [str(workspace.place(folder)) for folder in request.search_after],
    }


def _environment(own: Mapping[str, str], workspace: Workspace | None = None) -> dict[str, str]:
    pinned = {**{key: value for key, value in own.items() if key != "PYTHONSAFEPATH"}, **PINS}
    if workspace is not None and pinned.get("PYTHONPATH"):
        places = (workspace.place_copied(entry) for entry in pinned["PYTHONPATH"].split(os.pathsep))
        pinned["PYTHONPATH"] = os.pathsep.join(places)
    return pinned


def _wait(
    command: Sequence[str], environment: Mapping[str, str], directory: Path, scratch: Path, timeout: float
) -> tuple[int, bool]:
    with open(scratch / "stdout", "wb") as out, open(scratch / "stderr", "wb") as err:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        try:
            return process.wait(timeout), False
        except subprocess.TimeoutExpired:
            return -signal.SIGTERM, True
        finally:
            _kill_group(process)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
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
