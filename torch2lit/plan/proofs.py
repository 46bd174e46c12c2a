"""Answers that are kept, found by walks which may come back to what they ask: a running sum is made of itself."""

from __future__ import annotations

from collections.abc import Callable, Hashable


class Proofs:
    """What has been asked once. While something is being proven it counts as true; what stood on it is forgotten when it fails."""

    def __init__(self) -> None:
        self._known: dict[Hashable, bool] = {}
        self._proven: list[Hashable] = []
        """What counts as true, in the order in which it was asked: behind each stands all that may rest on it."""

    def holds(self, key: Hashable, proof: Callable[[], bool]) -> bool:
        """Whether a proof holds, as far as what it comes back to holds as well."""
        if key not in self._known:
            mark = len(self._proven)
            self._known[key] = True
            self._proven.append(key)
            if not proof():
                for other in self._proven[mark:]:
                    del self._known[other]
                del self._proven[mark:]
                self._known[key] = False
        return self._known[key]
