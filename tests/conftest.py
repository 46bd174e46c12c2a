"""What the tests of the shell share: a small engine in place of the real one, scripts, and a command line."""

from __future__ import annotations

import ast
import functools
import gc
import os
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from torch2lit import catalogue as catalogue
from torch2lit import engine
from torch2lit.cli import main
from torch2lit.findings import Finding, finding
from torch2lit.options import Options
from torch2lit.program import (
    Conversion,
    Edit,
    Fate,
    LedgerEntry,
    Mechanism,
    NestSummary,
    Outcome,
)

os.environ["TORCH2LIT_CACHE_DIR"] = os.path.join(
    os.devnull, "none"
)  # no folder can be made there: no test sees another's results

gc.set_threshold(20_000, 20, 20)  # trees of thousands of nodes are made and dropped all the time

SCRIPT = """\
import torch

for batch in loader:
    loss = model(batch)
    loss.backward()
    optimizer.step()
"""
CONVERTED = SCRIPT.replace("loss.backward()", "fabric.backward(loss)  # torch")
Invoke = Callable[..., Result]


def _finding(severity: str, line: int) -> Finding:
    code = {"note": "T2L998", "review": "T2L997", "refused": "T2L996"}[severity]
    return Finding(line, 5, code, f"fake-{severity}", severity, f"a {severity}", "do it")  # type: ignore[arg-type]


def fake_convert_text(text: str, path: str, options: Options) -> Conversion:
    """An engine that replaces `loss.backward()` and does what words in the text ask for."""
    ast.parse(text)
    if "RAISE" in text:
        raise KeyError("boom")
    if "RECURSE" in text:
        return fake_convert_text(text, path, options)
    if "KILL" in text:
        os._exit(9)
    if "LATER" in text:
        raise SyntaxError("bad later", ("x", 3, 7, "", 3, 8))
    if "REFUSE" in text:
        return Conversion(path, Outcome.REFUSED, text, text, findings=(_finding("refused", 2),))
    lines = text.splitlines(keepends=True)
    hits = [number for number, line in enumerate(lines) if "loss.backward()" in line]
    if not hits:
        return Conversion(path, Outcome.UNCHANGED, text, text, reason="nothing to do")
    new = "é" if "ACCENT" in text else "torch"
    edits = []
    for hit in hits:
        content = lines[hit].rstrip("\r\n").replace("loss.backward()", f"fabric.backward(loss)  # {new}")
        edits.append(Edit(hit, hit + 1, content + "\n"))
        ending = lines[hit][len(lines[hit].rstrip("\r\n")) :]
        lines[hit] = content + ending
    word = next((word for word in ("review", "note") if word.upper() in text), None)
    return Conversion(
        path,
        Outcome.CONVERTED,
        text,
        "".join(lines),
        mechanism=Mechanism.FABRIC,
        findings=(_finding(word, hits[0] + 1),) if word else (),
        ledger=(LedgerEntry(hits[0] + 1, hits[0] + 1, "loss.backward()", Fate.REPLACED, "fabric", "backward", "why"),),
        nests=(
            NestSummary(
                hits[0] + 1,
                "train",
                ("for batch in loader",),
                (("model", "model"), ("optimizer", "optimizer")),
                (("train", hits[0] + 1),),
                "fabric",
                "LitNet",
            ),
        ),
        edits=tuple(edits),
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What a test is by what it says of itself: left out where a package is missing, slow where it needs one.

    And ``--dist loadgroup`` keeps all tests of a golden case in one process, which converts and runs the raw script once. The longest group begins first:
    at the end it would run alone, while the other processes have nothing left to do.
    """
    items.sort(key=lambda item: all(m.args != ("packages",) for m in item.iter_markers("xdist_group")))
    for item in items:
        for marker in item.iter_markers("needs"):
            missing = [package for package in marker.args if not _is_there(package)]
            item.add_marker(pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}"))
            item.add_marker(pytest.mark.slow)
        name = (
            item.callspec.params.get("name")
            if isinstance(item, pytest.Function) and hasattr(item, "callspec")
            else None
        )
        if isinstance(name, str):
            item.add_marker(pytest.mark.xdist_group(name))


def pytest_collection_finish() -> None:
    """The collector need not look again and again through twelve thousand tests."""
    gc.collect()
    gc.freeze()


@functools.cache
def _is_there(package: str) -> bool:
    """Whether a package could be imported; to ask imports nothing, which takes seconds."""
    return find_spec(package) is not None


@pytest.fixture
def fake_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the small engine in place of the real one."""
    monkeypatch.setattr(engine, "convert_text", fake_convert_text)


@pytest.fixture
def warm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `verify` fork its processes from one that has torch and Lightning imported, where the test is not about how they start.

    A test that is not slow starts none.
    """
    if hasattr(os, "fork") and request.node.get_closest_marker("slow"):
        import warm_starts

        from torch2lit.verify import forks, run

        warm_starts.be_ready()
        monkeypatch.setattr(forks.Launcher, "_begin", lambda _launcher: None)  # they are forked anyway
        monkeypatch.setattr(run, "_start", warm_starts.start)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, outside of any repository."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    return tmp_path


@pytest.fixture
def invoke(fake_engine: None, folder: Path) -> Invoke:
    """Call the command line in the working directory, with the small engine."""

    def call(*arguments: str, stdin: bytes | None = None) -> Result:
        return CliRunner().invoke(main, arguments, input=stdin)

    return call


def git(folder: Path, *arguments: str) -> None:
    """Run git in a folder."""
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
    )


def commit_all(folder: Path) -> None:
    """Commit everything in a folder, which becomes a repository if it is none."""
    git(folder, "init", "-q")
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "-m", "all")


def make_unparsable_finding(line: int) -> Finding:
    """A finding that is registered."""
    return finding("unparsable-cell", line, "cell 1 is not Python")
