"""Grammars of random programs: one option per dimension, drawn from a seed, and made plainer as long as a fault stays.

The first option of every dimension is the plain one.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

Choices = dict[str, str]
Lines = list[str]


@dataclass(frozen=True, slots=True)
class Grammar:
    """A family of programs. ``always`` are the dimensions of which each option is as likely as the others."""

    name: str
    dimensions: Mapping[str, tuple[str, ...]]
    write: Callable[[Choices], str]
    always: frozenset[str] = frozenset()
    plainness: tuple[float, ...] = (0.6, 0.75, 0.85, 0.9)

    def draw(self, seed: int) -> Choices:
        """The choices of a seed, by a generator per dimension; some programs are plainer than others."""
        chosen = {}
        plainness = random.Random(seed).choice(self.plainness)
        for name, options in self.dimensions.items():
            generator = random.Random(f"{seed} {name}")
            plain = generator.random() < plainness and name not in self.always
            chosen[name] = options[0] if plain else generator.choice(options)
        return chosen

    def plain(self) -> Choices:
        """The plain option of every dimension."""
        return {name: options[0] for name, options in self.dimensions.items()}

    def simplest(self, choices: Mapping[str, str], fails: Callable[[str], bool]) -> Choices:
        """The choices made as plain as possible while ``fails`` still holds for the program."""
        current = dict(choices)
        changed = True
        while changed:
            changed = False
            for name, options in self.dimensions.items():
                if current[name] == options[0]:
                    continue
                tried = {**current, name: options[0]}
                if self.write(tried) == self.write(current) or fails(self.write(tried)):
                    current, changed = tried, True
        return current

    def described(self, choices: Mapping[str, str]) -> str:
        """The choices that are not plain."""
        told = [f"{n}={o}" for n, o in choices.items() if o != self.dimensions[n][0]]
        return " ".join([f"{self.name}:", *(told or ["plain"])])


def dimensions(table: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The options of each dimension, written as words."""
    return {name: tuple(options.split()) for name, options in table.items()}


def indented(lines: Iterable[str]) -> Lines:
    """The lines one level deeper."""
    return [f"    {line}" if line else "" for line in lines]


def names_in(lines: Iterable[str]) -> set[str]:
    """Every name that the lines hold."""
    return {n.id for n in ast.walk(_parsed(lines)) if isinstance(n, ast.Name)}


def names_stored(lines: Iterable[str]) -> set[str]:
    """The names that the lines bind by assignment; those of comprehensions and lambdas live nowhere else."""
    tree = _parsed(lines)
    own = {id(n) for c in ast.walk(tree) if isinstance(c, ast.comprehension) for n in ast.walk(c.target)}
    stored = (n for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    return {n.id for n in stored if id(n) not in own}


def _parsed(lines: Iterable[str]) -> ast.AST:
    return ast.parse("async def f():\n" + "\n".join(indented(["while True:", *indented([*lines, "pass"])])))
