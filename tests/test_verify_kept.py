"""Results that `verify` keeps: told again only where both runs would be the same. Most tests here try to get a result that no longer holds."""

from __future__ import annotations

import json
import os
import pickle
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Invoke

from torch2lit.files.asked import is_file
from torch2lit.options import Options
from torch2lit.verify import VerifyResult, kept, proof, verify
from torch2lit.verify.conversion import Converted
from torch2lit.verify.kept import KeptResults
from torch2lit.verify.run import Request, Run

pytestmark = [
    pytest.mark.needs("torch", "lightning"),
    pytest.mark.usefixtures("warm"),
    pytest.mark.skipif(sys.platform == "win32", reason="no result is kept there"),
]

HEAD = "import glob, os, sys, time\nimport torch\nfactor = 1.0\n"
TRAIN = """
w = torch.nn.Parameter(torch.ones(2))
optimizer = torch.optim.SGD([w], lr=0.1)
for i in range(3):
    optimizer.zero_grad()
    ((w * w).sum() * factor).backward()
    optimizer.step()
"""
Prove = Callable[..., VerifyResult]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work" / "project"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the runs that were made."""
    made: list[str] = []
    real = proof.Stage.run

    def noted(stage: proof.Stage, name: str, request: Request) -> Run:
        made.append(name)
        return real(stage, name, request)

    monkeypatch.setattr(proof.Stage, "run", noted)
    return made


class Ran(Exception):
    """A run was wanted."""


@pytest.fixture
def asked(prove: Prove, monkeypatch: pytest.MonkeyPatch) -> Prove:
    """The same where a run need not be made: it raises Ran."""

    def go(*arguments: object, **more: object) -> VerifyResult:
        def run(*_: object) -> Run:
            raise Ran

        with monkeypatch.context() as patched:
            patched.setattr(proof.Stage, "run", run)
            return prove(None, *arguments, **more)

    return go


@pytest.fixture
def prove(project: Path, tmp_path: Path) -> Prove:
    """Verify a script with a second one that trains the same."""

    def go(body: str | None = None, *arguments: str, **more: object) -> VerifyResult:
        if body is not None:
            for name in ("raw.py", "converted.py"):
                (project / name).write_text(HEAD + body + TRAIN, encoding="utf-8")
            time.sleep(0.05)  # longer than what a clock of files may not tell apart
        given = {"options": Options(), "results": KeptResults(tmp_path / "cache"), **more}
        return verify(project / "raw.py", project / "converted.py", arguments, **given)  # type: ignore[arg-type]

    return go


def test_a_second_proof_runs_nothing_and_says_the_same(prove: Prove, runs: list[str]) -> None:
    first = prove("")
    assert (first.status, first.kept, runs) == ("identical", None, ["raw", "converted"])

    second = prove()

    assert runs == ["raw", "converted"]
    assert replace(second, kept=None) == first
    assert "kept from 20" in second.render() and "--no-cache" in second.render()
    told = second.to_dict()
    assert told["kept"].startswith("20") and first.to_dict()["kept"] is None
    assert {**told, "kept": None} == first.to_dict()


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


READS_DATA = "factor = float(open('data.txt').read())\n"
READS_OUTSIDE = "factor = float(open('../data/data.txt').read())\n"
IMPORTS = "import settings\nfactor = settings.factor\n"
LOOKS = "if os.path.exists('{0}'):\n    factor = 2.0\n"
TRIES = "try:\n    factor = float(open('{0}').read())\nexcept OSError:\n    pass\n"
TRIES_IMPORT = "try:\n    from extra import factor\nexcept ImportError:\n    pass\n"
RESUMES = "os.makedirs('out', exist_ok=True)\nif os.path.exists('out/last.pt'):\n    factor = 2.0\ntorch.save({}, 'out/last.pt')\n"
COUNTS = "factor = float(len(glob.glob('parts/*.txt')))\n"
MEASURES = "factor = float(sum(entry.stat().st_size for entry in os.scandir('parts')))\n"
ASKS_SIZE = "factor = float(os.path.getsize('../data/data.txt'))\n"
IN_WORKERS = """
class Data(torch.utils.data.Dataset):
    def __len__(self):
        return 2
    def __getitem__(self, index):
        return float(open('../data/data.txt').read())
factor = float(next(iter(torch.utils.data.DataLoader(Data(), num_workers=1)))[0])
"""
MAPPED = "factor = float(torch.from_file('../data/data.txt', size=1, dtype=torch.uint8)[0]) / 48\n"
CHANGES: dict[str, tuple[str, Callable[[], object]]] = {
    "data": (READS_DATA, lambda: write(Path("data.txt"), "2.0")),
    "data outside of the project": (READS_OUTSIDE, lambda: write(Path("../data/data.txt"), "2.0")),
    "data read by a worker": (IN_WORKERS, lambda: write(Path("../data/data.txt"), "2.0")),
    "data read by torch's C++": (MAPPED, lambda: write(Path("../data/data.txt"), "2.0")),
    "a size": (ASKS_SIZE, lambda: write(Path("../data/data.txt"), "12.0")),
    "an imported module": (IMPORTS, lambda: write(Path("settings.py"), "factor = 2.0\n")),
    "a file that appears": (LOOKS.format("extra.txt"), lambda: write(Path("extra.txt"), "")),
    "a file that appears outside": (LOOKS.format("../extra.txt"), lambda: write(Path("../extra.txt"), "")),
    "a file that can be opened now": (TRIES.format("extra.txt"), lambda: write(Path("extra.txt"), "2.0")),
    "a folder that appears": (LOOKS.format("new/extra.txt"), lambda: write(Path("new/extra.txt"), "")),
    "a file that goes": (LOOKS.format("data.txt"), lambda: Path("data.txt").unlink()),
    "a module that appears": (TRIES_IMPORT, lambda: write(Path("extra.py"), "factor = 2.0\n")),
    "what another run left": (RESUMES, lambda: write(Path("out/last.pt"), "")),
    "one file more in a folder": (COUNTS, lambda: write(Path("parts/b.txt"), "")),
    "a file of a listed folder": (MEASURES, lambda: write(Path("parts/a.txt"), "longer")),
    "the raw script": ("", lambda: write(Path("raw.py"), Path("raw.py").read_text() + "\n")),
    "the converted script": ("", lambda: write(Path("converted.py"), Path("converted.py").read_text() + "\n")),
}


def prepare(project: Path) -> None:
    write(project / "data.txt", "1.0")
    write(project / "settings.py", "factor = 1.0\n")
    write(project.parent / "data" / "data.txt", "1.0")
    write(project / "parts" / "a.txt", "a")


@pytest.mark.parametrize("what", CHANGES)
def test_what_changed_runs_again(prove: Prove, asked: Prove, project: Path, what: str) -> None:
    body, change = CHANGES[what]
    prepare(project)
    assert prove(body).status == "identical"
    assert asked().kept is not None

    change()

    with pytest.raises(Ran):
        asked()


def test_a_change_that_keeps_size_and_time_is_seen(prove: Prove, asked: Prove, project: Path) -> None:
    prepare(project)
    prove(READS_DATA)
    state = (project / "data.txt").stat()
    write(project / "data.txt", "2.0")
    os.utime(project / "data.txt", ns=(state.st_atime_ns, state.st_mtime_ns))

    with pytest.raises(Ran):
        asked()


def test_what_nobody_read_may_change(prove: Prove, asked: Prove, project: Path) -> None:
    prepare(project)
    prove(READS_DATA)
    write(project / "parts" / "a.txt", "other")
    write(project.parent / "data" / "data.txt", "3.0")
    write(project / "settings.py", "factor = 3.0\n")

    assert asked().kept is not None


def test_another_question_has_another_answer(
    prove: Prove, asked: Prove, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASTER_PORT", "1")
    prove("factor = float(os.environ['MASTER_PORT'])\n", steps=2)
    assert asked(steps=2).kept is not None
    assert asked(steps=2, timeout=5.0).kept is not None

    for arguments, more in (
        ((), {}),
        ((), {"steps": 1}),
        (("x",), {"steps": 2}),
        ((), {"steps": 2, "options": Options(target="fabric")}),
    ):
        with pytest.raises(Ran):
            asked(*arguments, **more)
    monkeypatch.setenv("MASTER_PORT", "2")
    with pytest.raises(Ran):
        asked(steps=2)
    monkeypatch.setenv("MASTER_PORT", "1")
    monkeypatch.chdir(project.parent)
    with pytest.raises(Ran):
        asked(steps=2)


def test_another_torch_python_or_machine_runs_again(
    prove: Prove, asked: Prove, monkeypatch: pytest.MonkeyPatch
) -> None:
    prove("")
    assert asked().kept is not None
    real = kept._answer
    for file in (
        "torch/version.py",
        "libtorch_cpu.so",
        "torch/optim/sgd.py",
        "site-packages",
        os.path.basename(sys.executable),
    ):
        other: list[str] = []

        def changed(kind: str, path: str, file: str = file, other: list[str] = other) -> kept.Answer:
            if path.endswith(file):
                other.append(path)
                return ("another",)
            return real(kind, path)

        with monkeypatch.context() as patched:
            patched.setattr(kept, "_answer", changed)
            with pytest.raises(Ran):
                asked()
        assert other
    for name in ("own_version", "_machine"):
        with monkeypatch.context() as patched:
            patched.setattr(kept, name, lambda: "another")
            with pytest.raises(Ran):
                asked()


NOT_KEPT = {
    "another program": "import subprocess\nsubprocess.run(['true'])\n",
    "a shell": "os.system('true')\n",
    "the network": "import socket\nsocket.create_connection(('localhost', int(sys.argv[1])))\n",
    "the clock": "if time.time() < 0:\n    factor = 2.0\n",
    "the clock in another file": "import clock\nfactor = clock.factor\n",
    "the system's numbers": "torch.manual_seed(int.from_bytes(os.urandom(4), 'big'))\n",
    "a database": "import sqlite3\nsqlite3.connect('x.db').close()\n",
    "a file outside that is written": "open(sys.argv[2], 'a').write('x')\n",
    "the machine's memory": "open('/proc/meminfo').read()\n",
    "a file that is renamed": "os.rename('data.txt', 'renamed.txt')\nfactor = float(open('renamed.txt').read())\n",
    "a link": "os.symlink(os.path.abspath('../data'), 'link')\nfactor = float(open('link/data.txt').read())\n",
    "spawned processes": """
import multiprocessing
if __name__ == '__main__':
    process = multiprocessing.get_context('spawn').Process(target=print)
    process.start()
    process.join()
""",
}


@pytest.mark.parametrize("what", NOT_KEPT)
def test_what_nobody_can_ask_again_is_not_kept(
    prove: Prove, asked: Prove, project: Path, tmp_path: Path, what: str
) -> None:
    prepare(project)
    write(project / "clock.py", "import time\nfactor = 1.0 if time.time() > 0 else 2.0\n")
    with socket.create_server(("localhost", 0)) as server:
        given = (str(server.getsockname()[1]), str(tmp_path / "outside.txt"))
        assert prove(NOT_KEPT[what], *given).status == "identical"
        with pytest.raises(Ran):
            asked(*given)


def test_only_the_same_is_kept(prove: Prove, asked: Prove, project: Path) -> None:
    prove("")
    write(project / "converted.py", HEAD + TRAIN.replace("lr=0.1", "lr=0.2"))
    assert prove().status == "differs"
    with pytest.raises(Ran):
        asked()
    write(project / "converted.py", HEAD + "raise SystemExit(3)\n")
    assert prove().status == "failed"
    with pytest.raises(Ran):
        asked()


def test_a_part_is_not_kept(prove: Prove, asked: Prove) -> None:
    part = prove(TRAIN + "time.sleep(60)\n", timeout=3.0)

    assert part.status == "identical" and part.cut_after
    with pytest.raises(Ran):
        asked(timeout=3.0)


@pytest.mark.parametrize("more", [{"fast_dev_run": True}, {"processes": 1}])
def test_other_kinds_of_proof_are_not_kept(prove: Prove, asked: Prove, more: dict[str, object]) -> None:
    prove("", **more)

    with pytest.raises(Ran):
        asked(**more)


@pytest.mark.parametrize("between", ["raw", "converted"])
def test_what_changes_while_it_runs_is_not_kept(
    prove: Prove, asked: Prove, project: Path, monkeypatch: pytest.MonkeyPatch, between: str
) -> None:
    prepare(project)
    real = proof.Stage.run

    def meddled(stage: proof.Stage, name: str, request: Request) -> Run:
        done = real(stage, name, request)
        if name == between:
            write(project / "data.txt", "1.00")
        return done

    monkeypatch.setattr(proof.Stage, "run", meddled)
    assert prove(READS_DATA).status == "identical"

    with pytest.raises(Ran):
        asked()


def test_a_result_that_cannot_be_read_is_none(prove: Prove, asked: Prove, tmp_path: Path) -> None:
    prove("")
    (file,) = tmp_path.glob("cache/*/*.result")
    when, witness, result = pickle.loads(file.read_bytes())
    assert when <= time.time() and witness and result.status == "identical"
    file.write_bytes(file.read_bytes()[:-100])

    with pytest.raises(Ran):
        asked()


def test_the_command_keeps_and_can_do_without(
    invoke: Invoke, prove: Prove, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: list[str]
) -> None:
    monkeypatch.setenv("TORCH2LIT_CACHE_DIR", str(tmp_path / "others"))
    write(project / "raw.py", HEAD + TRAIN)
    write(project / "converted.py", HEAD + TRAIN)
    time.sleep(0.05)

    first = invoke("verify", "raw.py", "converted.py", "--format", "json")
    again = invoke("verify", "raw.py", "converted.py", "--format", "json")
    anew = invoke("verify", "raw.py", "converted.py", "--format", "json", "--no-cache")

    assert [json.loads(one.stdout)["kept"] is None for one in (first, again, anew)] == [True, False, True]
    assert (first.exit_code, again.exit_code, anew.exit_code) == (0, 0, 0)
    assert runs == ["raw", "converted"] * 2


def test_a_conversion_rests_on_what_it_looked_at(
    prove: Prove, asked: Prove, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def convert(raw: Path, _options: Options) -> Converted:
        is_file(project / "mark.py")
        return Converted(raw.read_bytes(), ())

    monkeypatch.setattr(proof, "convert", convert)
    write(project / "raw.py", HEAD + TRAIN)
    time.sleep(0.05)
    given = {"options": Options(), "results": KeptResults(tmp_path / "cache")}
    first = verify(project / "raw.py", None, (), **given)  # type: ignore[arg-type]
    assert (first.status, first.kept) == ("identical", None)
    monkeypatch.setattr(proof, "convert", None)
    assert verify(project / "raw.py", None, (), **given).kept is not None  # type: ignore[arg-type]

    write(project / "mark.py", "")

    with pytest.raises(TypeError):  # what converts is gone
        verify(project / "raw.py", None, (), **given)  # type: ignore[arg-type]
