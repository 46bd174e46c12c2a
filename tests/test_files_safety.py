"""What torch2lit does to hard files: the promise, as a table, through the command line."""

from __future__ import annotations

import codecs
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CONVERTED, SCRIPT, Invoke, commit_all

from torch2lit.files import writing
from torch2lit.files.temporary import Temporary

RAW, NEW = SCRIPT.encode(), CONVERTED.encode()
BOM = codecs.BOM_UTF8
LATIN = b"# -*- coding: latin-1 -*-\n# caf\xe9\n"
FORM_FEED = b"\x0c# section\n\nif True:\n\tpass\n"

CONVERTS = {
    "plain": (RAW, NEW),
    "crlf": (RAW.replace(b"\n", b"\r\n"), NEW.replace(b"\n", b"\r\n")),
    "cr": (RAW.replace(b"\n", b"\r"), NEW.replace(b"\n", b"\r")),
    "mixed newlines": (b"a = 1\r\nb = 2\r" + RAW, b"a = 1\r\nb = 2\r" + NEW),
    "bom": (BOM + RAW, BOM + NEW),
    "bom and crlf": (BOM + RAW.replace(b"\n", b"\r\n"), BOM + NEW.replace(b"\n", b"\r\n")),
    "bom and cookie": (BOM + b"# coding: utf-8\n" + RAW, BOM + b"# coding: utf-8\n" + NEW),
    "latin-1 with cookie": (LATIN + RAW, LATIN + NEW),
    "cookie on the second line": (b"#!/usr/bin/python\n" + LATIN + RAW, b"#!/usr/bin/python\n" + LATIN + NEW),
    "utf-8 beyond ascii": ("# é 漢 🙂\n".encode() + RAW, "# é 漢 🙂\n".encode() + NEW),
    "form feed and tabs": (FORM_FEED + RAW, FORM_FEED + NEW),
    "no final newline": (RAW + b"x = 1", NEW + b"x = 1"),
    "final white space without newline": (RAW + b"    ", NEW + b"    "),
    "shebang": (b"#!/usr/bin/env python\n" + RAW, b"#!/usr/bin/env python\n" + NEW),
    "unicode line separators": ("s = 'a\u2028b\x85'\n".encode() + RAW, "s = 'a\u2028b\x85'\n".encode() + NEW),
}

FAILS = {
    "syntax error": (RAW + b"def f(:\n", "train.py:7:7: error: invalid syntax"),
    "syntax error found late": (RAW + b"# LATER\n", "train.py:3:7: error: bad later"),
    "python 2": (
        RAW + b'print "x"\n',
        "train.py:7:1: error: this is Python 2 (a print statement); run a 2-to-3 tool",
    ),
    "latin-1 without cookie": (b"# caf\xe9\n" + RAW, "train.py:1:6: error: byte 0xe9 is not valid utf-8"),
    "wrong byte after a bom": (BOM + b"# \xe9\n" + RAW, "train.py:1:6: error: byte 0xe9 is not valid utf-8"),
    "nul": (RAW + b"x = '\0'\n", "train.py:7:6: error: source holds a NUL byte"),
    "unknown encoding": (b"# coding: klingon\n" + RAW, "train.py:1:1: error: unknown encoding: klingon"),
    "not a text encoding": (b"# coding: rot13\n" + RAW, "train.py:1:1: error: unknown encoding: rot13"),
    "bom against cookie": (
        BOM + b"# coding: latin-1\n" + RAW,
        "train.py:1:1: error: encoding problem: utf-8",
    ),
    "indentation": (RAW + b"if x:\ny = 1\n", "train.py:8:1: error: expected an indented block"),
    "too many brackets": (
        RAW + b"(" * 300 + b")" * 300,
        "train.py:7:201: error: too many nested parentheses",
    ),
    "engine raises": (RAW + b"# RAISE\n", "train.py: error: internal error, KeyError: 'boom'"),
    "engine recurses": (RAW + b"# RECURSE\n", "train.py: error: internal error, RecursionError"),
    "new text beyond the encoding": (
        b"# coding: ascii\n# ACCENT\n" + RAW,
        "train.py: error: the result holds 'é', which ascii cannot encode",
    ),
}

STAYS = {
    "empty": b"",
    "only white space": b"  \n\n",
    "no training": b"import torch\n",
    "no training and broken": b"def f(:\n",
    "no training and undecodable": b"# \xff\xfe\0\n",
    "no torch": RAW.replace(b"torch", b"numpy"),
    "skip-file": RAW + b"# torch2lit: skip-file\n",
    "skip-file in crlf": (SCRIPT + "# torch2lit: skip-file\n").replace("\n", "\r\n").encode(),
    "refused": RAW + b"# REFUSE\n",
}


@pytest.mark.parametrize("case", CONVERTS)
def test_what_is_not_converted_stays_byte_for_byte(invoke: Invoke, folder: Path, case: str) -> None:
    before, after = CONVERTS[case]
    path = folder / "train.py"
    path.write_bytes(before)

    result = invoke("convert", "train.py")

    assert result.exit_code == 0, result.stderr
    assert path.read_bytes() == after
    assert (folder / "train.py.orig").read_bytes() == before


@pytest.mark.parametrize("case", FAILS)
def test_failure_is_one_clean_line_and_the_file_stays(invoke: Invoke, folder: Path, case: str) -> None:
    data, message = FAILS[case]
    (folder / "train.py").write_bytes(data)
    (folder / "zz.py").write_bytes(RAW)

    result = invoke("convert", "train.py", "zz.py")

    assert result.exit_code == 123
    assert result.stderr.startswith(message)
    assert "Traceback" not in result.stderr
    assert (folder / "train.py").read_bytes() == data
    assert (folder / "zz.py").read_bytes() == NEW
    assert not (folder / "train.py.orig").exists()


@pytest.mark.parametrize("case", STAYS)
def test_other_files_are_left_alone(invoke: Invoke, folder: Path, case: str) -> None:
    (folder / "train.py").write_bytes(STAYS[case])

    result = invoke("convert", "train.py")

    assert result.exit_code == 0
    assert (folder / "train.py").read_bytes() == STAYS[case]
    assert [path.name for path in folder.iterdir()] == ["train.py"]


def test_symlink_stays_and_its_target_is_written(invoke: Invoke, folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "real" / "train.py").write_bytes(RAW)
    (folder / "link.py").symlink_to("real/train.py")

    result = invoke("convert", "link.py")

    assert result.exit_code == 0
    assert (folder / "link.py").readlink() == Path("real/train.py")
    assert (folder / "real" / "train.py").read_bytes() == NEW
    assert (folder / "real" / "train.py.orig").read_bytes() == RAW


@pytest.mark.skipif(os.name != "posix", reason="mode bits")
@pytest.mark.parametrize("mode", [0o755, 0o644, 0o600, 0o4755])
def test_mode_is_kept(invoke: Invoke, folder: Path, mode: int) -> None:
    path = folder / "train.py"
    path.write_bytes(RAW)
    path.chmod(mode)

    invoke("convert", "train.py")

    assert path.read_bytes() == NEW
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(os.name != "posix", reason="mode bits")
def test_read_only_file_is_not_replaced(invoke: Invoke, folder: Path) -> None:
    path = folder / "train.py"
    path.write_bytes(RAW)
    path.chmod(0o444)

    result = invoke("convert", "train.py")

    assert result.exit_code == 123
    assert "train.py: error: cannot write: the file is read-only" in result.stderr
    assert path.read_bytes() == RAW


def test_folder_that_cannot_be_written(invoke: Invoke, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The administrator may write everywhere, so the system's answer is imitated.
    (folder / "train.py").write_bytes(RAW)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(writing, "temporary_beside", refuse)
    result = invoke("convert", "train.py")

    assert result.exit_code == 123
    assert "train.py: error: cannot write: Permission denied" in result.stderr
    assert [path.name for path in folder.iterdir()] == ["train.py"]


@pytest.mark.parametrize("meanwhile", ["edited", "removed"])
def test_file_changed_meanwhile_is_not_overwritten(
    invoke: Invoke, folder: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    path = folder / "train.py"
    path.write_bytes(RAW)
    fill = writing._fill

    def interfere(temporary: Temporary, data: bytes, mode: int, like: Path | None) -> tuple[str, ...]:
        if meanwhile == "edited":
            path.write_bytes(RAW + b"# mine\n")
        else:
            path.unlink()
        return fill(temporary, data, mode, None)

    monkeypatch.setattr(writing, "_fill", interfere)
    result = invoke("convert", "train.py")

    assert result.exit_code == 123
    assert f"train.py: error: not written: the file was {meanwhile} meanwhile" in result.stderr
    assert [(one.name, one.read_bytes()) for one in folder.iterdir()] == (
        [("train.py", RAW + b"# mine\n")] if meanwhile == "edited" else []
    )


@pytest.mark.parametrize("function", ["os.replace", "os.fsync"])
def test_kill_before_the_replacement_leaves_the_original(folder: Path, function: str) -> None:
    (folder / "train.py").write_bytes(RAW)
    code = (
        "import os, signal, pathlib\n"
        "from torch2lit.files.writing import write_file\n"
        f"{function} = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)\n"
        "path = pathlib.Path('train.py')\n"
        "write_file(path, b'new', expected=path.read_bytes(), is_held=lambda *_: True)\n"
    )

    killed = subprocess.run([sys.executable, "-c", code], check=False)

    assert killed.returncode == -9
    assert (folder / "train.py").read_bytes() == RAW


class TestOriginals:
    """An original that git does not hold clean is kept beside the file."""

    def test_outside_of_a_repository(self, invoke: Invoke, folder: Path) -> None:
        (folder / "train.py").write_bytes(RAW)

        invoke("convert", "train.py")

        assert (folder / "train.py.orig").read_bytes() == RAW

    @pytest.mark.parametrize("name", ["train.py", "tiefer/größe [1].py", "-x.py"])
    def test_clean_in_git_needs_none(self, invoke: Invoke, folder: Path, name: str) -> None:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(RAW)
        commit_all(folder)

        invoke("convert", ".")

        assert path.read_bytes() == NEW
        assert not list(folder.rglob("*.orig"))

    def test_untracked(self, invoke: Invoke, folder: Path) -> None:
        (folder / "other.py").write_bytes(b"")
        commit_all(folder)
        (folder / "train.py").write_bytes(RAW)

        invoke("convert", "train.py")

        assert (folder / "train.py.orig").read_bytes() == RAW

    @pytest.mark.parametrize("staged", [False, True])
    def test_modified(self, invoke: Invoke, folder: Path, staged: bool) -> None:
        (folder / "train.py").write_bytes(RAW)
        commit_all(folder)
        (folder / "train.py").write_bytes(RAW + b"# more\n")
        if staged:
            subprocess.run(["git", "add", "-A"], cwd=folder, check=True)

        invoke("convert", "train.py")

        assert (folder / "train.py.orig").read_bytes() == RAW + b"# more\n"

    def test_repository_without_a_commit(self, invoke: Invoke, folder: Path) -> None:
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        (folder / "train.py").write_bytes(RAW)

        invoke("convert", "train.py")

        assert (folder / "train.py.orig").exists()

    def test_git_is_missing(self, invoke: Invoke, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "train.py").write_bytes(RAW)
        commit_all(folder)
        monkeypatch.setenv("PATH", str(folder / "nothing"))

        result = invoke("convert", "train.py")

        assert result.exit_code == 0
        assert (folder / "train.py.orig").exists()

    def test_existing_original_is_never_overwritten(self, invoke: Invoke, folder: Path) -> None:
        (folder / "train.py").write_bytes(RAW)
        (folder / "train.py.orig").write_bytes(b"older")
        (folder / "train.py.orig.1").write_bytes(b"old")

        invoke("convert", "train.py")

        assert (folder / "train.py.orig").read_bytes() == b"older"
        assert (folder / "train.py.orig.1").read_bytes() == b"old"
        assert (folder / "train.py.orig.2").read_bytes() == RAW

    def test_same_original_is_kept_once(self, invoke: Invoke, folder: Path) -> None:
        for _ in range(2):
            (folder / "train.py").write_bytes(RAW)
            invoke("convert", "train.py")

        assert sorted(path.name for path in folder.iterdir()) == ["train.py", "train.py.orig"]

    def test_one_question_per_repository(self, invoke: Invoke, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in "abc":
            (folder / f"{name}.py").write_bytes(RAW)
        commit_all(folder)
        calls: list[object] = []
        run = subprocess.run

        def counted(*arguments: object, **keywords: object) -> object:
            calls.append(arguments)
            return run(*arguments, **keywords)  # type: ignore[call-overload]

        monkeypatch.setattr(subprocess, "run", counted)
        invoke("convert", ".", "-j", "1")

        assert len(calls) == 1
        assert not list(folder.glob("*.orig"))
