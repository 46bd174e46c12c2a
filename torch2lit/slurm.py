"""A batch script for SLURM that starts a converted script as its Trainer (or Fabric) expects to be started.

    Trainer(devices=4, num_nodes=2)    →    #SBATCH --nodes=2
                                            #SBATCH --ntasks-per-node=4
                                            #SBATCH --signal=SIGUSR1@90
                                            srun python train.py "$@"

Lightning takes its ranks from SLURM where the job is started by `srun` under a name other than bash and interactive, and refuses numbers of
nodes and tasks that are not its own. Ninety seconds before the end it saves, and asks SLURM to start the job again.
Source: https://lightning.ai/docs/pytorch/stable/clouds/cluster_advanced.html
"""

from __future__ import annotations

import ast
import re
import shlex
from dataclasses import dataclass

_STARTERS = ("Trainer", "Fabric")
_IGNORED_NAMES = ("bash", "interactive")
"""Job names under which Lightning does not look at SLURM."""


class SlurmProblem(ValueError):
    """Why there is no batch script, for the user."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a script needs of SLURM."""

    nodes: int
    tasks: int
    """Per node: one for each device."""
    gpus: bool


def job_of(text: str) -> Job:
    """What the Trainers of a converted text need. Raises SlurmProblem when the text does not say, or says different things."""
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call) and _name(node.func) in _STARTERS]
    jobs = {_job(call) for call in calls}
    if not jobs:
        raise SlurmProblem("no Trainer is made in the script itself")
    if len(jobs) > 1:
        raise SlurmProblem("its Trainers want different numbers of devices, and one job has one number")
    return jobs.pop()


def sbatch_text(job: Job, script: str) -> str:
    """The batch script. ``script`` is the path to start it by, from the folder in which `sbatch` is called."""
    stem = re.sub(r"[^\w.-]", "-", re.split(r"[/\\]", script)[-1].removesuffix(".py")).lstrip("-") or "train"
    name = f"{stem}-training" if stem in _IGNORED_NAMES else stem
    lines = [
        "#!/bin/bash",
        f"#SBATCH --job-name={name}",
        f"#SBATCH --nodes={job.nodes}",
        f"#SBATCH --ntasks-per-node={job.tasks}",
        *([f"#SBATCH --gpus-per-node={job.tasks}"] if job.gpus else []),
        "#SBATCH --time=24:00:00",
        "#SBATCH --signal=SIGUSR1@90",
        "#SBATCH --requeue",
        "#SBATCH --open-mode=append",
        f"#SBATCH --output={name}-%j.out",
        "",
        "# Lightning saves hpc_ckpt_N.ckpt in this folder 90 seconds before the time is up, and the job starts again from there. A job that",
        "# is stopped in the middle of an epoch begins with the data of that epoch again. What another job has left here would be loaded.",
        'if [ "${SLURM_RESTART_COUNT:-0}" -eq 0 ] && compgen -G "hpc_ckpt_*.ckpt" > /dev/null; then',
        '    echo "$PWD holds hpc_ckpt_*.ckpt of another job: move it away first" >&2',
        "    exit 1",
        "fi",
        "",
        f'srun python {shlex.quote(script)} "$@"',
    ]
    return "\n".join(lines) + "\n"


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _job(call: ast.Call) -> Job:
    if any(keyword.arg is None for keyword in call.keywords):
        raise SlurmProblem("the arguments of its Trainer are not written out")
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    accelerator = given.get("accelerator")
    named = accelerator.value if isinstance(accelerator, ast.Constant) else "auto"
    if named in ("mps", "tpu"):
        raise SlurmProblem(f"SLURM has no devices for accelerator {named!r}")
    return Job(_number(given.get("num_nodes"), "num_nodes"), _number(given.get("devices"), "devices"), named != "cpu")


def _number(node: ast.expr | None, name: str) -> int:
    match node:
        case None:
            if name == "devices":
                raise SlurmProblem("its Trainer takes all devices that it finds: say how many by --devices")
            return 1
        case ast.Constant(value=int(number)) if number > 0:
            return number
        case ast.List(elts=elements) if elements and name == "devices":
            return len(elements)
    option = f"--{name.replace('_', '-')}"
    raise SlurmProblem(f"its Trainer has {name}={ast.unparse(node)}, which is no number yet: say how many by {option}")
