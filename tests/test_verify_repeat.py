"""A raw script that does not repeat itself cannot be compared, and what it prints is told apart from bars."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from torch2lit.options import Options
from torch2lit.verify import VerifyResult, verify
from torch2lit.verify.compare import Difference
from torch2lit.verify.repeat import not_later, sources_of_chance

needs_torch = pytest.mark.skipif(
    find_spec("torch") is None or find_spec("lightning") is None or find_spec("tqdm") is None, reason="needs torch"
)

pytestmark = pytest.mark.usefixtures("warm")
LOOP = """
import os
import time
import torch
torch.manual_seed(SEED)
w = torch.nn.Parameter(torch.ones(2))
optimizer = torch.optim.SGD([w], lr=0.1)
for i in range(6):
    optimizer.zero_grad()
    loss = (w * w).sum() * (1 + (i >= 2) * torch.rand(()))
    loss.backward()
    optimizer.step()
"""
BAR = """
import sys
from tqdm import tqdm
bar = tqdm(total=6, file=sys.stdout)
"""


def prove(folder: Path, raw: str, converted: str) -> VerifyResult:
    (folder / "raw.py").write_text(raw, encoding="utf-8")
    (folder / "lit.py").write_text(converted, encoding="utf-8")
    return verify(folder / "raw.py", folder / "lit.py", [], options=Options())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import torch, time\ntorch.manual_seed(int(time.time()))\n", "`manual_seed` is given the time"),
        ("now = time.time()\nseed(now)\n", "`seed` is given the time"),
        ("torch.manual_seed(0)\nrng = np.random.default_rng()\n", "without a number seeds from the system (line 2)"),
        ("torch.seed()\n", "`torch.seed()` seeds from the system (line 1)"),
        ("seed(0)\nfor word in set(words):\n    print(word)\n", "the order of a set may differ (line 2)"),
        ("seed(0)\nloader = DataLoader(data, num_workers=2)\n", "worker processes (line 2)"),
        ("seed(0)\nwhile time.time() < end:\n    step()\n", "a condition looks at the clock (line 2)"),
        ("import torch\n", "it sets no seed"),
    ],
)
def test_sources_of_chance_are_named_with_their_line(text: str, told: str) -> None:
    assert any(told in one for one in sources_of_chance(text)), sources_of_chance(text)


@pytest.mark.parametrize(
    "text",
    [
        "torch.manual_seed(0)\nDataLoader(data, num_workers=0)\nfor word in sorted(set(words)):\n    print(word)\n",
        "seed(args.seed)\nrng = np.random.default_rng(3)\nstart = time.time()\nprint(time.time() - start)\n",
        "def broken(:\n",
    ],
)
def test_what_repeats_is_no_source_of_chance(text: str) -> None:
    assert sources_of_chance(text) == []


def test_the_earlier_difference_decides() -> None:
    def at(step: int, what: str = "loss") -> Difference:
        return Difference(what, step, "0", "1")  # type: ignore[arg-type]

    assert not_later(at(2), at(2))
    assert not_later(at(1), at(2))
    assert not not_later(at(3), at(2))
    assert not not_later(None, at(2))
    assert not_later(at(9), at(1, "saved files"))
    assert not not_later(at(1, "saved files"), at(9))


@pytest.mark.slow
@needs_torch
def test_a_raw_script_that_does_not_repeat_itself_leaves_it_undecided(tmp_path: Path) -> None:
    raw = LOOP.replace("SEED", "time.time_ns() % 2**31")
    result = prove(tmp_path, raw, raw)
    assert (result.status, result.exit_code, result.passed) == ("undecided", 3, False)
    told = result.render()
    assert "The raw script does not repeat itself (from step 3 on: losses and parameters differ)" in told
    assert "this comparison cannot blame the conversion" in told
    assert "`manual_seed` is given the time or the number of the process (line 5)" in told
    assert told.endswith("  UNDECIDED  the raw script is not the same twice\n")
    assert "likely cause" not in told
    data = result.to_dict()
    assert data["status"] == "undecided"
    assert data["repeat"]["first_difference"]["step"] == 3


@pytest.mark.slow
@needs_torch
def test_what_parts_before_the_raw_script_does_is_the_conversion_s(tmp_path: Path) -> None:
    raw = LOOP.replace("SEED", "time.time_ns() % 2**31")
    result = prove(tmp_path, raw, raw.replace("lr=0.1", "lr=0.2"))
    assert (result.status, result.exit_code) == ("differs", 1)
    assert "the converted one parts from it before that" in result.render()


@pytest.mark.slow
@needs_torch
def test_a_raw_script_that_repeats_itself_blames_the_conversion(tmp_path: Path) -> None:
    raw = LOOP.replace("SEED", "0")
    result = prove(tmp_path, raw, LOOP.replace("SEED", "1"))
    assert (result.status, result.exit_code) == ("differs", 1)
    assert result.repeat is not None
    assert result.repeat.identical


@pytest.mark.slow
@needs_torch
def test_a_bar_on_stdout_takes_no_printed_number_away(tmp_path: Path) -> None:
    raw = LOOP.replace("SEED", "0") + '    print(f"loss {loss.item():.4f}")\n'
    with_bar = BAR + raw.replace("    print(", "    bar.update()\n    print(")
    result = prove(tmp_path, raw, with_bar)
    assert result.status == "identical"
    assert not result.notes
    other = prove(tmp_path, raw, with_bar.replace("loss {loss.item()", "loss {2 * loss.item()"))
    assert other.notes == ("other decimal numbers were printed (this does not decide)",)
