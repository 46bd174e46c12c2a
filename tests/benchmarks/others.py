"""torch2lit beside other tools that keep comments, over one mixed tree: ``python tests/benchmarks/others.py [--files N] [--tools FOLDER]``.

The tree has files of the standard library and, one of a hundred, golden scripts that train. Each tool runs once over a copy of it in one process; what counts is the CPU time of
that process and of all that it starts. A no-op command of ``libcst.tool`` does the least that a codemod can do: it parses each file and writes it. bump-pydantic and fixit
are installed by pip into a virtual environment, which ``--tools`` keeps.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

from measure import ROOT

_NOTHING = """\
from libcst.codemod import CodemodCommand


class Nothing(CodemodCommand):
    def transform_module_impl(self, tree):
        return tree
"""
_TRAINS = 100
_WANTED = 10.0


def mixed_tree(folder: Path, files: int) -> None:
    """Files of the standard library, in the order of their names, and among them golden scripts."""
    library = Path(sysconfig.get_paths()["stdlib"])
    plain = [p for p in sorted(library.rglob("*.py")) if not {"site-packages", "lib2to3"} & {*p.parts}]
    golden = sorted(p for p in (ROOT / "fixtures").glob("*/raw.py") if (p.parent / "converted.py").exists())
    every = max(1, len(plain) // files)
    for number, source in enumerate(plain[::every][:files]):
        place = folder / f"part{number // 100}" / f"file{number}.py"
        place.parent.mkdir(parents=True, exist_ok=True)
        trains = number % _TRAINS == 0
        shutil.copy(golden[(number // _TRAINS * 37) % len(golden)] if trains else source, place)


def commands(tools: Path) -> Iterator[tuple[str, list[str]]]:
    """How each tool is started in the tree."""
    yield "torch2lit", [sys.executable, "-m", "torch2lit", "convert", "--check", "-q", "--no-cache", "-j", "1", "."]
    noop = ["codemod", "-x", "nothing.Nothing", "--no-format", "-j", "1", "."]
    yield "libcst.tool, a command that does nothing", [sys.executable, "-m", "libcst.tool", *noop]
    yield "bump-pydantic", [str(tools / "bin" / "bump-pydantic"), "."]
    yield "fixit", [str(tools / "bin" / "fixit"), "lint", "."]


def cpu_of(command: list[str], folder: Path, variables: dict[str, str]) -> float:
    """The CPU time of a process and of what it waits for. Raises RuntimeError when it cannot be started or breaks down."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 1) or "not a valid" in done.stderr:
        raise RuntimeError(done.stderr[-2000:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def environment(folder: Path) -> None:
    """An environment with the other tools."""
    if not (folder / "bin" / "fixit").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run(
            [str(folder / "bin" / "pip"), "install", "-q", "bump-pydantic==0.8.0", "fixit==2.2.1"], check=True
        )


def main() -> None:
    """Print one line per tool: CPU seconds, and how often torch2lit would be done in that time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=300, help="how large the tree is")
    parser.add_argument("--tools", type=Path, help="a folder for the environment of the other tools")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        tools = (given.tools or place / "tools").absolute()
        environment(tools)
        (place / "commands").mkdir()
        (place / "commands" / "nothing.py").write_text(_NOTHING)
        own = 0.0
        for tool, command in commands(tools):
            tree = place / tool.split(",")[0]
            mixed_tree(tree, given.files)
            seconds = cpu_of(command, tree, {"PYTHONPATH": str(place / "commands")})
            own = own or seconds
            verdict = "" if seconds / own >= _WANTED or seconds == own else f" missed: {_WANTED:.0f} is wanted"
            print(f"{tool:<42} {seconds:7.2f} s {seconds / own:6.1f} x{verdict}", flush=True)


if __name__ == "__main__":
    main()
