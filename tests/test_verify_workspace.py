"""The throw-away mirror: what is copied, what is linked, what the user's files never see."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from torch2lit.verify import VerifyError, copy_on_write, workspace
from torch2lit.verify.outside import told_in
from torch2lit.verify.stale import own_folder
from torch2lit.verify.workspace import Workspace, build, project_of


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A project with a neighbour that holds data."""
    folder = tmp_path / "home"
    (folder / "project" / "pkg").mkdir(parents=True)
    (folder / "project" / "train.py").write_text("print(1)\n", encoding="utf-8")
    (folder / "project" / "pkg" / "nets.py").write_text("x = 1\n", encoding="utf-8")
    (folder / "data" / "empty").mkdir(parents=True)
    (folder / "data" / "numbers.txt").write_text("1 2 3\n", encoding="utf-8")
    return folder


def mirror(home: Path, tmp_path: Path, script: str = "project/train.py", directory: str = "project") -> Workspace:
    root = tmp_path / "mirror"
    root.mkdir()
    return build(root, [home / script], home / directory)


def test_the_project_is_copied_and_its_neighbours_are_found(home: Path, tmp_path: Path) -> None:
    place = mirror(home, tmp_path).place(home / "project")
    assert (place / "pkg" / "nets.py").read_text(encoding="utf-8") == "x = 1\n"
    assert not (place / "train.py").is_symlink()
    assert (place / ".." / "data" / "numbers.txt").read_text(encoding="utf-8") == "1 2 3\n"
    (place / ".." / "made.txt").write_text("new", encoding="utf-8")
    assert not (home / "made.txt").exists()


def test_search_paths_lead_to_the_copy(home: Path, tmp_path: Path) -> None:
    made = mirror(home, tmp_path)
    package = home / "project" / "pkg"
    assert made.place_copied(str(package)) == str(made.place(package))
    assert made.place_copied(str(home / "data")) == str(home / "data")
    assert made.place_copied("") == ""


def test_what_no_script_reads_is_left_out(home: Path, tmp_path: Path) -> None:
    project = home / "project"
    for name in (".git", "__pycache__", "env", f"{workspace.OWN_PREFIX}x"):
        (project / name).mkdir()
        (project / name / "file").write_text("", encoding="utf-8")
    (project / "env" / "pyvenv.cfg").write_text("", encoding="utf-8")
    place = mirror(home, tmp_path).place(project)
    assert sorted(path.name for path in place.iterdir()) == ["pkg", "train.py"]


def test_links_stay_links(home: Path, tmp_path: Path) -> None:
    (home / "project" / "inside").symlink_to("pkg")
    (home / "project" / "outside").symlink_to("../data")
    place = mirror(home, tmp_path).place(home / "project")
    assert [os.readlink(place / name) for name in ("inside", "outside")] == ["pkg", "../data"]
    assert (place / "outside" / "numbers.txt").exists()


def test_large_files_and_folders_of_data_are_linked(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace, "LINKED_FILE_SIZE", 10)
    monkeypatch.setattr(workspace, "LINKED_FOLDER_ENTRIES", 2)
    (home / "project" / "weights.pt").write_text("x" * 11, encoding="utf-8")
    for name in ("images", "code"):
        (home / "project" / name).mkdir()
        for number in range(3):
            (home / "project" / name / f"{number}.png").write_text("", encoding="utf-8")
    (home / "project" / "code" / "net.py").write_text("", encoding="utf-8")
    place = mirror(home, tmp_path).place(home / "project")
    linked = {path.name for path in place.iterdir() if path.is_symlink()}
    assert linked == {"weights.pt", "images"}


def test_a_project_that_is_too_large_gives_way_to_the_script_s_folder(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace, "MOST_FILES", 2)
    (home / "pyproject.toml").write_text("", encoding="utf-8")
    assert project_of(home / "project" / "train.py") == home
    assert mirror(home, tmp_path).folders == (home / "project",)


def test_a_folder_that_is_too_large_is_a_clear_error(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace, "MOST_BYTES", 5)
    with pytest.raises(VerifyError, match="too large to be copied"):
        mirror(home, tmp_path)


def test_the_current_directory_is_mirrored_wherever_it_is(home: Path, tmp_path: Path) -> None:
    made = mirror(home, tmp_path, directory="data")
    place = made.place(made.directory)
    assert (place / "numbers.txt").exists()
    (place / "made.txt").write_text("new", encoding="utf-8")
    assert not (home / "data" / "made.txt").exists()


def test_a_home_folder_is_no_project(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".git").mkdir()
    assert project_of(home / "project" / "pkg" / "nets.py") == home
    monkeypatch.setattr(Path, "home", lambda: home)
    assert project_of(home / "project" / "pkg" / "nets.py") == home / "project" / "pkg"


def test_writing_through_a_link_makes_a_copy(home: Path, tmp_path: Path) -> None:
    made = mirror(home, tmp_path)
    place = made.place(home / "data" / "numbers.txt")
    copy_on_write.detach(str(place), str(made.root.resolve()))
    place.write_text("changed", encoding="utf-8")
    assert (home / "data" / "numbers.txt").read_text(encoding="utf-8") == "1 2 3\n"


def test_a_link_of_the_user_s_own_is_followed_out_of_the_project(home: Path, tmp_path: Path) -> None:
    (home / "project" / "link").symlink_to("../data")
    made = mirror(home, tmp_path)
    place = made.place(home / "project") / "link" / "numbers.txt"
    copy_on_write.detach(str(place), str(made.root.resolve()))
    place.write_text("changed", encoding="utf-8")
    assert (home / "data" / "numbers.txt").read_text(encoding="utf-8") == "1 2 3\n"


WRITES = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import copy_on_write
copy_on_write.guard(sys.argv[2], [sys.argv[3]])
code = sys.argv[4]
exec(code)
"""


def guarded(made: Workspace, home: Path, code: str) -> subprocess.CompletedProcess[str]:
    verify = str(Path(copy_on_write.__file__).parent)
    command = [sys.executable, "-c", WRITES, verify, str(made.root), str(home / "project"), code]
    place = made.place(home / "project")
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "code",
    [
        "open('../data/numbers.txt', 'w').write('x')",
        "open('../data/numbers.txt', 'r+').write('x')",
        "open('../data/new.txt', 'a').write('x')",
        "os.remove('../data/numbers.txt')",
        "os.mkdir('../data/new')",
        "os.makedirs('../data/new/er'); Path('../data/new/er/x').write_text('x')",
        "os.rename('../data/numbers.txt', '../data/new.txt')",
        "os.replace('train.py', '../data/numbers.txt')",
        "os.chmod('../data/numbers.txt', 0o600)",
        "import shutil; shutil.rmtree('../data')",
        "os.truncate('../data/numbers.txt', 1)",
        "os.symlink('x', '../data/new')",
        "os.link('train.py', '../data/new')",
        "os.utime('../data/numbers.txt', (1, 1))",
        "os.rmdir('../data/empty')",
        "import sqlite3; sqlite3.connect('../data/new').execute('create table t (x)')",
    ],
)
def test_writes_beside_the_project_stay_in_the_mirror(home: Path, tmp_path: Path, code: str) -> None:
    before = tree(home)
    answer = guarded(mirror(home, tmp_path), home, code)
    assert answer.returncode == 0, answer.stderr
    assert tree(home) == before


def test_writing_into_the_project_by_its_full_path_is_refused(home: Path, tmp_path: Path) -> None:
    target = home / "project" / "new.txt"
    answer = guarded(mirror(home, tmp_path), home, f"open({str(target)!r}, 'w')")
    assert answer.returncode != 0
    assert "verify leaves the user's folder as it is" in answer.stderr
    assert not target.exists()


TELLS = """
import os, sys
sys.path.insert(0, sys.argv[1])
import copy_on_write, outside
written = outside.Outside(sys.argv[4], sys.argv[5])
copy_on_write.guard(sys.argv[2], [sys.argv[3]], written.tell)
exec(sys.argv[6])
"""


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("open('{away}/result.txt', 'w').write('x'); open('{away}/result.txt', 'a').write('y')", ["result.txt"]),
        ("os.makedirs('{away}/runs'); open('{away}/runs/1', 'w')", ["runs", "runs/1"]),
        ("os.rename('{away}/here', '{away}/there')", ["here", "there"]),
        ("open('{away}/here').read(); os.listdir('{away}')", []),
        ("open('../data/new.txt', 'w'); open('new.txt', 'w'); open('/dev/null', 'w')", []),
        ("import tempfile; tempfile.NamedTemporaryFile(); os.mkdir(tempfile.mkdtemp() + '/x')", []),
        ("os.makedirs('{home}/.cache/x'); open('{home}/.cache/x/y', 'w')", []),
    ],
)
def test_what_is_written_elsewhere_by_its_full_path_is_told(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, told: list[str]
) -> None:
    away = tmp_path / "away"
    away.mkdir()
    (away / "here").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "somebody"))
    made, notes = mirror(home, tmp_path), tmp_path / "notes"
    places = [
        str(Path(copy_on_write.__file__).parent),
        str(made.root),
        str(home / "project"),
        str(notes),
        str(made.root),
    ]
    code = code.format(away=away, home=tmp_path / "somebody")
    subprocess.run([sys.executable, "-c", TELLS, *places, code], cwd=made.place(home / "project"), check=True)
    assert told_in(notes.read_bytes()) == [str(away / name) for name in told]


def test_folders_of_killed_proofs_go_and_those_at_work_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    stays = [
        tmp_path / f"{workspace.OWN_PREFIX}file",
        tmp_path / f"{workspace.OWN_PREFIX}not-locked-yet",
        tmp_path / "other",
    ]
    stays[0].touch()
    stays[1].mkdir()
    stays[2].mkdir()
    (stays[2] / "lock").touch()
    (tmp_path / "users").mkdir()
    (tmp_path / "users" / "file").touch()
    code = "import time; from torch2lit.verify.stale import own_folder\nwith own_folder() as f: print(f, flush=True); time.sleep(99)"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment) as killed:
        assert killed.stdout is not None
        left = Path(killed.stdout.readline().strip())
        (left / "link").symlink_to(tmp_path / "users")
        with own_folder() as own:
            assert left.is_dir()  # its proof is at work
            killed.kill()
            killed.wait()
            with own_folder():
                assert not left.exists()
                assert own.is_dir()
    assert all(path.exists() for path in [*stays, tmp_path / "users" / "file"])
    assert not own.exists()


def test_writing_through_a_link_within_the_project_reaches_its_target(home: Path, tmp_path: Path) -> None:
    (home / "project" / "inside").symlink_to("pkg")
    made = mirror(home, tmp_path)
    assert guarded(made, home, "open('inside/nets.py', 'w').write('y')").returncode == 0
    assert (made.place(home / "project") / "pkg" / "nets.py").read_text(encoding="utf-8") == "y"


def test_reading_copies_nothing(home: Path, tmp_path: Path) -> None:
    made = mirror(home, tmp_path)
    assert guarded(made, home, "open('../data/numbers.txt').read()").returncode == 0
    assert made.place(home / "data").is_symlink()


def tree(folder: Path) -> dict[str, tuple[int, int, str]]:
    found = {}
    for path in sorted(folder.rglob("*")):
        content = path.read_text(encoding="utf-8") if path.is_file() else ""
        found[path.relative_to(folder).as_posix()] = (path.stat().st_mode, path.stat().st_mtime_ns, content)
    return found


def test_what_vanishes_while_it_is_copied_is_left_out(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = home / "project" / "train.py"
    gone = script.parent / "gone"
    gone.mkdir()
    (gone / "notes.txt").write_text("soon away\n")
    entries = workspace._entries

    def racing(folder: Path) -> list[os.DirEntry[str]]:
        found = entries(folder)
        if folder == gone.parent and gone.exists():
            (gone / "notes.txt").unlink()
            gone.rmdir()
        return found

    monkeypatch.setattr(workspace, "_entries", racing)
    made = build(tmp_path / "mirror", [script], script.parent)
    assert made.place(script).exists()
    assert not made.place(gone).exists()
