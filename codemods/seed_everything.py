"""Three equal seeds in a row are Lightning's one.

    random.seed(args.seed)            →   L.seed_everything(args.seed)
    np.random.seed(args.seed)
    torch.manual_seed(args.seed)

It seeds the same three generators with the same number. Without ``workers=True`` it leaves the loaders' workers as they are. One or two generators alone stay: the others
would be seeded as well.
Source: https://lightning.ai/docs/pytorch/stable/common/trainer.html#reproducibility
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..feature import AROUND, Part, Proposal, Training

_GENERATORS = {"random.seed", "numpy.random.seed", "torch.manual_seed"}
_CONTAINED = {"torch.random.manual_seed", "torch.cuda.manual_seed", "torch.cuda.manual_seed_all"}
"""What seeding torch does already."""


@dataclass(frozen=True, slots=True)
class SeedEverything:
    """Proposes the one call for each row of seeds that holds all three generators and one number."""

    name: str = "seed_everything"
    after: Sequence[str] = ()

    def proposals(self, training: Training) -> Iterable[Proposal]:
        """One proposal for each such row around the training."""
        if training.spread:
            return
        for row in _rows(training):
            if {training.full_name(_call(p).func) for p in row} >= _GENERATORS:
                first, *others = (p.statement for p in row)
                text = f"{{lightning}}.seed_everything({training.text(_call(row[0]).args[0])})\n"
                reason = "it seeds the same three generators with the same number"
                yield Proposal("seed_everything", reason, removed=tuple(others), replaced={first: text})


def _rows(training: Training) -> Iterator[list[Part]]:
    """The rows of seeds of one number that stand one under the other in one block."""
    row: list[Part] = []
    for part in training.parts:
        number = _number(training, part)
        if row and not (number and number == _number(training, row[0]) and _is_next(row[-1], part)):
            yield row
            row = []
        if number:
            row.append(part)
    if row:
        yield row


def _number(training: Training, part: Part) -> str:
    """The number that a statement seeds a generator with, where reading it again gives it again; "" for any other statement."""
    match part.statement:
        case ast.Expr(
            value=ast.Call(func=function, args=[ast.Constant() | ast.Name() | ast.Attribute() as seed], keywords=[])
        ):
            if part.place in AROUND and training.full_name(function) in _GENERATORS | _CONTAINED and _is_plain(seed):
                return ast.dump(seed)
    return ""


def _is_plain(seed: ast.expr) -> bool:
    """A whole number, a name, or an attribute of one."""
    match seed:
        case ast.Constant(value=value):
            return type(value) is int and 0 <= value < 2**32
        case ast.Attribute(value=ast.Name()):
            return True
    return isinstance(seed, ast.Name)


def _is_next(one: Part, other: Part) -> bool:
    """Whether two statements stand in one block, as far as they follow each other in the text."""
    a, b = one.statement, other.statement
    if one.place != other.place or one.within != other.within or a.col_offset != b.col_offset:
        return False
    blocks = [getattr(one.within[-1], name, []) for name in ("body", "orelse", "finalbody")] if one.within else []
    return not blocks or any(a in block and b in block for block in blocks)


def _call(part: Part) -> ast.Call:
    assert isinstance(part.statement, ast.Expr) and isinstance(part.statement.value, ast.Call)
    return part.statement.value


FEATURE = SeedEverything()
