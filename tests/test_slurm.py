"""`convert --slurm FILE`: what the batch script asks for, when there is none, and that Lightning takes its ranks from it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner
from fixture_cases import case

from torch2lit.cli import main
from torch2lit.slurm import Job, SlurmProblem, job_of, sbatch_text

needs_bash = pytest.mark.skipif(os.name != "posix", reason="needs bash")
TRAINER = 'trainer = L.Trainer(max_epochs=1, accelerator="gpu", {})\n'


@pytest.mark.parametrize(
    ("arguments", "job"),
    [
        ("devices=4, num_nodes=2", Job(2, 4, True)),
        ("devices=[0, 2]", Job(1, 2, True)),
        ("devices=1", Job(1, 1, True)),
    ],
)
def test_a_job_is_as_large_as_the_trainer(arguments: str, job: Job) -> None:
    assert job_of(TRAINER.format(arguments)) == job


def test_a_job_on_the_cpu_asks_for_no_gpus() -> None:
    text = 'fabric = L.Fabric(accelerator="cpu", devices=2, strategy="ddp")\n'
    assert job_of(text) == Job(1, 2, False)
    assert "gpus" not in sbatch_text(job_of(text), "train.py")


@pytest.mark.parametrize(
    "text",
    [
        "x = 1\n",
        TRAINER.format('devices="auto"'),
        TRAINER.format("devices=-1"),
        TRAINER.format("strategy='ddp'"),
        TRAINER.format('devices=int(os.environ["LOCAL_WORLD_SIZE"])'),
        TRAINER.format("devices=2, num_nodes=nodes"),
        TRAINER.format("**arguments"),
        TRAINER.format("devices=2") + TRAINER.format("devices=4"),
        'trainer = L.Trainer(accelerator="mps", devices=1)\n',
    ],
)
def test_without_one_number_there_is_no_job(text: str) -> None:
    with pytest.raises(SlurmProblem):
        job_of(text)


def settings(text: str) -> dict[str, str]:
    """The settings of a batch script."""
    return dict(re.findall(r"^#SBATCH --([\w-]+)=?(.*)$", text, re.M))


def test_what_lightning_needs_is_asked_for() -> None:
    text = sbatch_text(Job(2, 4, True), "my folder/train me.py")
    found = settings(text)
    assert found["nodes"] == "2" and found["ntasks-per-node"] == found["gpus-per-node"] == "4"
    assert found["signal"] == "SIGUSR1@90" and "requeue" in found and "ntasks" not in found
    assert found["job-name"] == "train-me"
    assert text.endswith("srun python 'my folder/train me.py' \"$@\"\n")


@pytest.mark.parametrize("name", ["bash.py", "interactive.py"])
def test_no_job_has_a_name_under_which_lightning_looks_away(name: str) -> None:
    assert settings(sbatch_text(Job(1, 1, True), name))["job-name"].endswith("-training")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one script, to work in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(case("several-devices").raw)
    return tmp_path


OPTIONS = ("--accelerator", "cpu", "--devices", "2", "--strategy", "ddp", "--slurm", "job.sbatch")


def test_the_batch_script_starts_the_converted_one(folder: Path) -> None:
    assert CliRunner().invoke(main, ["convert", "train.py", "-o", "lit.py", *OPTIONS]).exit_code == 0
    text = (folder / "job.sbatch").read_text()
    assert settings(text)["ntasks-per-node"] == "2" and "srun python lit.py" in text
    assert (folder / "train.py").read_text() == case("several-devices").raw


def test_a_script_that_is_converted_already_gets_one_too(folder: Path) -> None:
    assert CliRunner().invoke(main, ["convert", "train.py", *OPTIONS[:-2]]).exit_code == 0
    before = (folder / "train.py").read_bytes()
    assert CliRunner().invoke(main, ["convert", "train.py", "--slurm", "job.sbatch"]).exit_code == 0
    assert "srun python train.py" in (folder / "job.sbatch").read_text()
    assert (folder / "train.py").read_bytes() == before


def test_no_file_is_overwritten(folder: Path) -> None:
    (folder / "job.sbatch").write_text("mine")
    assert CliRunner().invoke(main, ["convert", "train.py", *OPTIONS]).exit_code == 2
    assert (folder / "job.sbatch").read_text() == "mine"
    assert (folder / "train.py").read_text() == case("several-devices").raw


@pytest.mark.parametrize("more", [("--diff",), ("--check",), ("other.py",)])
def test_only_one_script_that_is_written_gets_one(folder: Path, more: tuple[str, ...]) -> None:
    (folder / "other.py").write_text("x = 1\n")
    assert CliRunner().invoke(main, ["convert", "train.py", *OPTIONS, *more]).exit_code == 2
    assert not (folder / "job.sbatch").exists()


def test_a_script_without_a_trainer_gets_none(folder: Path) -> None:
    (folder / "train.py").write_text("x = 1\n")
    result = CliRunner().invoke(main, ["convert", "train.py", "--slurm", "job.sbatch"])
    assert result.exit_code == 123 and "no batch script" in result.stderr
    assert not (folder / "job.sbatch").exists()


SRUN = """#!{python}
import os, sys
sys.path.insert(0, {tests!r})
import nursery
nursery.import_everything()
tasks = int(os.environ["SLURM_NTASKS"])
each = int(os.environ["SLURM_NTASKS_PER_NODE"])
started = []
for task in range(tasks):
    ranks = {{"SLURM_PROCID": task, "SLURM_LOCALID": task % each, "SLURM_NODEID": task // each}}
    own = {{**os.environ, **{{name: str(value) for name, value in ranks.items()}}}}
    started.append(os.fork())
    if started[-1] == 0:
        outputs = {{"stdout": f"out-{{task}}", "stderr": f"err-{{task}}"}}
        nursery.run({{"command": sys.argv[2:], "folder": os.getcwd(), "environment": own, **outputs}})
ends = [os.waitstatus_to_exitcode(os.waitpid(one, 0)[1]) for one in started]
for task in range(tasks):
    sys.stderr.write(open(f"err-{{task}}").read())
sys.exit(max(map(abs, ends)))
"""
"""Starts tasks on this machine as `srun` does on those of a cluster, forked from one process that has imported what they import."""


def submitted(folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the batch script with the variables that SLURM would set for what it asks for."""
    found = settings((folder / "job.sbatch").read_text())
    nodes, tasks = int(found["nodes"]), int(found["ntasks-per-node"])
    (folder / "bin").mkdir(exist_ok=True)
    srun = folder / "bin" / "srun"
    srun.write_text(SRUN.format(python=sys.executable, tests=str(Path(__file__).resolve().parent)))
    srun.chmod(0o755)
    variables = {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "SLURM_JOB_NAME": found["job-name"],
        "SLURM_JOB_ID": str(10000 + os.getpid() % 9000),
        "SLURM_NTASKS": str(nodes * tasks),
        "SLURM_NTASKS_PER_NODE": str(tasks),
        "SLURM_NNODES": str(nodes),
        "SLURM_NODELIST": "127.0.0.1",
        "MASTER_ADDR": "127.0.0.1",
        "GLOO_SOCKET_IFNAME": "lo",
        "CUDA_VISIBLE_DEVICES": "",
    }
    command = ["bash", "job.sbatch"]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **variables, **more}, capture_output=True, text=True, timeout=300
    )


@needs_bash
def test_a_folder_with_what_another_job_left_is_not_trained_in(folder: Path) -> None:
    assert CliRunner().invoke(main, ["convert", "train.py", *OPTIONS]).exit_code == 0
    (folder / "hpc_ckpt_1.ckpt").write_bytes(b"")
    result = submitted(folder)
    assert result.returncode == 1 and "another job" in result.stderr
    assert not (folder / "out-0").exists()


@pytest.mark.slow
@needs_bash
@pytest.mark.skipif(find_spec("lightning") is None, reason="needs lightning")
@pytest.mark.parametrize("shape", [("--devices", "2"), ("--devices", "1", "--num-nodes", "2")], ids=["2", "2 nodes"])
def test_lightning_takes_its_ranks_from_the_job(folder: Path, shape: tuple[str, ...]) -> None:
    options = ["--accelerator", "cpu", "--strategy", "ddp", "--slurm", "job.sbatch", *shape]
    assert CliRunner().invoke(main, ["convert", "train.py", *options]).exit_code == 0
    result = submitted(folder)
    assert result.returncode in (0, 134), result.stderr[-3000:]  # gloo may abort at the very end
    first, other = ((folder / f"out-{task}").read_text() for task in (0, 1))
    assert "SLURM auto-requeueing enabled" in result.stderr or "MEMBER: 2/2" in result.stderr
    assert len(re.findall(r"^epoch", first, re.M)) == 4 and "epoch" not in other
