"""A conversion for several processes is compared with itself: one training, data that is shared out, the evaluation of one process."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from fixture_cases import case

from torch2lit.options import Options
from torch2lit.verify import VerifyError, several
from torch2lit.verify.agreement import other_numbers, parting, sharing
from torch2lit.verify.conversion import Converted, Unconverted, convert
from torch2lit.verify.events import Backward, Evaluation, Samples, SchedulerStep, Step, Trace
from torch2lit.verify.ranks import rank_environments
from torch2lit.verify.several import makes_its_processes, number_of_processes, verify_several
from torch2lit.verify.several_result import SeveralResult

pytestmark = pytest.mark.usefixtures("warm")
needs_torch = pytest.mark.skipif(find_spec("torch") is None or find_spec("lightning") is None, reason="needs torch")
TWO = Options(accelerator="cpu", devices="2", strategy="ddp")


def trace(*parameters: str, rate: float = 0.1, losses: tuple[float, ...] = ()) -> Trace:
    steps = [Step("SGD#0", (rate,), digest, 0) for digest in parameters]
    return Trace(steps=steps, backwards=[Backward(loss, 0, "", 0) for loss in losses])


def samples(train: tuple[str, ...], evaluated: tuple[str, ...] = (), shared: bool = True) -> Trace:
    return Trace(samples=[Samples(False, shared, train), Samples(True, False, evaluated)])


def test_processes_that_agree_do_not_part() -> None:
    assert parting([trace("a", "b"), trace("a", "b"), trace("a", "b")]) is None


def test_the_rank_and_the_step_that_part_are_named() -> None:
    found = parting([trace("a", "b", "c"), trace("a", "b", "x"), trace("a", "y", "c")])
    assert found is not None
    assert (found.rank, found.step, found.what) == (2, 2, "parameters")


def test_learning_rates_part_before_parameters() -> None:
    found = parting([trace("a"), trace("b", rate=0.2)])
    assert found is not None
    assert (found.what, found.first, found.other) == ("learning rate", "0.1", "0.2")


def test_a_process_that_stops_earlier_parts() -> None:
    found = parting([trace("a", "b"), trace("a")])
    assert found is not None
    assert (found.what, found.step, found.first, found.other) == ("steps", 2, "2", "1")


def test_a_number_given_to_a_schedule_parts_before_the_step_that_follows() -> None:
    one, other = trace("a", "b"), trace("a", "c")
    one.schedulers.append(SchedulerStep("ReduceLROnPlateau", 1, 0.5))
    other.schedulers.append(SchedulerStep("ReduceLROnPlateau", 1, 0.25))
    found = parting([one, other])
    assert found is not None
    assert (found.what, found.step, found.where) == ("schedule", 2, "ReduceLROnPlateau")


def test_data_is_shared_out_when_shares_are_equal_but_for_padding() -> None:
    found = sharing([samples(("a", "b")), samples(("c", "a"))], samples(("a", "b", "c")))
    assert (found.seen, found.twice, found.right) == (3, 1, True)


def test_samples_that_two_processes_take_are_not_shared_out() -> None:
    found = sharing([samples(("a", "b", "c")), samples(("b", "c", "d"))], samples(("a", "b", "c", "d")))
    assert (found.twice, found.right) == (2, False)


def test_samples_that_the_data_holds_twice_are_nobodys_fault() -> None:
    found = sharing([samples(("a", "b")), samples(("b", "a"))], samples(("a", "b", "a", "b")))
    assert (found.twice, found.right) == (0, True)


def test_training_on_what_the_first_process_evaluates_on_is_told() -> None:
    found = sharing([samples(("a",), ("c",)), samples(("c",), ("b",))], samples(("a", "b"), ("c",)))
    assert (found.leaked, found.right) == (1, False)


def test_what_one_process_trains_and_evaluates_on_is_no_leak() -> None:
    found = sharing([samples(("a",), ("a", "b")), samples(("b",), ("a", "b"))], samples(("a", "b"), ("a", "b")))
    assert (found.leaked, found.right) == (0, True)


def test_processes_that_compute_the_same_do_no_more_than_one() -> None:
    same, other = trace("a", "b", losses=(1.0, 2.0)), trace("a", "b", losses=(1.0, 3.0))
    assert sharing([same, same], None).alike == (1,)
    assert sharing([same, other], None).right


def test_the_first_evaluation_with_another_number_is_told() -> None:
    ours = [Evaluation(4, {"loss": 1.0, "seen": 3.0}), Evaluation(8, {"loss": 2.0}), Evaluation(12, {"loss": 9.0})]
    one = [Evaluation(4, {"loss": 1.0}), Evaluation(8, {"loss": 2.5}), Evaluation(12, {"loss": 3.0})]
    (found,) = other_numbers(ours, one)
    assert (found.evaluation, found.step, found.several, found.one) == (2, 8, 2.0, 2.5)
    assert other_numbers(ours[:1], one) == []


@pytest.mark.parametrize(
    ("values", "number"),
    [({"devices": "2"}, 2), ({"devices": "0,1,3"}, 3), ({"devices": "2", "num_nodes": 2}, 4), ({"strategy": "ddp"}, 1)],
)
def test_how_many_processes_options_ask_for(values: dict[str, str], number: int) -> None:
    assert number_of_processes(Options(**values)) == number  # type: ignore[arg-type]


def test_all_devices_are_no_number() -> None:
    with pytest.raises(VerifyError):
        number_of_processes(Options(devices="auto"))


def test_processes_of_two_machines_know_their_own() -> None:
    environments = rank_environments(4, nodes=2)
    assert [e["LOCAL_RANK"] for e in environments] == ["0", "1", "0", "1"]
    assert [e["GROUP_RANK"] for e in environments] == ["0", "0", "1", "1"]
    assert {e["LOCAL_WORLD_SIZE"] for e in environments} == {"2"}


def test_a_script_that_makes_its_processes_has_a_twin(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("dist.init_process_group('gloo')\n")
    assert makes_its_processes(script)
    script.write_text("x = 1\n")
    assert not makes_its_processes(script)


def verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, old: str = "", new: str = "") -> SeveralResult:
    """The result for a case; with ``old`` for a conversion in two processes that has a mistake."""
    script = tmp_path / "train.py"
    script.write_text(case(name).raw)

    def mistaken(path: Path, options: Options) -> Converted | Unconverted:
        made = convert(path, options)
        if options.devices is None or not old:
            return made
        assert isinstance(made, Converted)
        text = made.content.decode()
        assert text.count(old) == 1
        return Converted(text.replace(old, new).encode(), made.findings)

    monkeypatch.setattr(several, "convert", mistaken)
    return verify_several(script, (), options=TWO, python=sys.executable, timeout=240)


@pytest.mark.slow
@needs_torch
def test_a_conversion_is_one_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = verified(tmp_path, monkeypatch, "several-devices")
    assert result.status == "agree", result.render()
    assert result.sharing.seen == 50 and result.sharing.twice == 0
    assert result.evaluations == 4 and {"val_loss", "correct", "logged val_loss"} <= set(result.numbers)
    assert "one training in all processes" in result.render()
    assert result.to_dict()["steps_by_rank"] == [20, 20]


@pytest.mark.slow
@needs_torch
@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        (
            "several-devices",
            ", sampler=torch.utils.data.DistributedSampler(val_set, num_replicas=1, rank=0, shuffle=False)",
            "",
            "is not that of one process with the same weights",
        ),
        ("several-devices", "self.print(", "print(", "in `fit` rank 1 prints, too"),
        ("several-devices-and-a-plateau", "self.trainer.strategy.broadcast(", "(", "the number given to a schedule"),
    ],
    ids=["shared evaluation", "prints of all", "own decision"],
)
def test_a_mistake_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, old: str, new: str, told: str
) -> None:
    result = verified(tmp_path, monkeypatch, name, old, new)
    assert (result.status, result.exit_code) == ("differs", 1), result.render()
    assert told in result.render()


UNSEEDED = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

x = torch.arange(40.0).reshape(40, 1) / 40
train_set, val_set = random_split(TensorDataset(x, x * x), [32, 8])
train_loader = DataLoader(train_set, batch_size=4, shuffle=True)
val_loader = DataLoader(val_set, batch_size=4)
model = nn.Linear(1, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for epoch in range(2):
    for a, b in train_loader:
        optimizer.zero_grad()
        loss = ((model(a) - b) ** 2).mean()
        loss.backward()
        optimizer.step()
    model.eval()
    total = 0.0
    with torch.no_grad():
        for a, b in val_loader:
            total += ((model(a) - b) ** 2).sum().item()
    model.train()
    print(total)
"""


@pytest.mark.slow
@needs_torch
def test_a_split_that_nothing_seeds_is_seen(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(UNSEEDED)
    result = verify_several(script, (), options=TWO, python=sys.executable, timeout=240)
    assert result.status == "differs", result.render()
    assert result.parting is None and result.sharing.twice > 1 and result.sharing.leaked
    assert result.causes[0].name == "T2L231 differs-per-process"
    script.write_text(UNSEEDED.replace("import torch\n", "import torch\ntorch.manual_seed(1)\n", 1))
    result = verify_several(script, (), options=TWO, python=sys.executable, timeout=240)
    assert result.status == "agree", result.render()
