"""What the laws promise of every conversion, where no golden case shows it; tests/break_laws.py breaks them on purpose."""

from __future__ import annotations

import ast
import codecs
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from torch2lit import api
from torch2lit.files import writing
from torch2lit.files.errors import WriteError
from torch2lit.options import Options
from torch2lit.program import Conversion, Edit, Fate, Outcome

SCRIPT = """\
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

from helpers import penalty

data = DataLoader(TensorDataset(torch.randn(20, 3), torch.randn(20, 1)), batch_size=4)
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
best = 1e9
for epoch in range(2):
    total = 0.0
    for x, y in data:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y) + penalty(model)
        loss.backward()
        optimizer.step()
        total += loss.item()
    best = min(best, total)
print("best", best)
"""
REFUSED = "import horovod.torch as hvd\n" + SCRIPT.replace(
    "best = 1e9", "optimizer = hvd.DistributedOptimizer(optimizer)\nbest = 1e9"
)
BEFORE = "u = { 'a':1 }   \ndef f( a,b ) :  # caf\xe9  \n\treturn a+b\t\n\x0c\nv  =  f( 1,2 )\n"
AFTER = "w = [ 1,2 ]   \nif True :\n\tprint( w , u )\t\n\n\n\n\nw=1"


def convert_one(folder: Path, data: bytes) -> Conversion:
    """Write, convert in place, and give back the conversion."""
    (folder / "train.py").write_bytes(data)
    (result,) = api.convert(folder / "train.py", write=True)
    return result


@pytest.mark.parametrize(
    ("newline", "encoding", "mark"),
    [("\n", "latin-1", b""), ("\r\n", "utf-8", codecs.BOM_UTF8), ("\r", "utf-8", b""), ("\r\n", "cp1252", b"")],
)
def test_untouched_lines_stay_byte_for_byte(folder: Path, newline: str, encoding: str, mark: bytes) -> None:
    cookie = f"# -*- coding: {encoding} -*-\n"
    text = (cookie + BEFORE + SCRIPT + AFTER).replace("\n", newline)

    result = convert_one(folder, mark + text.encode(encoding))

    assert result.outcome is Outcome.CONVERTED, result
    written = (folder / "train.py").read_bytes()
    assert written.startswith(mark + (cookie + BEFORE).replace("\n", newline).encode(encoding) + b"import ")
    assert written.endswith(AFTER.replace("\n", newline).encode(encoding))
    assert (b"\r" in written, b"\n" in written) == ("\r" in newline, "\n" in newline)


def test_only_the_names_change_in_rewritten_lines(folder: Path) -> None:
    odd = 'print ( "best" ,best , [ 1,2 ][0] )    # as it is'
    result = convert_one(folder, SCRIPT.replace('print("best", best)', odd).encode())

    assert result.outcome is Outcome.CONVERTED, result
    line = result.after.splitlines()[-1]
    assert line.endswith("    # as it is") and line.startswith('print ( "best" ,') and line.count("[ 1,2 ][0] )") == 1


def test_the_ledger_holds_every_statement() -> None:
    text = BEFORE.replace("\x0c", "") + SCRIPT + AFTER
    result = api.convert_source(text)

    lines = [entry.line for entry in result.ledger]
    assert lines == sorted(lines)
    stated = {n.lineno for n in ast.walk(ast.parse(text)) if isinstance(n, ast.stmt)}
    open_blocks = {line for e in result.ledger for line in range(e.line, e.end_line + 1)}
    function = {3}  # the body of an untouched function is part of its entry
    assert stated - open_blocks - function - _below_kept(text, result) == set()


def _below_kept(text: str, result: Conversion) -> set[int]:
    """Lines inside blocks that stay whole: the block's own entry speaks for them."""
    kept = {entry.line for entry in result.ledger if entry.fate is Fate.KEPT}
    return {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.If | ast.FunctionDef) and node.lineno in kept
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def test_comments_travel_once() -> None:
    comments = [f"# {word} is explained" for word in ("data", "the optimizer", "the best", "the epoch", "the end")]
    text = SCRIPT
    for place, comment in zip(("data = ", "optimizer = ", "best = ", "for epoch", "print("), comments, strict=True):
        text = text.replace(f"\n{place}", f"\n{comment}\n{place}")

    result = api.convert_source(text)

    assert result.outcome is Outcome.CONVERTED
    assert [c for c in comments if result.after.count(c) != 1] == []
    optimizer = result.after.index(comments[1])
    assert "torch.optim.SGD" in result.after[optimizer : optimizer + 80], "the comment stands above another statement"


def test_a_lightning_module_is_left_alone() -> None:
    text = (
        "import lightning as L\nimport torch\n\n\nclass Lit(L.LightningModule):\n"
        "    def training_step(self, batch, batch_idx):\n        loss = self.model(batch).sum()\n"
        "        loss.backward()\n        self.optimizers().step()\n"
    )

    assert api.convert_source(text).outcome is Outcome.UNCHANGED


IN_FUNCTION = (
    SCRIPT.replace("best = 1e9\n", "best = 1e9\n\n\ndef main(rate, inertia, decay, eps, data, model, best):\n    optimizer = torch.optim.RMSprop(model.parameters(), lr=rate, momentum=inertia, weight_decay=decay, eps=eps)\n")
    .replace("optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n", "")
    .replace("\nfor epoch", "\n    for epoch").replace("\n    total = ", "\n        total = ").replace("\n    for x", "\n        for x")
    .replace("\n        optimizer.", "\n            optimizer.").replace("\n        loss", "\n            loss")
    .replace("\n        total +=", "\n            total +=").replace("\n    best = min", "\n        best = min")
    .replace("\nprint(", "\n    print(")
)  # fmt: skip


@pytest.mark.slow
def test_hash_seed_does_not_show(folder: Path) -> None:
    (folder / "train.py").write_text(IN_FUNCTION)
    code = "from torch2lit import api; (r,) = api.convert('train.py'); print(r.outcome.value, r.after, r.ledger)"
    outputs = set()
    for seed in ("0", "1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, check=True)
        outputs.add(done.stdout)

    (output,) = outputs
    assert output.startswith(b"converted") and b"inertia, rate" in output


def test_every_ledger_entry_says_where_and_why() -> None:
    result = api.convert_source(SCRIPT)

    assert {entry.fate for entry in result.ledger} >= {Fate.KEPT, Fate.MOVED, Fate.REPLACED}
    for entry in result.ledger:
        assert entry.reason and entry.source, entry
        assert entry.fate is Fate.KEPT or (entry.target and entry.codemod), entry


def test_the_ledger_says_who_runs_the_loops() -> None:
    result = api.convert_source(SCRIPT)

    loops = [e.target for e in result.ledger if e.source.startswith("for ") and e.codemod == "trainer_entry"]
    assert loops == ["Trainer(max_epochs=...)", "Trainer.fit"]


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        ("print(never_bound)\n", "`never_bound` would have no value where the converted code reads it"),
        ("def broken(:\n", "does not compile"),
        (SCRIPT, "which a second conversion would change again"),
    ],
)
def test_a_wrong_output_is_refused(monkeypatch: pytest.MonkeyPatch, extra: str, problem: str) -> None:
    by_trainer = importlib.import_module("torch2lit.by_trainer")
    right = by_trainer.nest_edits
    end = SCRIPT.count("\n")

    def wrong(*arguments: object) -> object:
        edits, names = right(*arguments)
        return [*edits, Edit(end, end, extra)], names

    monkeypatch.setattr(by_trainer, "nest_edits", wrong)
    result = api.convert_source(SCRIPT, options=Options(target="trainer"))

    assert (result.outcome, result.after) == (Outcome.REFUSED, SCRIPT)
    (finding,) = result.findings
    assert finding.slug == "output-not-valid" and problem in finding.message and finding.line


def test_a_refused_file_is_not_written(folder: Path) -> None:
    (folder / "train.py").write_text(REFUSED)

    (result,) = api.convert(folder / "train.py", write=True, output="out/")

    assert result.outcome is Outcome.REFUSED and result.findings[0].line and result.findings[0].remedy
    assert sorted(path.name for path in folder.rglob("*")) == ["train.py"]
    assert (folder / "train.py").read_text() == REFUSED


def test_converting_runs_and_imports_nothing(folder: Path) -> None:
    trap = "open('ran', 'w').close()\n"
    (folder / "train.py").write_text(trap + SCRIPT)
    (folder / "helpers.py").write_text(trap + "def penalty(model):\n    return 0.0\n")
    for name in ("torch", "lightning"):
        (folder / f"{name}.py").write_text(trap)
    code = (
        "import sys\n"
        "from torch2lit import api\n"
        "(result,) = api.convert('train.py')\n"
        "assert result.outcome.value == 'converted', result\n"
        "seen = {'torch', 'lightning', 'helpers', 'train', 'numpy'} & set(sys.modules)\n"
        "assert not seen, seen\n"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert not (folder / "ran").exists()


def test_output_is_sorted_by_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = os.scandir

    def closed(path: str) -> object:
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied")
        return listing(path)

    monkeypatch.setattr(os, "scandir", closed)
    (folder / "b").mkdir()
    for name in ("c.py", "a.py", "sub/c.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("print(1)\n")

    results = api.convert(["sub", "c.py", "b", "a.py"])

    assert [result.path for result in results] == ["a.py", "b", "c.py", "sub/c.py"]


def test_the_target_is_replaced_in_one_step(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "train.py"
    path.write_bytes(b"old")
    replaced: list[tuple[Path, bytes, bytes]] = []
    replace = os.replace

    def watched(source: str, target: Path) -> None:
        replaced.append((Path(source).parent, Path(source).read_bytes(), Path(target).read_bytes()))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    writing.write_file(path, b"new", expected=b"old", is_held=lambda *_: True)

    assert replaced == [(folder.resolve(), b"new", b"old")]
    assert path.read_bytes() == b"new"


def test_a_file_that_appears_meanwhile_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "new.py"
    monkeypatch.setattr(writing, "_check_unedited", lambda *_: path.write_bytes(b"mine"))

    with pytest.raises(WriteError, match="appeared meanwhile"):
        writing.write_file(path, b"new", expected=None, is_held=lambda *_: True)

    assert [(one.name, one.read_bytes()) for one in folder.iterdir()] == [("new.py", b"mine")]


def test_a_file_that_cannot_be_written_stops_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        (folder / f"{name}.py").write_text(SCRIPT)
    check = writing._check_unedited

    def interfere(target: Path, expected: bytes | None) -> None:
        if target.name == "a.py":
            raise WriteError("not written: the file was edited meanwhile")
        check(target, expected)

    monkeypatch.setattr(writing, "_check_unedited", interfere)
    results = api.convert(folder, write=True)

    assert [result.outcome.value for result in results] == ["failed", "converted", "converted"]
    assert (folder / "a.py").read_text() == SCRIPT
