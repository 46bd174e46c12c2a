"""Rows of the safety table: what is written, what is left behind, and what the reports say of it."""

from __future__ import annotations

import codecs
import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree

from safety_rows import SCRIPT, alive, command, environment, is_converted, program, put, row, stopped, wait_until

LATIN = b"# -*- coding: latin-1 -*-\n# caf\xe9\n" + SCRIPT.encode().replace(
    b"loss.backward()", b"loss.backward()  # \xe9"
)
HOSTILE = "a\x1b[31m\r\n\u202eb.py"

# ---- the original


@row(
    "hangs",
    ".orig is a link that leads nowhere, a pipe, a folder, a link to the file itself",
    "the original is kept under the next name",
    "posix",
)
def _(folder: Path) -> None:
    for number, obstacle in enumerate(("dangling", "pipe", "folder", "itself")):
        path = put(folder / obstacle)
        kept = path.with_name("train.py.orig")
        if obstacle == "dangling":
            kept.symlink_to("nowhere")
        elif obstacle == "pipe":
            os.mkfifo(kept)
        elif obstacle == "folder":
            kept.mkdir()
        else:
            kept.symlink_to("train.py")
        assert program(path.parent, "convert", "train.py").code == 0, number
        assert is_converted(path)
        assert path.with_name("train.py.orig.1").read_text() == SCRIPT


@row("reports", "mode, extended attributes, owner and group of the file and of .orig", "kept", "root", "linux")
def _(folder: Path) -> None:
    path = put(folder)
    os.chown(path, 12345, 54321)
    path.chmod(0o640)
    attributes = {"user.note": b"mine"}
    try:
        os.setxattr(path, "user.note", b"mine")
    except OSError:
        attributes = {}
    answer = program(folder, "convert", "train.py")
    assert is_converted(path) and "T2L002" not in answer.err
    for one in (path, path.with_name("train.py.orig")):
        state = one.stat()
        assert (state.st_uid, state.st_gid, state.st_mode & 0o7777) == (12345, 54321, 0o640)
        assert {name: os.getxattr(one, name) for name in os.listxattr(one) if name.startswith("user.")} == attributes


@row("reports", "a file with other names (hard links)", "said in a finding; the other names hold the original", "posix")
def _(folder: Path) -> None:
    path = put(folder)
    os.link(path, folder / "twin.txt")
    answer = program(folder, "convert", "--format", "json", "train.py")
    (told,) = json.loads(answer.out)["files"]
    assert any(one["code"] == "T2L002" and "1 other name" in one["message"] for one in told["findings"])
    assert is_converted(path) and (folder / "twin.txt").read_text() == SCRIPT


# ---- leftovers


_RUN = ("convert", "--no-cache", "-j", "2", ".")


def _many(folder: Path, count: int = 24) -> None:
    for number in range(count):
        put(folder, f"m{number:02}.py", "".join(f"v{i} = [{i}]\n" for i in range(3000)) + SCRIPT)


@row(
    "leftovers",
    "SIGTERM, SIGINT, SIGHUP and SIGKILL while -j 2 works",
    "no process is left; every file old or new",
    "linux",
)
def _(folder: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL):
        place = folder / number.name
        _many(place)
        marker = f"T2L_MARK={place.name}-{number}"
        code = stopped(place, number, _RUN, lambda marker=marker: len(alive(marker)) > 2)  # type: ignore[misc]
        assert code == (-9 if number is signal.SIGKILL else 128 + number), (number, code)
        for path in place.glob("*.py"):
            assert is_converted(path) or path.read_text().endswith(SCRIPT)


@row(
    "leftovers",
    "kill -9 at a random moment under -j, then a second run",
    "each file is old or new, the second run cleans up and ends the work",
    "linux",
)
def _(folder: Path) -> None:
    _many(folder, 8)
    raw = {path.name: path.read_bytes() for path in folder.glob("*.py")}
    for _ in range(4):
        process = subprocess.Popen(command(*_RUN), cwd=folder, env=environment(folder), stderr=subprocess.DEVNULL)
        time.sleep(random.Random(folder.name).uniform(0.5, 4))
        process.kill()
        process.wait()
    program(folder, "convert", ".")
    assert all(is_converted(folder / name) for name in raw)
    assert {path.name.removesuffix(".orig"): path.read_bytes() for path in folder.glob("*.orig")} == raw
    assert not list(folder.glob(".*"))


@row(
    "leftovers",
    "temporary files: of a dead run, of a living one, of others, a link and a folder of such a name",
    "only the first goes",
    "posix",
)
def _(folder: Path) -> None:
    put(folder)
    gone = subprocess.Popen(["true"])
    gone.wait()
    tail = "0123456789abcdef.t2l-tmp"
    dead = put(folder, f".train.py.{gone.pid}-{tail}", "half")
    stay = [
        put(folder, f".train.py.{os.getpid()}-{tail}", "at work"),
        put(folder, ".train.py.t2l-tmp", "somebody's"),
        put(folder, f"train.py.{gone.pid}-{tail}", "not hidden"),
        folder / f".link.{gone.pid}-{tail}",
        folder / f".folder.{gone.pid}-{tail}",
    ]
    stay[3].symlink_to("train.py")
    stay[4].mkdir()
    program(folder, "convert", "train.py")
    assert not dead.exists()
    assert all(os.path.lexists(path) for path in stay)


@row("leftovers", "a full disk while writing", "one line; the file is what it was, nothing is left", "root", "linux")
def _(folder: Path) -> None:
    folder.joinpath("disk").mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", "disk"], cwd=folder, capture_output=True, check=False
    )
    if mounted.returncode != 0:
        return
    try:
        path = put(folder / "disk", text="# " + "x" * 40_000 + "\n" + SCRIPT)
        before = path.read_bytes()
        answer = program(folder / "disk", "convert", "train.py")
        assert answer.code == 123 and "No space left on device" in answer.err
        assert path.read_bytes() == before and os.listdir(folder / "disk") == ["train.py"]
    finally:
        subprocess.run(["umount", "disk"], cwd=folder, check=False)


# ---- reports


@row(
    "reports",
    "git apply of the diffs of BOM, latin-1, CRLF, CR, a last line without newline",
    "it applies, and the bytes are those of a conversion",
)
def _(folder: Path) -> None:
    bom, text = codecs.BOM_UTF8, SCRIPT.encode()
    kinds = {
        "bom": bom + text,
        "bom-crlf": bom + text.replace(b"\n", b"\r\n"),
        "latin": LATIN,
        "shift-jis": b"# coding: shift_jis\n# " + "日本".encode("shift_jis") + b"\n" + text,
        "crlf": text.replace(b"\n", b"\r\n"),
        "open": text + b"x = 1",
        "über": text,
    }
    for name, data in kinds.items():
        put(folder / "a", f"{name}.py", data)
        put(folder / "b", f"{name}.py", data)
    diff = program(folder / "a", "convert", "--diff", ".").out
    applied = subprocess.run(["git", "apply", "-"], cwd=folder / "a", input=diff, capture_output=True, check=False)
    assert applied.returncode == 0, applied.stderr
    program(folder / "b", "convert", ".")
    for name in kinds:
        new = (folder / "b" / f"{name}.py").read_bytes()
        assert b"Trainer(" in new and (folder / "a" / f"{name}.py").read_bytes() == new, name


@row(
    "reports",
    "ESC, CR, newline, directions of writing and bytes that are no text in names",
    "no format lets them reach a terminal",
    "linux",
)
def _(folder: Path) -> None:
    put(folder, HOSTILE)
    put(folder, "bad" + HOSTILE, "import torch\n" + SCRIPT + "def f(:\n")
    put(folder, "idle" + HOSTILE, "x = 1\n")
    with open(os.fsencode(folder) + b"/caf\xe9\x1b.py", "w") as file:
        file.write(SCRIPT)
    names = [name for name in os.listdir(folder) if name.endswith(".py")]
    kept = {"TORCH2LIT_CACHE_DIR": str(folder.parent / "cache")}  # it is how they are shown that is asked here
    for arguments in (
        ("convert", "--check", "-v"),
        ("analyze", "-v"),
        ("convert", "--diff"),
        ("convert", "-v", "-o", "out/"),
        ("convert",),
    ):
        for form in ("text", "github", "json", "sarif") if "-o" not in arguments else ("text",):
            answer = program(folder, *arguments, "--format", form, *names, env=kept)
            shown = answer.out.decode() + answer.err
            assert not set("\x1b\r\u202e") & set(shown), (arguments, form, shown)
            assert not any(line.startswith("\u202e") for line in shown.splitlines())
    assert "\x1b" not in program(folder, "convert", "gone\x1b.py").err
    assert "\x1b" not in program(folder, "convert", *names, "-o", "one\x1b.py").err


def _reports(folder: Path, *arguments: str) -> dict[str, tuple[int, str]]:
    answers = {}
    for form in ("text", "json", "github", "sarif", "junit"):
        answer = program(folder, *arguments, "--format", form, ".")
        answers[form] = (answer.code, answer.out.decode() + answer.err)
    return answers


@row("exit codes", "--check with a file that would change", "1; every format names the file and says why it is red")
def _(folder: Path) -> None:
    put(folder)
    answers = _reports(folder, "convert", "--check")
    for form, (code, text) in answers.items():
        assert code == 1, form
        assert "train.py" in text and "would be converted" in text, (form, text)
    assert json.loads(answers["json"][1])["exit"] == {"code": 1, "reason": "1 file would be converted (--check)"}
    assert "::error file=train.py,title=torch2lit::would be converted" in answers["github"][1]
    (run,) = json.loads(answers["sarif"][1])["runs"]
    assert run["invocations"][0]["exitCode"] == 1 and [
        one["level"] for one in run["results"] if one["ruleId"] == "would-change"
    ] == ["error"]
    assert run["tool"]["driver"]["rules"][run["results"][-1]["ruleIndex"]]["id"] == "would-change"
    assert ElementTree.fromstring(answers["junit"][1])[0].get("failures") == "1"


@row("exit codes", "--check with files that stay", "0; every format names the files with the reason")
def _(folder: Path) -> None:
    put(folder, text="import torch\n")
    for form, (code, text) in _reports(folder, "convert", "--check", "-v").items():
        assert code == 0, form
        assert "train.py" in text and "no training loop" in text, (form, text)
    assert "train.py: unchanged (no training loop)" in program(folder, "convert", "train.py").err


@row("exit codes", "a file that fails", "123; every format names the file and the reason")
def _(folder: Path) -> None:
    put(folder, text=SCRIPT + "def f(:\n")
    for form, (code, text) in _reports(folder, "convert", "--check").items():
        assert code == 123 and "train.py" in text and "invalid syntax" in text, (form, text)


@row("exit codes", "--fail-on review", "1; every format shows the finding and says why it is red")
def _(folder: Path) -> None:
    text = "\n".join(f"    {line}" if line else line for line in SCRIPT.splitlines()[2:])
    put(folder, text=f"import torch\ntorch.distributed.init_process_group('gloo')\nif True:\n{text}\n")
    answers = _reports(folder, "convert", "--diff", "--fail-on", "review")
    if answers["text"][0] == 0:
        return
    for form, (code, said) in answers.items():
        assert code == 1 and "T2L" in said, (form, said)
    assert "--fail-on review" in answers["json"][1] + answers["github"][1]


# ---- any tree at all


@row(
    "any tree",
    "random kinds of files, names, modes and contents",
    "no traceback, no wait; what is good is converted",
    "posix",
)
def _(folder: Path) -> None:
    dice = random.Random(7)
    good = []
    contents = (
        SCRIPT.encode(),
        b"",
        b"\0",
        b"\xff\xfe",
        SCRIPT.encode()[:200],
        LATIN,
        b"(" * 5000,
        b"import torch\nbackward step" * 9,
    )
    for number in range(60):
        place = folder / dice.choice((".", "a", "a/b", "c"))
        place.mkdir(parents=True, exist_ok=True)
        name = dice.choice(("x", "ü", "\x1b", "\n", "-rf", " ", "'", "$(x)", "[a]", "*", "\udce9", "x" * 200)) + str(
            number
        )
        path = place / (name + dice.choice((".py", ".py", ".ipynb")))
        kind = dice.choice(("file", "file", "file", "pipe", "dangling", "loop", "folder"))
        if kind == "file":
            data = dice.choice(contents)
            path.write_bytes(data)
            path.chmod(dice.choice((0o644, 0o644, 0o400, 0o755)))
            if data == SCRIPT.encode() and path.suffix == ".py" and path.stat().st_mode & 0o200:
                good.append(path)
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        else:
            path.symlink_to("nowhere" if kind == "dangling" else path.name)
    assert good
    assert program(folder, "convert", "-j", "2", ".").code == 123
    assert all(map(is_converted, good))
    assert wait_until(lambda: not list(folder.rglob(".*t2l-tmp")))
