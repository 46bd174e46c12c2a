"""Other settings for some paths of a project, as ``[[tool.torch2lit.overrides]]`` gives them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .files.ignoring import Rule, parse_rules, verdict


@dataclass(frozen=True, slots=True)
class Override:
    """Settings for the files that patterns mean; the patterns are those of a .gitignore, relative to the folder."""

    folder: Path
    rules: tuple[Rule, ...]
    settings: Mapping[str, object]

    @classmethod
    def of(cls, folder: Path, patterns: tuple[str, ...], settings: Mapping[str, object]) -> Override:
        """An override by the texts of its patterns. Raises ValueError for one that is none."""
        rules: list[Rule] = []
        for pattern in patterns:
            parsed = parse_rules(pattern)
            if len(parsed) != 1:
                raise ValueError(f"{pattern!r} is no pattern for paths")
            rules += parsed
        return cls(Path(os.path.realpath(folder)), tuple(rules), settings)

    def holds_for(self, path: Path) -> bool:
        """Whether the override is about a file: it, or a folder that it is in, is meant."""
        real = Path(os.path.realpath(path))
        if not real.is_relative_to(self.folder):
            return False
        parts = real.relative_to(self.folder).parts
        for end in range(1, len(parts)):
            if verdict(self.rules, parts[:end], is_folder=True):
                return True
        return bool(verdict(self.rules, parts, is_folder=False))
