"""Random raw training programs: tiny, deterministic, put together from grammars of what real scripts do.

A program is a family and a choice of one option per dimension. `draw` makes the choices from a seed, `assemble`
writes the program for any choices, so that a failing program can be made smaller by plainer ones.

    python tests/generated_programs.py 17    writes the program of seed 17
"""

from __future__ import annotations

import os
import sys

from program_grammar import Choices, Grammar
from programs_of_changes import CHANGES
from programs_of_epochs import EPOCHS
from programs_of_methods import METHODS
from programs_of_orders import ORDERS
from programs_of_phases import PHASES
from programs_of_shapes import SHAPES

ALL = {grammar.name: grammar for grammar in (SHAPES, EPOCHS, METHODS, CHANGES, ORDERS, PHASES)}
CHOSEN = os.environ.get("TORCH2LIT_FAMILY", "")
"""The one family to draw from; "changes", "orders" and "phases" are drawn from only when they are asked for."""
FAMILIES = (ALL[CHOSEN],) if CHOSEN else (SHAPES, SHAPES, EPOCHS, METHODS)


def family(seed: int) -> Grammar:
    """The grammar that writes the program of a seed."""
    return FAMILIES[seed % len(FAMILIES)]


def draw(seed: int) -> Choices:
    """The choices of a seed."""
    return family(seed).draw(seed)


def generate(seed: int) -> str:
    """The program of a seed."""
    return family(seed).write(draw(seed))


if __name__ == "__main__":
    sys.stdout.write(generate(int(sys.argv[1])))
