"""Unbound names are those of Python's own symbol tables, found in linear time."""

from __future__ import annotations

import symtable
import time

import pytest
from fixture_cases import case, names

from torch2lit import checks
from torch2lit.files.magics import parses

PARSED = [name for name in names() if parses(case(name).raw)]


@pytest.mark.parametrize("name", PARSED[::20])
def test_symbols_are_those_of_python(name: str) -> None:
    left = [symtable.symtable(case(name).raw, name, "exec")]
    while left:
        table = left.pop()
        left += table.get_children()
        told = {
            s.get_name(): (s.is_referenced(), s.is_global(), s.is_assigned(), s.is_declared_global())
            for s in table.get_symbols()
        }
        for symbol in checks._symbols(table):
            referenced, is_global, assigned, declared = told[symbol.get_name()]
            assert (symbol.is_referenced(), symbol.is_assigned(), symbol.is_declared_global()) == (
                referenced,
                assigned,
                declared,
            )
            assert symbol.is_global() == is_global or table.get_type() == "module"


@pytest.mark.parametrize(
    ("text", "unbound"),
    [
        ("def f():\n    return a\n", {"a"}),
        ("def f():\n    global a\n    a = 1\nprint(a)\n", set()),
        ("class C:\n    b = 1\n    def f(self):\n        return b\n", {"b"}),
        ("def f():\n    c = 1\n    return lambda: c\n", set()),
        ("print([d for d in e])\n", {"e"}),
        ("import f.g\nprint(f, g)\n", {"g"}),
    ],
)
def test_names_that_nothing_binds(text: str, unbound: set[str]) -> None:
    assert checks.unbound_names(text) == unbound


def test_many_functions_take_linear_time() -> None:
    def seconds(count: int) -> float:
        text = "".join(f"def f{n}(x):\n    return x + y{n}\n" for n in range(count))
        start = time.process_time()
        assert len(checks.unbound_names(text)) == count
        return time.process_time() - start

    assert seconds(16_000) < 24 * seconds(2_000) + 0.1
