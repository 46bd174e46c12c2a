"""The module's class stands above the code that makes it, but where a function became it and stands there already."""

from __future__ import annotations

import ast

import pytest

from torch2lit.recover.syntax import source_of
from torch2lit.rewrite.class_place import place_of_class

MODULE = "class LitNet(L.LightningModule):\n    pass\n"
MAIN = "def main():\n    train()\n\n\n"
TRAIN = "def train():\n    pass\n\n\n"


def place(text: str, code: str = MODULE) -> str:
    source = source_of(text)
    functions = {f.name: f for f in source.functions if isinstance(f, ast.FunctionDef)}
    found = place_of_class(source, [functions["train"]], functions["main"], code)
    return "above its use" if found is None else f"for {found.name}"


def test_a_function_below_the_use_gives_its_place_to_nothing() -> None:
    assert place(MAIN + TRAIN) == "above its use"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (TRAIN + MAIN, MODULE),
        (MAIN + "# One epoch.\n" + TRAIN, MODULE),
        (MAIN + "# One epoch.\n@torch.enable_grad()\n" + TRAIN, MODULE),
        (MAIN + "class Base:\n    pass\n\n\n" + TRAIN, "class LitNet(Base):\n    pass\n"),
        (MAIN + "def known(f):\n    return f\n\n\n" + TRAIN, "class LitNet:\n    @known\n    def step(self): pass\n"),
        (MAIN + "SIZE = 3\n\n\n" + TRAIN, "class LitNet:\n    def step(self, size=SIZE): pass\n"),
        (MAIN + "SIZE = 3\n\n\n" + TRAIN, "class LitNet:\n    size = SIZE\n"),
        (MAIN + "Size = int\n\n\n" + TRAIN, "class LitNet:\n    def step(self) -> Size: pass\n"),
    ],
)
def test_the_class_takes_the_place_of_the_function(text: str, code: str) -> None:
    assert place(text, code) == "for train"


def test_what_the_class_asks_for_only_when_it_runs_may_stand_below() -> None:
    assert place(MAIN + "SIZE = 3\n\n\n" + TRAIN, "class LitNet:\n    def step(self): return SIZE\n") == "above its use"
