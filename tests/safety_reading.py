"""Rows of the safety table: reading runs nothing, waits for nothing, and stops at nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from safety_rows import SCRIPT, git, is_converted, program, put, repository, row, trap

# ---- reading runs no code


def _hostile(folder: Path, *settings: tuple[str, str]) -> Path:
    path = repository(folder)
    script, mark = trap(folder)
    for key, value in settings:
        git(folder, "config", key, value.replace("TRAP", str(script)))
    program(folder, "convert", "train.py")
    assert is_converted(path)
    assert not mark.exists(), "a program of the repository's choice was run"
    return path


@row(
    "reading runs code",
    "git: core.fsmonitor, hooksPath, pager, sshCommand",
    "no program of the repository's choice runs",
    "posix",
)
def _(folder: Path) -> None:
    settings = (
        "core.fsmonitor",
        "core.hooksPath",
        "core.pager",
        "core.sshCommand",
        "core.editor",
        "pager.ls-tree",
        "core.gitProxy",
    )
    _hostile(folder, *((key, "TRAP") for key in settings))
    assert not (folder / "train.py.orig").exists(), "git holds the original"


@row(
    "reading runs code", "git: filters, textconv, external diff", "no program of the repository's choice runs", "posix"
)
def _(folder: Path) -> None:
    put(folder, ".gitattributes", "*.py filter=x diff=x\n")
    _hostile(
        folder,
        *(
            (key, "TRAP")
            for key in ("filter.x.clean", "filter.x.smudge", "filter.x.process", "diff.x.textconv", "diff.external")
        ),
    )


@row(
    "reading runs code",
    "git: a promisor remote with its own uploadpack, a tree missing",
    "nothing is fetched; the original is kept",
    "posix",
)
def _(folder: Path) -> None:
    path = repository(folder)
    tree = git(folder, "rev-parse", "HEAD^{tree}").strip()
    (folder / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    script, mark = trap(folder)
    for key, value in (
        ("core.repositoryformatversion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", str(folder)),
        ("remote.origin.uploadpack", str(script)),
    ):
        git(folder, "config", key, value)
    program(folder, "convert", "train.py")
    assert is_converted(path) and not mark.exists()
    assert (folder / "train.py.orig").read_text() == SCRIPT


@row("reading runs code", "git: an include of a pipe, a configuration that is none", "no wait, no failure", "posix")
def _(folder: Path) -> None:
    path = repository(folder)
    os.mkfifo(folder / "pipe")
    put(folder, ".git/config", f"[include]\n\tpath = {folder}/pipe\n[broken\n")
    program(folder, "convert", "train.py")
    assert is_converted(path) and not (folder / "train.py.orig").exists()


@row(
    "reading runs code",
    "git: another owner's repository (safe.directory)",
    "git holds the original, nothing runs",
    "root",
)
def _(folder: Path) -> None:
    path = repository(folder)
    for place in (folder, *folder.rglob("*")):
        os.chown(place, 12345, 12345)
    program(folder, "convert", "train.py")
    assert is_converted(path) and not (folder / "train.py.orig").exists()


@row("reading runs code", "git: packed objects and references, a worktree, sha256", "clean files are seen as clean")
def _(folder: Path) -> None:
    main = repository(folder / "main")
    git(main.parent, "gc", "-q")
    git(main.parent, "worktree", "add", "-q", str(folder / "tree"), "-b", "other")
    put(folder / "sha256")
    git(folder / "sha256", "init", "-q", "--object-format=sha256")
    git(folder / "sha256", "add", "-A")
    git(folder / "sha256", "commit", "-q", "-m", "all")
    program(folder, "convert", "main", "tree", "sha256")
    assert all(is_converted(folder / name / "train.py") for name in ("main", "tree", "sha256"))
    assert not list(folder.rglob("*.orig"))


@row("reading runs code", "a program `git` in the folder, `.` on PATH", "it is not run", "posix")
def _(folder: Path) -> None:
    path = repository(folder)
    script, mark = trap(folder)
    put(folder, "git", script.read_text()).chmod(0o755)
    program(folder, "convert", "train.py", env={"PATH": f".:{folder}:{os.environ['PATH']}"})
    assert is_converted(path) and not mark.exists()
    assert not (folder / "train.py.orig").exists()


def _plug_in(folder: Path, mark: Path) -> None:
    put(folder, "evil.py", f"open({str(mark)!r}, 'w')\n")
    put(folder, "evil-1.dist-info/METADATA", "Name: evil\nVersion: 1\n")
    put(folder, "evil-1.dist-info/entry_points.txt", "[torch2lit.codemods]\nevil = evil\n")
    put(folder, "torch2lit-99.dist-info/METADATA", "Name: torch2lit\nVersion: 99\n")


@row("reading runs code", "python -m torch2lit in a folder with a plug-in", "it is not loaded, our own are")
def _(folder: Path) -> None:
    path, mark = put(folder), folder.parent / "was-run"
    _plug_in(folder, mark)
    program(folder, "convert", "train.py")
    assert is_converted(path) and not mark.exists()


@row("reading runs code", "PYTHONPATH=. and PYTHONPATH=elsewhere with a plug-in", "it is not loaded")
def _(folder: Path) -> None:
    path, mark = put(folder / "work"), folder / "was-run"
    _plug_in(folder / "work", mark)
    _plug_in(folder / "elsewhere", mark)
    program(folder / "work", "convert", "train.py", env={"PYTHONPATH": f".{os.pathsep}{folder / 'elsewhere'}"})
    assert is_converted(path) and not mark.exists()


@row(
    "reading runs code",
    "click.py, libcst.py, black.py, tomllib.py, json.py in the folder, python -m",
    "they are files to read, not modules",
)
def _(folder: Path) -> None:
    path, mark = put(folder), folder.parent / "was-run"
    for name in (
        "click",
        "libcst",
        "black",
        "tomllib",
        "json",
        "shutil",
        "multiprocessing",
        "site",
        "tokenize",
        "codemods",
    ):
        put(folder, f"{name}.py", f"open({str(mark)!r}, 'w')\nraise SystemExit(7)\n")
    put(folder, "pyproject.toml", "[tool.torch2lit]\njobs = 2\n")
    for more in ({}, {"PYTHONPATH": "."}, {"PYTHONPATH": str(folder)}):
        program(folder, "convert", ".", env=more)
        assert not mark.exists(), f"a module of the folder was imported with {more}"
    assert is_converted(path)


# ---- what would be waited for


def _one_line(folder: Path, *arguments: str, code: int = 123, says: str = "") -> None:
    answer = program(folder, *arguments)
    assert answer.code == code, answer
    assert says in answer.said, answer.err
    assert len([line for line in answer.said.splitlines() if "rror" in line]) == 1, answer.err


@row("hangs", "a pipe, /dev/zero, /dev/null, a socket as argument", "one line each; the others are done", "posix")
def _(folder: Path) -> None:
    os.mkfifo(folder / "pipe.py")
    path = put(folder)
    for name, kind in (("pipe.py", "a pipe"), ("/dev/zero", "a device"), ("/dev/null", "a device")):
        _one_line(folder, "convert", name, "train.py", says=f"{name}: error: cannot read: {kind}, not a regular file")
    assert is_converted(path)


@row("hangs", "/dev/stdin as argument, stdin a pipe", "one line", "posix")
def _(folder: Path) -> None:
    answer = program(folder, "convert", "/dev/stdin", stdin=None, input=SCRIPT.encode()) if False else None
    with subprocess.Popen([sys.executable, "-c", "print()"], stdout=subprocess.PIPE) as source:
        answer = program(folder, "convert", "/dev/stdin", stdin=source.stdout or 0)
    assert answer.code == 123 and "a pipe, not a regular file" in answer.said


@row("hangs", "pipes and sockets in a folder", "they are passed by", "posix")
def _(folder: Path) -> None:
    os.mkfifo(folder / "pipe.py")
    os.mkfifo(folder / ".gitignore")
    path = put(folder)
    assert program(folder, "convert", ".").code == 0
    assert is_converted(path)


@row("hangs", "a pyproject.toml, .gitignore, .git, HEAD or imported module that is a pipe", "no wait", "posix")
def _(folder: Path) -> None:
    for name in ("pyproject.toml", ".gitignore", ".git", "helper.py"):
        os.mkfifo(folder / name)
    path = put(folder, text="import helper\nfrom helper import *\n" + SCRIPT)
    program(folder, "convert", ".")
    assert is_converted(path)
    os.unlink(folder / ".git")
    (folder / ".git").mkdir()
    os.mkfifo(folder / ".git" / "HEAD")
    put(folder, text=SCRIPT)
    program(folder, "convert", ".")
    assert is_converted(path)


@row(
    "hangs",
    "-o /dev/null, -o a pipe, a device node, a folder in the way",
    "one line; the device is what it was",
    "posix",
)
def _(folder: Path) -> None:
    put(folder)
    os.mkfifo(folder / "pipe")
    before = os.stat("/dev/null")
    _one_line(folder, "convert", "train.py", "-o", "/dev/null", says="cannot write: a device, not a regular file")
    _one_line(folder, "convert", "train.py", "-o", "pipe", says="cannot write: a pipe, not a regular file")
    assert (os.stat("/dev/null").st_mode, os.stat("/dev/null").st_ino) == (before.st_mode, before.st_ino)
    (folder / "out" / "train.py").mkdir(parents=True)
    _one_line(folder, "convert", "train.py", "-o", "out/", says="cannot write: a folder, not a regular file")


@row("hangs", ".gitignore that backtracks without end", "linear time")
def _(folder: Path) -> None:
    name = "a" * 100 + ".py"
    put(folder, ".gitignore", "*a" * 100 + "b\n" + "**/" * 200 + "b\n" + "[!b]*" * 80 + "?b\n")
    put(folder, "/".join(["a" * 100] * 12) + "/" + name)
    assert program(folder, "convert", ".").code == 0
    assert is_converted(next(folder.rglob(name)))


@row("hangs", "a configured exclude that backtracks without end", "ends after seconds, in one line", "posix")
def _(folder: Path) -> None:
    put(folder, "a" * 60 + ".py")
    put(folder, "pyproject.toml", '[tool.torch2lit]\nextend-exclude = "(a+)+$"\n')
    _one_line(folder, "convert", ".", code=2, says="takes for ever")


@row("hangs", "a file larger than the limit", "one line; the others are done")
def _(folder: Path) -> None:
    with open(folder / "large.py", "wb") as file:
        file.truncate(300 * 1024**2)
    path = put(folder)
    _one_line(folder, "convert", ".", says="large.py: error: cannot read: the file is larger than 256 MiB")
    assert is_converted(path)


@row("hangs", "a notebook of 25 MB, 240 cells and 2,000 functions", "linear time")
def _(folder: Path) -> None:
    output = {"output_type": "stream", "name": "stdout", "text": ["x" * 100_000]}
    cells = [
        {"source": "".join(f"def f{n}_{i}(a):\n    return a\n\n" for i in range(8)), "outputs": [output]}
        for n in range(240)
    ]
    cells.append({"source": SCRIPT, "outputs": []})
    whole: list[dict[str, object]] = [
        {"cell_type": "code", "metadata": {}, "execution_count": None, **cell} for cell in cells
    ]
    path = put(folder, "n.ipynb", json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": whole}))
    assert program(folder, "convert", "n.ipynb").code == 0
    assert is_converted(path)


# ---- tracebacks


def _others_are_done(folder: Path, code: int, says: str = "") -> None:
    path = put(folder, "good.py")
    answer = program(folder, "convert", ".")
    assert answer.code == code and says in answer.err, answer.err
    assert is_converted(path)


@row(
    "tracebacks",
    "a link that runs in a circle, one that leads nowhere",
    "one line for the first; the others are done",
    "posix",
)
def _(folder: Path) -> None:
    (folder / "circle.py").symlink_to("circle.py")
    (folder / "nowhere.py").symlink_to("gone/away.py")
    (folder / "folder").symlink_to("folder")
    _others_are_done(folder, 123, "circle.py: error: cannot read: Too many levels of symbolic links")


@row(
    "tracebacks",
    "a link into a folder that may not be entered, a folder that may not be listed",
    "one line each; the others are done",
    "user",
)
def _(folder: Path) -> None:
    put(folder, "shut/x.py")
    (folder / "link.py").symlink_to("shut/x.py")
    (folder / "shut").chmod(0)
    try:
        _others_are_done(folder, 123, "link.py: error: cannot read: Permission denied")
    finally:
        (folder / "shut").chmod(0o700)


@row("tracebacks", "a name of 300 characters, a path of 5,000, a NUL", "one line")
def _(folder: Path) -> None:
    _one_line(folder, "convert", "a" * 300 + ".py", says="File name too long")
    _one_line(folder, "convert", "a/" * 2500 + "a.py", says="File name too long")


@row("tracebacks", "an existing name of 250 characters", "converted, or one line when its .orig would be too long")
def _(folder: Path) -> None:
    path = put(folder, "a" * 247 + ".py")
    kept = put(folder, "b" * 252 + ".py")
    answer = program(folder, "convert", ".")
    assert is_converted(path)
    assert kept.read_text() == SCRIPT and answer.code == 123 and "File name too long" in answer.err


@row("tracebacks", "an unreadable pyproject.toml", "one line, exit 2", "user")
def _(folder: Path) -> None:
    put(folder)
    put(folder, "pyproject.toml", "[tool.torch2lit]\n").chmod(0)
    _one_line(folder, "convert", ".", code=2, says="pyproject.toml: cannot read: Permission denied")


@row("tracebacks", "5,000 nested brackets in pyproject.toml, a number of 6,000 digits, no UTF-8", "one line, exit 2")
def _(folder: Path) -> None:
    put(folder)
    for text in (
        "[tool.torch2lit]\nx = " + "[" * 5000 + "]" * 5000,
        "[tool.torch2lit]\njobs = " + "1" * 6000,
        b"[tool.torch2lit]\nx = '\xff'",
    ):
        put(folder, "pyproject.toml", text)
        _one_line(folder, "convert", ".", code=2, says="pyproject.toml")


def _notebook(*sources: object, **more: object) -> str:
    cells = [
        {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": s} for s in sources
    ]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": more, "cells": cells})


@row("tracebacks", "a notebook with a number of 6,000 digits", "converted, the number kept")
def _(folder: Path) -> None:
    path = put(folder, "n.ipynb", _notebook(SCRIPT, x="NUMBER").replace('"NUMBER"', "1" * 6000))
    assert program(folder, "convert", ".").code == 0
    assert is_converted(path) and "1" * 6000 in path.read_text()


@row(
    "tracebacks",
    "a notebook with half a character (lone surrogate), with source as numbers, cells as text",
    "one line or unchanged; the others are done",
)
def _(folder: Path) -> None:
    put(folder, "half.ipynb", _notebook("x = '\ud800'\n" + SCRIPT, "'\udfff'"))
    put(folder, "numbers.ipynb", _notebook([1, None], {"a": 1}, SCRIPT))
    put(folder, "texts.ipynb", json.dumps({"nbformat": 4, "cells": ["backward step torch import", None, 3]}))
    path = put(folder, "good.py")
    for form in ("text", "json", "github", "sarif", "junit"):
        answer = program(folder, "convert", "--diff", "--format", form, ".")
        assert answer.code in (0, 123) and (form == "text" or answer.out.decode()), answer.err
    program(folder, "convert", ".")
    assert is_converted(path)


@row("tracebacks", "a name that is no UTF-8, in every format", "a report; in JSON and SARIF as an escape", "linux")
def _(folder: Path) -> None:
    with open(os.fsencode(folder) + b"/caf\xe9.py", "w") as file:
        file.write(SCRIPT)
    for form in ("text", "json", "github", "sarif", "junit"):
        answer = program(folder, "convert", "--diff", "--format", form, ".")
        assert answer.code == 0, answer.err
        if form in ("json", "sarif"):
            json.loads(answer.out.decode("utf-8"))
    assert "caf%E9.py" in program(folder, "convert", "--diff", "--format", "sarif", ".").out.decode()
    assert program(folder, "convert", ".").code == 0


@row("tracebacks", "stdout full, with and without --format", "one line, exit 123", "linux")
def _(folder: Path) -> None:
    put(folder)
    for arguments in (
        ("convert", "--diff", "."),
        ("analyze", "."),
        ("convert", "--check", "--format", "json", "."),
        ("explain", "T2L001"),
        ("--help",),
    ):
        with open("/dev/full", "wb") as full:
            answer = program(folder, *arguments, stdout=full)
        assert answer.code == 123 and answer.said.count("No space left on device") == 1, (arguments, answer)


@row(
    "tracebacks",
    "stdout, stderr, stdin closed; a pipe that nobody reads",
    "no traceback; 123 when the result is lost",
    "posix",
)
def _(folder: Path) -> None:
    put(folder)
    me = f"'{sys.executable}' -m torch2lit"
    for line, code in (
        (f"{me} convert --diff . >&-", 123),
        (f"{me} convert --diff . 2>&-", 0),
        (f"{me} convert --check . >&- 2>&- <&-", 1),
        (f"{me} convert - <&-", 2),
        (f"{me} convert --diff . | true", 123),
        (f"{me} convert --check . 2>/dev/full", 123),
    ):
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {line}"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr and "ignored" not in done.stderr, done.stderr
        assert done.returncode == code or ("| true" in line and done.returncode in (0, 123)), (line, done)
    assert (folder / "train.py").read_text() == SCRIPT
