"""The program of the child process: run a script as ``python SCRIPT ARGS`` would, and record it.

Called as ``python child.py CONTROL SCRIPT ARGS...`` where CONTROL is a JSON file. torch2lit need not be
installed for the interpreter: the modules beside this file are loaded by their path.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import signal
import sys
import types
from pathlib import Path
from typing import Any

_PACKAGE = "_torch2lit_verify"
_HERE = os.path.dirname(os.path.abspath(__file__))
_SIGNAL_AT_DEATH_OF_PARENT = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>


def main() -> None:
    """Set the process up, run the script under the tracer, and leave with the script's own exit status."""
    _end_with_parent()
    atexit.register(_leave)  # the first one, so that it is called last
    package = types.ModuleType(_PACKAGE)
    package.__path__ = [_HERE]
    sys.modules[_PACKAGE] = package
    if sys.argv[1] != "--fork":
        _run()
    elif importlib.import_module(f"{_PACKAGE}.forking").serve(int(sys.argv[2]), sys.argv[3:], _pin_to_cpu):
        _end_with_parent()
        _run()


def _run() -> None:
    control: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    trace, copy_on_write, outside, reads, synthetic, notebook, spawned, bars, together, shared_work, interrupted = (
        importlib.import_module(f"{_PACKAGE}.{name}")
        for name in (
            *("trace", "copy_on_write", "outside", "reads", "synthetic", "notebook", "spawned", "bars", "together"),
            *("shared_work", "interrupted"),
        )
    )
    importlib.import_module(f"{_PACKAGE}.groups")  # for `_leave`
    script = Path(control["script"])
    is_notebook = script.suffix == ".ipynb"
    if is_notebook:
        programs = notebook.compiled(script.read_text(encoding="utf-8"), str(script))
    else:
        programs = [compile(script.read_bytes(), str(script), "exec", dont_inherit=True)]
    _pin_to_cpu()
    several = len(control["together"]) > 1
    if several:
        together.keep(control["limit"], control["together"], control["rank"])
    bars.keep_off_stdout(script.parent)
    namespace = _become(script, is_notebook, [_HERE], control["search_after"])
    if is_notebook:
        namespace["get_ipython"] = notebook.Shell
    with open(control["trace"], "w", encoding="utf-8", buffering=1) as events:
        written = outside.Outside(control["outside"], control["stage"])
        if control["reads"] is not None:
            reads.Reads(control["reads"], control["mirror"], control["stage"])
        copy_on_write.guard(control["mirror"], control["protected"], written.tell)
        if control["stand_ins"] is not None:
            synthetic.stand_in(control["stand_ins"], control["stage"])
        spawned.follow(control)
        besides = shared_work.watched(control) or interrupted.watched(control)
        with trace.record(
            control["steps"],
            control["seed"],
            sink=events.write,
            exit_hard=lambda: os._exit(0),
            dump_step=control["dump_step"],
            dump_to=control["dump_to"],
            besides=besides,
        ) as recorded:
            for program in programs:
                exec(program, namespace)
        if several:
            together.meet(control["together"], control["rank"])
        if recorded.ended == "limit":
            sys.stdout.flush()
            sys.stderr.flush()
            events.flush()
            os._exit(0)  # threads and workers of a run that was cut short may never end
    if several:
        together.end()


def _end_with_parent() -> None:
    """Let Linux end this process when the one that started it is gone, however that ended."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_SIGNAL_AT_DEATH_OF_PARENT, signal.SIGKILL)


def _leave() -> None:
    """Let go of what the script holds, as Python does when it ends, and keep the collector from all that was imported: to look
    through that takes longer than many a training.
    """
    if (groups := sys.modules.get(f"{_PACKAGE}.groups")) is not None:
        groups.keep_groups()
    namespace = vars(sys.modules["__main__"])
    for name in [name for name in namespace if not name.startswith("__")]:
        namespace[name] = None
    gc.collect()
    gc.freeze()


def _pin_to_cpu() -> None:
    if "torch" in sys.modules:
        return  # this is a fork
    gc.disable()  # what an import makes stays
    import torch

    gc.freeze()
    gc.enable()
    torch.set_num_threads(1)
    torch.backends.mps.is_available = lambda: False


def _become(script: Path, is_notebook: bool, leave_out: list[str], search_after: list[str]) -> dict[str, Any]:
    """Make this process look as if the script had been started directly; the namespace to run it in."""
    main_module = types.ModuleType("__main__")
    sys.modules[_PACKAGE + ".launcher"] = sys.modules["__main__"]  # kept alive: its functions are still in use
    sys.modules["__main__"] = main_module
    sys.argv = sys.argv[2:]
    start = os.getcwd() if is_notebook else str(script.parent)
    sys.path[:] = [start, *(entry for entry in sys.path if entry not in leave_out), *search_after]
    namespace = vars(main_module)
    namespace["__builtins__"] = __builtins__
    if is_notebook:
        namespace["display"] = print
    else:
        namespace["__file__"] = str(script)
    return namespace


if __name__ == "__main__":
    main()
