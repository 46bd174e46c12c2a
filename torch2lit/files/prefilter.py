"""Cheap looks at the bytes of a file, before anything is decoded or parsed."""

from __future__ import annotations

import re

_SKIP_FILE = re.compile(rb"#[ \t]*torch2lit:[ \t]*skip-file\b")
_TOP = 8 * 1024
_SKIP_FILE_LINE = re.compile(r"^[ \t\f]*#[ \t]*torch2lit:[ \t]*skip-file\b", re.MULTILINE)

NO_TRAINING_LOOP = "no training loop"
SKIP_FILE = "skip-file"


def may_train(data: bytes) -> bool:
    """Whether a file can hold a training loop at all: every step site has these words."""
    return b"backward" in data and b"torch" in data and b"step" in data  # the rarest first


def may_lead_to_training(data: bytes) -> bool:
    """Whether a file without a step site can be a script that trains with the help of files that it imports.

    Such a script imports torch near its top; most files that are looked at do not, and are not read to their end for it.
    """
    return data.find(b"torch", 0, _TOP) >= 0 and b"import" in data and (b"optim" in data or b"__main__" in data)


def mentions_skip_file(data: bytes) -> bool:
    """Whether the words of the skip-file comment stand anywhere; `asks_to_skip` then decides."""
    return _SKIP_FILE.search(data) is not None


def asks_to_skip(text: str) -> bool:
    """Whether a comment line of its own reads ``# torch2lit: skip-file``."""
    return _SKIP_FILE_LINE.search(text.replace("\r", "\n")) is not None
