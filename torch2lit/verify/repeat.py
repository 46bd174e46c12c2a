"""Does the raw script repeat itself? A script that does not cannot be compared with anything from there on."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence

from .compare import Comparison, Difference

_DRAWS_ANEW = {
    "torch.seed": "`torch.seed()` seeds from the system",
    "os.urandom": "`os.urandom` draws from the system",
    "uuid.uuid4": "`uuid.uuid4` draws from the system",
    "secrets": "`secrets` draws from the system",
    "random.SystemRandom": "`SystemRandom` draws from the system",
}
_SEEDS = {
    "seed",
    "manual_seed",
    "manual_seed_all",
    "default_rng",
    "RandomState",
    "seed_everything",
    "set_seed",
    "Random",
}
_CLOCKS = {
    "time", "time_ns", "perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns", "process_time", "now", "utcnow",
    "getpid",
}  # fmt: skip
_WORKERS = "the loader has worker processes"
_UNSEEDED = {"seed", "default_rng", "RandomState", "Random"}


def not_later(repeat: Difference | None, conversion: Difference | None) -> bool:
    """Whether two runs of the raw script part no later than the raw and the converted one do."""
    return repeat is not None and conversion is not None and _when(repeat) <= _when(conversion)


def told(repeat: Comparison) -> str:
    """The sentence that says from where on the raw script does not repeat itself, and in what."""
    first = repeat.first
    assert first is not None
    kinds = [
        name
        for name, identical in (
            ("losses", repeat.losses_identical),
            ("learning rates", repeat.learning_rates_identical),
            ("parameters", repeat.parameters_identical),
            ("saved files", repeat.saves_identical),
        )
        if not identical
    ]
    if first.what == "steps":
        what = f"one run takes {first.raw} steps, the other {first.converted}"
    else:
        what = f"{_listed(kinds or [first.what])} differ"
    return f"the raw script does not repeat itself (from step {first.step} on: {what})"


def sources_of_chance(text: str) -> list[str]:
    """What in a script may make each run another one, with its line; [] when nothing is seen."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return []
    found = sorted(set(_sources(tree)))
    if not any(_last(node) in _SEEDS for node in ast.walk(tree) if isinstance(node, ast.Call)):
        found.append(
            (sys.maxsize, "it sets no seed (verify seeds python, numpy and torch, but no generator of its own)")
        )
    return [f"{what} (line {line})" if line < sys.maxsize else what for line, what in found]


def asks_the_clock(text: str) -> bool:
    """Whether a script may be another one at another time: it asks the clock or the system for more than numbers to print."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return True
    tests = (node for node in ast.walk(tree) if isinstance(node, ast.Compare | ast.IfExp | ast.BoolOp))
    return any(_reads_clock(test, frozenset()) for test in tests) or any(
        what != _WORKERS for _line, what in _sources(tree)
    )


def _sources(tree: ast.Module) -> Iterator[tuple[int, str]]:
    clocks = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _reads_clock(node.value, frozenset())
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _of_call(node, frozenset(clocks))
        elif isinstance(node, ast.For | ast.comprehension) and _is_set(node.iter):
            yield node.iter.lineno, "the order of a set may differ"
        elif isinstance(node, ast.While | ast.If) and _reads_clock(node.test, frozenset(clocks)):
            yield node.lineno, "a condition looks at the clock"


def _of_call(call: ast.Call, clocks: frozenset[str]) -> Iterator[tuple[int, str]]:
    name, last = _dotted(call.func), _last(call)
    given = [*call.args, *(k.value for k in call.keywords)]
    for word, what in _DRAWS_ANEW.items():
        if name == word or name.startswith(word + "."):
            yield call.lineno, what
            return
    if last in _SEEDS and any(_reads_clock(value, clocks) for value in given):
        yield call.lineno, f"`{last}` is given the time or the number of the process"
    elif last in _UNSEEDED and not given and name.partition(".")[0] in ("random", "np", "numpy", "default_rng"):
        yield call.lineno, f"`{name}()` without a number seeds from the system"
    elif last in ("list", "tuple", "enumerate") and call.args and _is_set(call.args[0]):
        yield call.lineno, "the order of a set may differ"
    for keyword in call.keywords:
        if keyword.arg == "num_workers" and not (isinstance(keyword.value, ast.Constant) and not keyword.value.value):
            yield call.lineno, _WORKERS


def _reads_clock(node: ast.AST, names: frozenset[str]) -> bool:
    return any(
        (isinstance(n, ast.Call) and _last(n) in _CLOCKS) or (isinstance(n, ast.Name) and n.id in names)
        for n in ast.walk(node)
    )


def _is_set(node: ast.expr) -> bool:
    return isinstance(node, ast.Set | ast.SetComp) or (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "set"
    )


def _last(call: ast.Call) -> str:
    return _dotted(call.func).rpartition(".")[2]


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _when(difference: Difference) -> tuple[bool, int]:
    return difference.what == "saved files", difference.step


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
