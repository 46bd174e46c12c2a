"""Takes note of all that a traced script asks of the file system, and of what nobody could ask again. Runs in the child: plain Python only.

The result of a proof is kept where it would come out the same, which hangs on every file that was read, listed or looked for. Python tells of files that it opens
and folders that it lists by audit events. Of those that are only looked for it tells nothing, so `os.stat` and its like are wrapped. What the script has made itself
is its own affair. A note is one letter and a path, with a zero byte behind it: the letters are below.
"""

from __future__ import annotations

import functools
import os
import stat
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Callable
from typing import Any

FOUND, KIND, MISSING, LISTED, SCANNED, UNSEEN = "+", "k", "-", "l", "e", "!"
"""It was there; only what kind of thing it is counts; it was not there; the names in it; the names, and what each is; why the result is not to be kept."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_NO_WITNESS = {
    **dict.fromkeys(("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "pty.spawn"), "it starts other programs"),
    **dict.fromkeys(("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"), "it asks the network"),
    "sqlite3.connect": "it opens an SQLite database",
}  # fmt: skip
_OTHER_PROCESSES = ("multiprocessing.popen_spawn_posix", "multiprocessing.popen_forkserver")
_SEES_ALL = {
    "torch", "functorch", "numpy", "scipy", "sklearn", "pandas", "PIL", "yaml", "charset_normalizer", "psutil", "aiohttp", "multidict", "yarl", "frozenlist",
    "propcache", "markupsafe", "regex", "kiwisolver", "contourpy", "matplotlib", "google",
}  # fmt: skip
"""Packages with machine code that opens files by Python's own functions, if it does. What other machine code reads nobody is told."""
_MACHINE = ("/proc", "/sys", "/dev")
_MACHINES_OWN = ("/dev/null", "/dev/shm", "/dev/tty", "/proc/self", "/proc/stat", "/proc/cpuinfo")
"""Open to all, and nothing that a training hangs on, or part of the question: see `torch2lit.verify.kept`."""


class Reads:
    """Writes each question once to the end of a file of the tool's own; a path in the copy as the path that it stands for."""

    def __init__(self, notes: str, mirror: str, stage: str) -> None:
        self._handle = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._mirror, self._stage = os.path.realpath(mirror), os.path.realpath(stage)
        self._lstat, self._readlink = os.lstat, os.readlink
        self._torchs = os.path.join(tempfile.gettempdir(), "torchinductor_")
        """How a folder begins that torch keeps for itself."""
        self._told: set[tuple[str, str]] = set()
        self._made: set[str] = set()
        self._hooked = threading.local()
        self._native = tuple(os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib"))
        self._begin()
        self._wrap()
        sys.addaudithook(self._hook)

    def _begin(self) -> None:
        """What this process has read already."""
        for module in list(sys.modules.values()):
            if isinstance(file := getattr(module, "__file__", None), str):
                self.asked(file)
                self._machine_code(file)
        for folder in {*sys.path, *sys.path_importer_cache}:
            if os.path.isdir(folder or "."):
                self._tell(LISTED, self._absolute(folder or "."))
                for name in os.listdir(folder or "."):
                    if name.endswith(".pth"):
                        self.asked(os.path.join(folder, name))
            else:
                self.asked(folder)
        for name in (sys.executable, os.path.join(sys.prefix, "pyvenv.cfg")):
            self.asked(name)
        for name in _mapped_files():
            self.asked(name)

    def _wrap(self) -> None:
        import torch

        for name in ("stat", "lstat", "access", "readlink", "open"):
            original = getattr(os, name)
            wrapped = self._wrapped(original)
            for known in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks, os.supports_effective_ids):
                if original in known:
                    known.add(wrapped)
            setattr(os, name, wrapped)
        # these open files in C++, which no audit event tells
        torch.jit.load = self._wrapped(torch.jit.load)
        vars(torch)["from_file"] = self._wrapped(torch.from_file)
        type.__setattr__(torch.UntypedStorage, "from_file", staticmethod(self._wrapped(torch.UntypedStorage.from_file)))

    def _wrapped(self, original: Callable[..., Any]) -> Callable[..., Any]:
        opens = os.open

        @functools.wraps(original)
        def asking(path: Any = None, *args: Any, **kwargs: Any) -> Any:
            if path is None:
                return original(*args, **kwargs)
            folder = kwargs.get("dir_fd")
            told_anyway = original is opens and folder is None
            if isinstance(path, (str, bytes, os.PathLike)) and not told_anyway and not self._is_busy():
                self.asked(path, folder)
            return original(path, *args, **kwargs)

        return asking

    def asked(self, path: Any, folder: int | None = None, kind: str = FOUND) -> None:
        """Take note that somebody looks at a path."""
        try:
            absolute = self._absolute(path, folder)
        except (OSError, ValueError, TypeError):
            return
        if self._is_own(absolute):
            return
        if absolute.startswith(_MACHINE) and absolute.split(os.sep)[1] in ("proc", "sys", "dev"):
            return
        self._tell(kind if self._there(absolute) else MISSING, absolute)

    def _absolute(self, path: Any, folder: int | None = None) -> str:
        if isinstance(path, int):
            return self._readlink(f"/proc/self/fd/{path}")
        name = os.fsdecode(path)
        if folder is not None and folder >= 0 and not os.path.isabs(name):
            name = os.path.join(self._readlink(f"/proc/self/fd/{folder}"), name)
        return os.path.abspath(name)

    def _there(self, absolute: str) -> bool:
        try:
            self._lstat(absolute)
        except (OSError, ValueError):
            return False
        return True

    def _is_folder(self, absolute: str) -> bool:
        try:
            return stat.S_ISDIR(self._lstat(absolute).st_mode)
        except (OSError, ValueError):
            return False

    def _is_own(self, absolute: str) -> bool:
        """Whether the script itself made what is there."""
        if absolute.startswith(self._torchs):
            return True
        while self._made and len(absolute) > 1:
            if absolute in self._made:
                return True
            absolute = os.path.dirname(absolute)
        return False

    def _tell(self, kind: str, absolute: str) -> None:
        if absolute == self._mirror or absolute.startswith(self._mirror + os.sep):
            absolute = absolute[len(self._mirror) :] or os.sep
        elif absolute == self._stage or absolute.startswith(self._stage + os.sep):
            return
        self._write(kind, absolute)

    def _write(self, kind: str, text: str) -> None:
        if (kind, text) not in self._told:
            self._told.add((kind, text))
            os.write(self._handle, (kind + text).encode("utf-8", "surrogateescape") + b"\0")

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _OF_INTEREST and not self._is_busy():
            self._hooked.busy = True
            try:
                self._take_note(event, arguments)
            except Exception:  # the script is to go on as if nobody looked
                self._write(UNSEEN, f"nobody could follow {event}")
            finally:
                self._hooked.busy = False

    def _is_busy(self) -> bool:
        return getattr(self._hooked, "busy", False)

    def _take_note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and not isinstance(arguments[1], tuple):
            return  # a socket of this machine, as loaders and their workers have them
        if event in _NO_WITNESS:
            self._write(UNSEEN, _NO_WITNESS[event])
        elif event == "import":
            if arguments[0] in _OTHER_PROCESSES:
                self._write(UNSEEN, "it starts processes that are not forked")
            if isinstance(arguments[1], str):
                self.asked(arguments[1])
                self._machine_code(arguments[1])
        elif event == "ctypes.dlopen":
            if isinstance(arguments[0], str) and os.sep in arguments[0]:
                self.asked(arguments[0])
                self._machine_code(arguments[0])
        elif event in ("os.listdir", "os.scandir"):
            absolute = self._absolute("." if arguments[0] is None else arguments[0])
            if not self._is_own(absolute):
                seen = LISTED if event == "os.listdir" else SCANNED
                self._tell(seen if self._is_folder(os.path.realpath(absolute)) else MISSING, absolute)
        elif event == "open":
            self._opened(arguments[0], arguments[2] or 0)
        elif arguments and isinstance(arguments[0], (str, bytes, os.PathLike)):
            self._changed(event, arguments)

    def _opened(self, path: Any, flags: int) -> None:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return
        absolute = self._absolute(path)
        if flags & _WRITING:
            self._written(absolute, KIND if flags & os.O_TRUNC else FOUND)
            return
        parts = absolute.split(os.sep)
        if len(parts) > 2 and os.sep + parts[1] in _MACHINE:
            if not absolute.startswith(_MACHINES_OWN) and not absolute.startswith(f"/proc/{os.getpid()}/"):
                self._write(UNSEEN, f"it reads {absolute}")
            return
        if absolute.endswith(".pyc") and self._there(source := _source_of(absolute)):
            absolute = source
        self.asked(absolute)

    def _written(self, absolute: str, kind: str) -> None:
        self.asked(absolute, kind=kind)
        self.asked(os.path.dirname(absolute), kind=KIND)
        if not self._is_folder(absolute):
            self._made.add(absolute)

    def _changed(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "torch2lit.write":
            self._written(self._absolute(arguments[0]), KIND)
        elif event == "os.mkdir":
            absolute = self._absolute(arguments[0], arguments[2])
            self.asked(absolute, kind=KIND)
            self.asked(os.path.dirname(absolute), kind=KIND)
            if not self._there(absolute):
                self._made.add(absolute)
        elif event in ("os.remove", "os.rmdir"):
            absolute = self._absolute(arguments[0], arguments[1])
            self.asked(absolute, kind=KIND)
            if not self._is_folder(absolute):
                self._made.add(absolute)
        elif event in ("os.rename", "os.link"):
            source, target = self._absolute(arguments[0], arguments[2]), self._absolute(arguments[1], arguments[3])
            if not self._is_own(source) or self._is_folder(target):
                self._write(UNSEEN, "it renames files that it did not make")
            self._written(target, KIND)
        elif event == "os.symlink":
            target = self._absolute(arguments[1], arguments[2])
            source = os.path.join(os.path.dirname(target), os.fsdecode(arguments[0]))
            if not self._is_own(os.path.abspath(source)):
                self._write(UNSEEN, "it links files that it did not make")
            self._written(target, KIND)
        else:
            self.asked(arguments[0])

    def _machine_code(self, file: str) -> None:
        """Take note of machine code of packages that may read files without a word."""
        if ".so" not in os.path.basename(file) and not file.endswith((".dylib", ".pyd")):
            return
        real = os.path.realpath(file)
        if not real.startswith(self._native) or "site-packages" in real or "dist-packages" in real:
            for entry in sorted(map(os.path.realpath, filter(None, sys.path)), key=len, reverse=True):
                if real.startswith(entry + os.sep):
                    name = real[len(entry) + 1 :].split(os.sep)[0].partition(".")[0]
                    break
            else:
                name = os.path.basename(real)
            if name not in _SEES_ALL:
                self._write(UNSEEN, f"{name} is machine code, which may read files without a word")


_OF_INTEREST = {
    *_NO_WITNESS, "import", "ctypes.dlopen", "open", "os.listdir", "os.scandir", "torch2lit.write", "os.mkdir", "os.remove", "os.rmdir", "os.rename",
    "os.link", "os.symlink", "os.truncate",
}  # fmt: skip


def _source_of(compiled: str) -> str:
    """The file that Python compiled into this one."""
    folder, name = os.path.split(compiled)
    prefix = sys.pycache_prefix
    if prefix is not None and folder.startswith(prefix):
        folder = folder[len(prefix) :]
    elif os.path.basename(folder) == "__pycache__":
        folder = os.path.dirname(folder)
    return os.path.join(folder, f"{name.partition('.')[0]}.py")


def _mapped_files() -> list[str]:
    """The files of machine code in this process."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
            names = {line.rstrip("\n").split(maxsplit=5)[5] for line in maps if len(line.split(maxsplit=5)) == 6}
    except OSError:
        return []
    return sorted(name for name in names if name.startswith("/") and not name.endswith(" (deleted)"))


def told_in(notes: bytes) -> list[tuple[str, str]]:
    """The questions in such a file: letter and path."""
    texts = (note.decode("utf-8", "surrogateescape") for note in notes.split(b"\0") if note)
    return [(text[0], text[1:]) for text in texts]
