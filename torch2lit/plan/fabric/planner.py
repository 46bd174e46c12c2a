"""What Fabric takes over in a program that keeps its own loops: which objects are set up where, and which backward calls.

One device and full precision are the measure: there `fabric.backward` is `Tensor.backward`, and raw models, optimizers
and loaders work beside those that are set up. So whatever is not understood stays as it is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from ...checks import listed
from ...ddp.own import in_place_of
from ...findings import Finding, finding
from ...lightning_values import devices_code
from ...options import Options
from ...recover.backwards import object_backward
from ...recover.holders import Holder
from ...recover.roles import Roles
from ...recover.syntax import Source, dotted
from .devices import Devices
from .ground import Ground
from .loaders import Loaders
from .models import ModelSetup
from .modules import Modules
from .optimizers import Optimizer, Optimizers
from .place import Place, place_of


@dataclass(frozen=True, slots=True)
class Line:
    """One new statement, before or after a statement of the script and indented like it."""

    statement: ast.stmt
    before: bool
    text: str


@dataclass
class FabricPlan:
    """Everything that changes in the file."""

    name: str
    backwards: list[ast.Call] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    unwrapped: list[ast.expr] = field(default_factory=list)
    """Reads of a model that is set up, where the user's own module is meant."""
    devices: list[ast.expr] = field(default_factory=list)
    """Values that become ``fabric.device``."""
    place: Place = field(default_factory=Place)
    arguments: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    roles: list[tuple[str, str]] = field(default_factory=list)


class FabricPlanner:
    """Makes the plan of one file."""

    def __init__(self, source: Source, roles: Roles, options: Options, path: str, skipped: set[int]) -> None:
        self.source = source
        self.roles = roles
        self.options = options
        self.ground = Ground(source, roles, path, skipped)
        self.devices = Devices(self.ground)
        name = "fabric"
        while name in source.names:
            name += "_"
        self.plan = FabricPlan(name, devices=self.devices.chosen)

    def make(self) -> FabricPlan | None:
        """The plan; None when no backward call of the file can be Fabric's."""
        plan = self.plan
        plan.backwards = [c for c in self.source.calls if self._is_backward(c)]
        if not plan.backwards:
            return None
        optimizers = Optimizers(self.ground).find()
        self._set_up(optimizers)
        self._set_up_loaders()
        if not plan.roles:
            text = "Fabric runs the backward pass and nothing else: no model, optimizer or loader could be set up"
            plan.findings.append(finding("fabric-backward-only", plan.backwards[0].lineno, text))
        self._check_options(optimizers)
        if self.devices.grouped is not None:
            plan.findings += self._own_processes(self.devices.grouped)
        needs: list[ast.AST] = [*plan.backwards, *(line.statement for line in plan.lines)]
        plan.place = place_of(self.source, needs, plan.devices)
        plan.arguments = self._arguments()
        if self.options.several_processes:
            plan.findings.append(finding("several-devices", plan.backwards[0].lineno, self._told_of_several()))
        return plan

    def _own_processes(self, first: ast.Call) -> Iterator[Finding]:
        """Each call that sets up several processes, and who does that where it is taken out."""
        instead = in_place_of(self.source, self.roles)
        text = (
            f"`{dotted(first.func)}` stays: every process has a Fabric of its own, which leaves devices to the script"
        )
        others = [(call, why) for call, why in instead if call is not first]
        for call, why in instead:
            if call is first:
                text += f"; without it and with `--devices N` {why}"
        yield finding("own-processes", first.lineno, text)
        for call, why in others:
            yield finding("own-processes", call.lineno, f"`{dotted(call.func)}` stays as well: without it {why}")

    def _is_backward(self, call: ast.Call) -> bool:
        function = call.func
        if not isinstance(function, ast.Attribute) or function.attr != "backward" or self.ground.left_alone(call):
            return False
        value = function.value
        if isinstance(value, ast.Name) and self.ground.holders.class_of_self(value) is not None:
            return False
        if self.roles.full_name(value).startswith("torch") and isinstance(value, ast.Name | ast.Attribute):
            return False
        if isinstance(value, ast.Call) and dotted(value.func) == "super":
            return False
        if any(k.arg in ("model", "tensor") for k in call.keywords):
            return False
        if object_backward(self.roles, call, self.source.scope_of(call)):
            return False
        return not isinstance(value, ast.Name) or value.id not in self.roles.origins

    def _set_up(self, optimizers: list[Optimizer]) -> None:
        owners: dict[Holder, list[Optimizer]] = {}
        for one in optimizers:
            for model in one.models:
                owners.setdefault(model, []).append(one)
        self.ground.uses.unwrapping = set(owners)
        modules = Modules(self.ground)
        joint: set[int] = set()
        told: list[tuple[int, str]] = []
        for model, its in owners.items():
            first, name = its[0], self.ground.text(model)
            alone = len(its) == 1 and len(first.models) == 1 and not first.problem
            setup = ModelSetup(self.ground, modules, model, first, joint=alone)
            if setup.problem and alone:
                setup = ModelSetup(self.ground, modules, model, first, joint=False)
            if setup.problem:
                told.append((first.made.lineno, f"`{name}` stays as it is: {setup.problem}"))
                continue
            self.plan.unwrapped += setup.unwrapped
            self.plan.roles.append(("model", name))
            if setup.joint:
                joint.add(id(first))
                both = f"{name}, {self.ground.text(first.holder)}"
                self._line(first.made, f"{both} = {self.plan.name}.setup({both}{self._stay()})")
            else:
                text = f"{name} = {self.plan.name}.setup_module({name}{self._stay()})"
                self._line(setup.statement, text, before=setup.before)
            for method in modules.forward_methods(model):
                self._line(setup.statement, f'{name}.mark_forward_method("{method}")', before=setup.before)
        for one in optimizers:
            name = self.ground.text(one.holder)
            if one.problem:
                told.append((one.made.lineno, f"`{name}` stays as it is: {one.problem}"))
                continue
            self.plan.roles.append(("optimizer", name))
            if id(one) not in joint:
                self._line(one.made, f"{name} = {self.plan.name}.setup_optimizers({name})")
        self.plan.findings += [finding("fabric-left-raw", line, text) for line, text in told]

    def _set_up_loaders(self) -> None:
        stay = ", move_to_device=False" if self.devices.own_moves else ""
        for name, statement in Loaders(self.ground).find():
            self.plan.roles.append(("loader", name))
            self._line(statement, f"{name} = {self.plan.name}.setup_dataloaders({name}{stay})")

    def _line(self, statement: ast.stmt, text: str, *, before: bool = False) -> None:
        self.plan.lines.append(Line(statement, before, text))

    def _stay(self) -> str:
        """The argument that leaves a model on its device, where the script puts things elsewhere."""
        return "" if self.devices.agree else ", move_to_device=False"

    def _check_options(self, optimizers: list[Optimizer]) -> None:
        """Say what does not fit to a precision or to several processes that are asked for."""
        precision, first = self.options.precision, self.plan.backwards[0]
        shared = self.options.strategy or self.options.devices not in (None, "1") or self.options.num_nodes
        raw = [f for f in self.plan.findings if f.slug == "fabric-left-raw"]
        asked = []
        if precision not in (None, "32-true", "64-true"):
            asked.append(f"--precision {precision}")
            for call in self.source.calls:
                last = dotted(call.func).rpartition(".")[2]
                if last in ("GradScaler", "autocast", "clip_grad_norm_", "clip_grad_value_"):
                    text = f"`{last}` of the script works beside Fabric's own `--precision {precision}`"
                    self.plan.findings.append(finding("fabric-by-hand", call.lineno, text))
        if shared:
            asked.append("several processes")
        if asked and (raw or not optimizers):
            line = raw[0].line if raw else first.lineno
            text = f"not every model and optimizer is set up, and {' and '.join(asked)} would need that"
            self.plan.findings.append(finding("fabric-by-hand", line, text))

    def _told_of_several(self) -> str:
        """What several processes make of a program that keeps its own control flow."""
        loaders = list(dict.fromkeys(name for role, name in self.plan.roles if role == "loader"))
        shares = (
            f"each trains and evaluates on its share of {listed(loaders)}" if loaders else "no loader is shared out"
        )
        told = ", ".join(f"{name}={value}" for name, value in self.plan.arguments.items() if name != "accelerator")
        return f"{told}: every process runs the whole script, what it prints and writes as well; {shares}"

    def _arguments(self) -> dict[str, str]:
        """What Fabric is told, as the Trainer would be."""
        options = self.options
        moves = self.devices.own_moves and self.devices.grouped is None
        automatic = self.devices.accelerator if moves or self.plan.devices else '"cpu"'
        accelerator = repr(options.accelerator) if options.accelerator else automatic
        devices = devices_code(options.devices) if options.devices is not None else "1"
        found = {"accelerator": accelerator, "devices": devices}
        if options.num_nodes is not None:
            found["num_nodes"] = str(options.num_nodes)
        if options.strategy is not None:
            found["strategy"] = repr(options.strategy)
        if options.precision is not None:
            found["precision"] = repr(options.precision)
        return {name: value.replace("'", '"') for name, value in found.items()}
