"""What keeps a wrapper for several processes in the script: every reason, and what to change for each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Why the wrapper stays, as a clause for a finding, and what a user can change; ``remedy`` is "" where nothing can be."""

    line: int
    reason: str
    remedy: str

    @property
    def text(self) -> str:
        """Both in one line."""
        return f"{self.reason}; {self.remedy}" if self.remedy else self.reason


class Unfoldable(Exception):
    """The wrapper has to stay; carries every reason that was found."""

    def __init__(self, *hindrances: Hindrance) -> None:
        super().__init__("; ".join(one.reason for one in hindrances))
        self.hindrances = hindrances


def unfoldable(line: int, reason: str, remedy: str = "") -> Unfoldable:
    """The exception for one reason."""
    return Unfoldable(Hindrance(line, reason, remedy))


def in_one_clause(hindrances: Iterable[Hindrance]) -> str:
    """All of them in one clause."""
    return "; ".join(one.text for one in hindrances)


class Hindrances:
    """Reasons that are looked for one after the other, none hidden by another: ``with hindrances:`` goes on after one."""

    def __init__(self) -> None:
        self.found: dict[Hindrance, None] = {}

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> bool:
        if not isinstance(error, Unfoldable):
            return False
        self.add(*error.hindrances)
        return True

    def add(self, *hindrances: Hindrance) -> None:
        """More reasons; of several that say the same the first is told."""
        for one in hindrances:
            if all(one.reason != known.reason for known in self.found):
                self.found[one] = None

    def settle(self) -> None:
        """Raises Unfoldable with all that was found, in the order of the file, unless that is nothing."""
        if self.found:
            raise Unfoldable(*sorted(self.found, key=lambda one: one.line))
