"""Cheap looks at the bytes of a file, before anything is decoded or parsed."""

from __future__ import annotations

import re

_SKIP_FILE = re.compile(rb"#[ \t]*torch2lit:[ \t]*skip-file\b")
_SKIP = re.compile(rb"#[ \t]*torch2lit:[ \t]*skip\b")
_TOP = 8 * 1024
_ACTS = re.compile(rb"^(?:for|while|with)[ (]|^[A-Za-z_][\w.]*\(", re.MULTILINE)
"""A line that does something when the file is run, besides to define or to name."""
_SKIP_FILE_LINE = re.compile(r"^[ \t\f]*#[ \t]*torch2lit:[ \t]*skip-file\b", re.MULTILINE)

NO_TRAINING_LOOP = "no training loop"
SKIP_FILE = "skip-file"


def mentions_torch(data: bytes) -> bool:
    """Whether a file has to do with torch at all: one look that ends the matter for almost every file."""
    return b"torch" in data


def may_train(data: bytes) -> bool:
    """Whether a file can hold a training loop at all: every step site has these words."""
    if hides_step(data):
        return True
    if b"backward" not in data or not mentions_torch(data):  # the rarest first
        return False
    return b"step" in data or b".grad" in data


def hides_step(data: bytes) -> bool:
    """Whether a file uses an object of a known package whose call runs backward and the optimizer's step."""
    return b"NativeScaler" in data


def may_lead_to_training(data: bytes) -> bool:
    """Whether a file without a step site can be a script that trains with the help of files that it imports.

    Such a script imports torch near its top, or asks whether it is the main program; most files that are looked at do neither. One
    that imports torch makes an optimizer, asks that, or calls something straight away.
    """
    if b"import" not in data:
        return False
    if data.find(b"torch", 0, _TOP) < 0:
        return b"__main__" in data
    return b"optim" in data or b"__main__" in data or _ACTS.search(data) is not None


def mentions_skip(data: bytes) -> bool:
    """Whether the words of a skip comment of any kind stand anywhere."""
    return b"torch2lit" in data and _SKIP.search(data) is not None


def mentions_skip_file(data: bytes) -> bool:
    """Whether the words of the skip-file comment stand anywhere; `asks_to_skip` then decides."""
    return b"torch2lit" in data and _SKIP_FILE.search(data) is not None


def asks_to_skip(text: str) -> bool:
    """Whether a comment line of its own reads ``# torch2lit: skip-file``."""
    return _SKIP_FILE_LINE.search(text.replace("\r", "\n")) is not None
