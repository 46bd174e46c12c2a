"""FSDP as it is written for a model of repeated blocks, run by gloo: Lightning wants GPUs for it, so the test takes a CPU for one."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import warm_starts
from fixture_cases import case

from torch2lit.verify.compare import compare
from torch2lit.verify.ranks import rank_environments
from torch2lit.verify.run import Request, run_script
from torch2lit.verify.workspace import build

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("torch") is None or find_spec("lightning") is None, reason="needs torch"),
]
PRETEND = """
import torch
import torch.distributed.fsdp as fsdp
import lightning.pytorch.strategies.fsdp as lightnings
import lightning.pytorch.trainer.connectors.accelerator_connector as connector
from lightning.pytorch.accelerators import CPUAccelerator

connector._AcceleratorConnector._check_strategy_and_fallback = lambda self: None
lightnings.CUDAAccelerator = CPUAccelerator
made = fsdp.FullyShardedDataParallel.__init__


def init(self, *args, **kwargs):
    made(self, *args, **{**kwargs, "device_id": torch.device("cpu")})


fsdp.FullyShardedDataParallel.__init__ = init
clips = fsdp.FullyShardedDataParallel.clip_grad_norm_


def clip(self, bound):
    norm = clips(self, bound)
    print(f"norm {norm.item():.4f} of {len(fsdp.FullyShardedDataParallel.fsdp_modules(self))} units")
    return norm


fsdp.FullyShardedDataParallel.clip_grad_norm_ = clip
"""


def printed(folder: Path, text: str) -> list[str]:
    """What each of two processes prints."""
    (folder / "train.py").write_text(text)
    ends = warm_starts.side_by_side(folder / "train.py", variables=rank_environments(2))
    assert all(one.returncode <= 0 for one in ends), ends[0].stderr[-3000:]
    return [one.stdout for one in ends]


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("name", ["sharded-blocks", "sharded-blocks-computed-again"])
def test_blocks_are_units_and_the_norm_is_that_of_all_processes(name: str, tmp_path: Path) -> None:
    text = case(name).converted_file.read_text().replace('"cuda"', '"cpu"')
    whole, save, _ = text.rpartition("torch.save(")
    assert save
    outputs = printed(tmp_path, PRETEND + whole)
    norms = [re.findall(r"^norm (\S+) of (\d+) units$", out, re.M) for out in outputs]
    assert norms[0] and norms[0] == norms[1]
    assert {units for _, units in norms[0]} == {"4"}  # three blocks, and the rest
    (strategy,) = re.findall(r"(?s)L\.pytorch\.strategies\.FSDPStrategy\(.*?\}.*?\)(?=,\n    \w)", whole)
    assert "auto_wrap_policy={Block}" in strategy and "self.trainer.model.clip_grad_norm_(gradient_clip_val)" in whole
    by_ddp = whole.replace(strategy, '"ddp"').replace(
        "self.trainer.model.clip_grad_norm_(gradient_clip_val)",
        "torch.nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)",
    )
    losses = [float(n) for n in re.findall(r"^\d\.\d+$", outputs[0], re.M)]
    assert losses == pytest.approx([float(n) for n in printed(tmp_path, by_ddp)[0].split()], rel=1e-4)


TWIN = {
    "loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=4)": (
        "import torch.distributed as dist\n"
        "from torch.distributed.device_mesh import init_device_mesh\n"
        "from torch.distributed.fsdp import fully_shard\n"
        'dist.init_process_group("gloo")\n'
        'mesh = init_device_mesh("cpu", (2,))\n'
        "data = TensorDataset(x, x.sum(1, keepdim=True))\n"
        "sampler = torch.utils.data.DistributedSampler(data)\n"
        "loader = DataLoader(data, batch_size=4, sampler=sampler)"
    ),
    "model = Net()\n": "model = Net()\nfor block in model.blocks:\n    fully_shard(block, mesh=mesh)\nfully_shard(model, mesh=mesh)\n",
    "for epoch in range(2):\n": "for epoch in range(2):\n    sampler.set_epoch(epoch)\n",
    'torch.save(model.state_dict(), "net.pt")\n': "",
}
"""The raw script by hand, with FSDP2."""


AGAIN = {
    "model = Net()\n": (
        "from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper\n"
        "model = Net()\nmodel.blocks = nn.ModuleList([checkpoint_wrapper(block) for block in model.blocks])\n"
        "for block in model.blocks:\n    fully_shard(block, mesh=mesh)\nfully_shard(model, mesh=mesh)\n"
    )
}
"""The same with activations that are computed again."""


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize(
    ("name", "twin"),
    [("fully-sharded-blocks", TWIN), ("fully-sharded-blocks-computed-again", {**TWIN, **AGAIN})],
    ids=["kept", "computed-again"],
)
def test_fsdp2_is_bit_for_bit_what_is_written_by_hand(name: str, twin: dict[str, str], tmp_path: Path) -> None:
    raw = case(name).raw
    for old, new in twin.items():
        assert raw.count(old) == 1
        raw = raw.replace(old, new)
    text, save, _ = case(name).converted_file.read_text().rpartition("torch.save(")
    assert save
    traces = []
    for side, program in (("raw", raw), ("converted", text)):
        folder = tmp_path / side
        script, mirror = folder / "work" / "train.py", folder / "mirror"
        script.parent.mkdir(parents=True)
        mirror.mkdir()
        script.write_text(program)
        workspace = build(mirror, [script], script.parent)
        run = run_script(workspace, Request(script, timeout=240, processes=2), folder / "own")
        assert not run.failed, run.stderr[-3000:] + run.peers[0].stderr[-3000:]
        traces.append([one.trace for one in run.ranks])
    for by_hand, ours in zip(*traces, strict=True):
        comparison = compare(by_hand, ours)
        assert comparison.identical and comparison.steps == (6, 6), comparison.first
    first, other = traces[1]
    assert first.steps[-1].parameters != other.steps[-1].parameters  # each has a part
