"""What can be wrong with a user's file."""

from __future__ import annotations


class SourceError(Exception):
    """A file that cannot be read as a program. Lines and columns count from 1; line 0 is the whole file."""

    def __init__(self, reason: str, line: int = 0, column: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.column = column

    def __str__(self) -> str:
        return f"{self.line}:{max(self.column, 1)}: {self.reason}" if self.line else self.reason


class WriteError(Exception):
    """A file that could not be written; what was there before is untouched."""


class NotAFile(OSError):
    """What stands under a name is no regular file, or one too large to be read. ``strerror`` says what it is."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.strerror = reason
