"""Results of earlier runs: used only where a new run would be told the same."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Invoke

from torch2lit import process
from torch2lit.cache import Cache, cache_folder
from torch2lit.cache import results as kept
from torch2lit.options import Options
from torch2lit.run import Run, run_files

ENGINE = """\
import torch


def train(model, loader, optimizer, loss_fn):
    for x, y in loader:
        optimizer.zero_grad()
        loss_fn(model(x), y).backward()
        optimizer.step()
"""
MAIN = """\
import torch
from torch.utils.data import DataLoader, TensorDataset
from engine import train

loader = DataLoader(TensorDataset(torch.ones(8, 2), torch.ones(8, 1)), batch_size=4)
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(2):
    train(model, loader, optimizer, torch.nn.functional.mse_loss)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "lib").mkdir(parents=True)
    (folder / "pyproject.toml").write_text("", encoding="utf-8")
    (folder / "engine.py").write_text(ENGINE, encoding="utf-8")
    (folder / "main.py").write_text(MAIN, encoding="utf-8")
    return folder


@pytest.fixture
def run(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Run, list[str]]]:
    """A run over the project, and the files that were converted anew."""
    real, converted = process.process_file, list[str]()

    def noted(path: Path, options: Options) -> process.Processed:
        converted.append(path.name)
        return real(path, options)

    monkeypatch.setattr(kept, "process_file", noted)

    def go(options: Options | None = None) -> tuple[Run, list[str]]:
        converted.clear()
        found = run_files([project], options or Options(), jobs=1, cache=Cache(tmp_path / "cache"))
        return found, sorted(converted)

    return go


Go = Callable[..., tuple[Run, list[str]]]


def test_a_second_run_converts_nothing_and_says_the_same(run: Go) -> None:
    first, anew = run()
    assert anew == ["engine.py", "main.py"]
    second, anew = run()
    assert (second, anew) == (first, [])


def _later(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "anew"),
    [
        (lambda p: _later(p / "main.py", MAIN.replace("range(2)", "range(3)")), ["engine.py", "main.py"]),
        (
            lambda p: _later(p / "engine.py", ENGINE.replace("x, y", "a, b").replace("(x)", "(a)")),
            ["engine.py", "main.py"],
        ),
        (lambda p: _later(p / "other.py", "from engine import train\n"), ["engine.py", "main.py"]),
        (lambda p: (p / "engine.py").unlink(), ["main.py"]),
        (lambda p: (p / "pyproject.toml").unlink(), ["engine.py", "main.py"]),
    ],
    ids=["itself", "a-module-that-it-imports", "a-new-file-that-takes-a-name", "a-module-is-gone", "another-root"],
)
def test_what_may_be_otherwise_is_converted_anew(
    project: Path, run: Go, tmp_path: Path, change: Callable[[Path], object], anew: list[str]
) -> None:
    run()
    change(project)
    found, converted = run()
    assert set(converted) >= set(anew[-1:])
    assert found == run_files([project], Options(), jobs=1)
    assert run()[1] == []


def test_a_module_that_hides_another_one_counts(project: Path, run: Go) -> None:
    """An import that found nothing, or something else, is asked for again."""
    _later(project / "main.py", MAIN.replace("from engine import", "from lib.engine import"))
    run()
    _later(project / "lib" / "engine.py", ENGINE)
    found, converted = run()
    assert "main.py" in converted
    assert found == run_files([project], Options(), jobs=1)


def test_the_same_size_and_time_prove_nothing_about_a_file_that_was_just_written(project: Path, run: Go) -> None:
    run()
    state = (project / "engine.py").stat()
    _later(project / "engine.py", ENGINE.replace("zero_grad()", "step()  #  "[:11]))
    os.utime(project / "engine.py", ns=(state.st_atime_ns, state.st_mtime_ns))
    assert "engine.py" in run()[1]


def test_old_files_are_not_read_again(project: Path, run: Go, monkeypatch: pytest.MonkeyPatch) -> None:
    past = time.time() - 3600
    for path in [*project.rglob("*"), project]:
        os.utime(path, (past, past))
    run()
    monkeypatch.setattr("torch2lit.cache.witness._content", lambda path: pytest.fail(f"{path} was read"))
    assert run()[1] == []


def test_options_count(run: Go) -> None:
    run()
    assert run(Options(precision="bf16-mixed"))[1] == ["engine.py", "main.py"]
    assert run(Options(precision="bf16-mixed"))[1] == []


def test_another_version_of_the_code_counts(run: Go, monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    monkeypatch.setattr(kept, "own_version", lambda: "another")
    assert run()[1] == ["engine.py", "main.py"]


def test_what_is_no_result_is_not_used(run: Go, tmp_path: Path) -> None:
    first, _ = run()
    for number, place in enumerate(tmp_path.glob("cache/*/*.result")):
        place.write_bytes([b"", pickle.dumps((1, 2))][number % 2])
    second, anew = run()
    assert (second, anew) == (first, ["engine.py", "main.py"])


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs owners of files")
def test_a_folder_that_others_may_write_to_is_not_used(run: Go, tmp_path: Path) -> None:
    """What is read from it is unpickled, which runs what it holds."""
    run()
    for folder in tmp_path.glob("cache/*"):
        folder.chmod(0o777)
    assert run()[1] == ["engine.py", "main.py"]


def test_results_that_nobody_asks_for_go(run: Go, tmp_path: Path) -> None:
    run()
    places = list(tmp_path.glob("cache/*/*.result"))
    past = time.time() - 40 * 86400
    os.utime(places[0], (past, past))
    os.utime(tmp_path / "cache" / "swept", (past, past))
    Cache(tmp_path / "cache").sweep()
    assert set(tmp_path.glob("cache/*/*.result")) == set(places[1:])


def test_the_command_line(invoke: Invoke, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH2LIT_CACHE_DIR", str(tmp_path / "cache"))
    (folder / "train.py").write_text(MAIN, encoding="utf-8")
    assert cache_folder() == tmp_path / "cache"
    told = invoke("convert", "--diff", "--no-cache", ".")
    assert not list(tmp_path.glob("cache/*/*.result"))
    assert invoke("convert", "--diff", ".").output == told.output
    assert list(tmp_path.glob("cache/*/*.result"))
    assert invoke("convert", "--diff", ".").output == told.output
