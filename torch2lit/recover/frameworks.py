"""Scripts whose step another framework wraps: they are named and left alone."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from .framework_uses import uses_told
from .roles import Roles
from .syntax import Source, dotted


@dataclass(frozen=True, slots=True)
class Framework:
    """A framework that takes the training step over. ``instead``: what does the same for Lightning, when it is known."""

    name: str
    modules: tuple[str, ...]
    instead: str = ""
    is_lightning: bool = False


_FRAMEWORKS = (
    Framework("Lightning Fabric", ("lightning.fabric", "lightning_fabric"), is_lightning=True),
    Framework(
        "Accelerate",
        ("accelerate",),
        "`--precision`, `--strategy` and `--devices` do for the Trainer what its configuration did",
    ),
    Framework("ignite", ("ignite",)),
    Framework("apex", ("apex",), "`--precision` does for the Trainer what its `opt_level` did"),
    Framework("Horovod", ("horovod",), "`--strategy ddp` takes its place"),
    Framework(
        "DeepSpeed",
        ("deepspeed",),
        "`--strategy deepspeed` takes its place, or in the Trainer `DeepSpeedStrategy(config=...)` with its own settings: accumulation "
        "is the Trainer's alone (`gradient_accumulation_steps` there raises), and `gradient_clipping` there wins",
    ),
)
_LOOPS = ("Engine", "create_supervised_trainer")
_STEPS = {
    "Accelerate": ("backward",),
    "DeepSpeed": ("backward",),
    "Lightning Fabric": ("backward",),
}


def framework_message(source: Source, roles: Roles, framework: Framework, where: str = "") -> str:
    """What stands in the way: the framework, and each of its uses in the file with what takes its place."""
    uses = uses_told(source, roles, framework.name, framework.modules)
    text = f"{framework.name} wraps the training step{where}; all that the file uses of it has to change: {uses}"
    return f"{text}. After that, {framework.instead}" if framework.instead else text


def wrapping_framework(source: Source, roles: Roles) -> tuple[Framework, ast.AST] | None:
    """The framework that wraps the file's training step, and the place where it does."""
    origins = set(roles.origins.values())
    for framework in _FRAMEWORKS:
        imported = [
            o for o in origins if o in framework.modules or o.startswith(tuple(m + "." for m in framework.modules))
        ]
        names = {n for n, o in roles.origins.items() if o in imported}
        if framework.name == "Lightning Fabric":
            names |= {
                n for n, o in roles.origins.items() if o in ("lightning.Fabric", "lightning", "lightning.pytorch")
            }
        if not imported and not (framework.name == "Lightning Fabric" and names):
            continue
        if (place := _wrapped_step(source, framework, names)) is not None:
            return framework, place
    return None


def _wrapped_step(source: Source, framework: Framework, names: set[str]) -> ast.AST | None:
    for call in source.calls:
        name = dotted(call.func)
        last = name.rpartition(".")[2]
        if framework.name == "apex" and last == "scale_loss" and not _is_optional(source, call):
            return call
        if framework.name == "ignite" and last in _LOOPS and name.partition(".")[0] in names and _is_run(source):
            return call
        if framework.name == "Horovod" and last == "DistributedOptimizer":
            return call
        if last in _STEPS.get(framework.name, ()) and call.args and isinstance(call.func, ast.Attribute):
            return call
    return None


def _is_run(source: Source) -> bool:
    return any(isinstance(c.func, ast.Attribute) and c.func.attr == "run" for c in source.calls)


def _is_optional(source: Source, call: ast.Call) -> bool:
    """Whether the script takes its step without the framework in the other branch of a condition.

    Either branch stays as it stands then: what the framework has done to the model and the optimizer, it has done before.
    """
    below: ast.AST = call
    for ancestor in source.ancestors(call):
        if isinstance(ancestor, ast.If) and below is not ancestor.test:
            others = ancestor.orelse if below in ancestor.body else ancestor.body
            calls = [n for s in others for n in ast.walk(s) if isinstance(n, ast.Call)]
            if any(isinstance(c.func, ast.Attribute) and c.func.attr == "backward" for c in calls):
                return True
        below = ancestor
    return False
