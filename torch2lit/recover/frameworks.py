"""Scripts whose step another framework wraps: they are named and left alone."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from .roles import Roles
from .syntax import Source, dotted


@dataclass(frozen=True, slots=True)
class Framework:
    """A framework that takes the training step over, and the way out of it."""

    name: str
    modules: tuple[str, ...]
    remedy: str


_FRAMEWORKS = (
    Framework("Lightning Fabric", ("lightning.fabric", "lightning_fabric"), ""),
    Framework(
        "Accelerate",
        ("accelerate",),
        "replace `accelerator.backward(loss)` by `loss.backward()` and drop `prepare`",
    ),
    Framework("apex", ("apex",), "replace `amp.scale_loss` by `torch.autocast` or drop it"),
    Framework("Horovod", ("horovod",), "drop the `hvd` calls: `--strategy ddp` takes their place"),
    Framework("DeepSpeed", ("deepspeed",), "use a plain optimizer: `--strategy deepspeed` takes the engine's place"),
)
_STEPS = {
    "Accelerate": ("backward",),
    "DeepSpeed": ("backward",),
    "Lightning Fabric": ("backward",),
}


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
        if framework.name == "apex" and last == "scale_loss" and not _goes_without(source, call, names):
            return call
        if framework.name == "Horovod" and last == "DistributedOptimizer":
            return call
        if last in _STEPS.get(framework.name, ()) and call.args and isinstance(call.func, ast.Attribute):
            return call
    return None


def _goes_without(source: Source, call: ast.Call, names: set[str]) -> bool:
    """Whether the script also runs where the framework is missing, and then takes its step in another branch."""
    missing = [
        handler
        for attempt in source.all(ast.Try)
        if any(isinstance(s, ast.Import | ast.ImportFrom) and _binds(s, names) for s in attempt.body)
        for handler in attempt.handlers
        if handler.type is None or "Error" in ast.unparse(handler.type) or ast.unparse(handler.type) == "Exception"
    ]
    if not missing or any(isinstance(n, ast.Raise) for h in missing for n in ast.walk(h)):
        return False
    below: ast.AST = call
    for ancestor in source.ancestors(call):
        if isinstance(ancestor, ast.If) and below in ancestor.body:
            others = [n for s in ancestor.orelse for n in ast.walk(s) if isinstance(n, ast.Call)]
            if any(isinstance(c.func, ast.Attribute) and c.func.attr == "backward" for c in others):
                return True
        below = ancestor
    return False


def _binds(statement: ast.Import | ast.ImportFrom, names: set[str]) -> bool:
    return any((a.asname or a.name).partition(".")[0] in names for a in statement.names)
