"""What several processes make of one training: told once per script, in statements that follow from the plan."""

from __future__ import annotations

import ast

from ..lightning_values import ValueProblem, check_together
from ..program import Mechanism
from ..recover.loops import Iterable, Loop
from ..recover.makings import Making, is_none
from ..recover.nest import Frame
from ..recover.syntax import walk
from .draft import Draft
from .entry_names import entry_text
from .train_data import constructions

SEVERAL_DEVICES = "several-devices"


def check_options(draft: Draft) -> None:
    """Raise Refused when Lightning does not take the options on the device that the script trains on."""
    options, place = draft.options, draft.placement
    if options.accelerator is not None or place is None:
        return
    named = place.of_script.strip('"')
    if place.of_script != f'"{named}"':
        return
    try:
        check_together(named, options.devices, options.strategy, options.precision)
    except ValueProblem as problem:
        raise draft.refuse(
            "options-do-not-fit", draft.nest.outermost, f"the script trains on {named!r}: {problem}"
        ) from problem


def tell_of_several(draft: Draft) -> None:
    """The finding for options that ask for several processes; for any other nothing is said."""
    if draft.options.several_processes:
        draft.note(SEVERAL_DEVICES, draft.nest.outermost, "; ".join(_Told(draft).clauses()))


class _Told:
    """The clauses of one finding."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.nest = draft.nest
        self.number = number_of_processes(draft)

    def clauses(self) -> list[str]:
        """All of them, the processes first."""
        if self.number == "1":
            return [f"{self._told()}: one process, which trains as before; `--devices` asks for more"]
        found = [f"{self._told()}: {self.number} processes", self._training()]
        if evaluation := self._evaluation():
            found.append(evaluation)
        if schedule := self._schedule():
            found.append(schedule)
        if self._normalises():
            found.append("BatchNorm takes the statistics of one device's batch (`sync_batchnorm=True`: of all of them)")
        found.append("what stands outside of `fit` runs in every process")
        return found

    def _told(self) -> str:
        given = dict(self.draft.trainer.written())
        return ", ".join(f"{name}={given[name]}" for name in ("devices", "num_nodes", "strategy") if name in given)

    def _training(self) -> str:
        if self.draft.mechanism is Mechanism.ITERATIONS:
            return "every process does all the steps of the loop, on what it draws itself: seed them apart"
        loop = self.nest.batches
        name = self._name(loop, self.nest.inner) if loop is not None else "its data"
        if self.draft.mechanism is Mechanism.EPOCHS or loop is None or self.draft.train_data is None:
            return f"every process runs over all of `{name}` itself, so that more of them do no more than one"
        if loop.kind is not Iterable.LOADER or self.draft.train_data.lazy:
            return f"every process runs over all of `{name}`: Lightning gives only a DataLoader its DistributedSampler"
        if (group := self.draft.group) is not None and not group.sharded:
            return f"`{name}` keeps the script's own sampler"
        made = constructions(self.draft, loop.base, self.nest.inner)
        shares = f"each process trains on its share of `{name}`"
        if any((s := m.argument("sampler")) is not None and not is_none(s) for m in made):
            shares += " (of what its sampler draws, in every process: seed them alike)"
        return f"{shares}, {self._batch(made)}, and an epoch has 1/{self.number} of the steps"

    def _batch(self, made: list[Making]) -> str:
        times = "the number of batches before" if self.draft.window is not None else "one batch"
        sizes = {ast.unparse(s.node) for m in made if (s := m.argument("batch_size", 1)) is not None}
        size = f" ({self.number} × {sizes.pop()} samples)" if len(sizes) == 1 and self.draft.window is None else ""
        return f"a step takes {times} on each device{size}"

    def _evaluation(self) -> str:
        found = self.draft.validation
        if found is not None:
            name = self._name(found.loop, found.frame)
            return f"each process validates on its share of `{name}`, and what it counts and averages there is that of the share"
        if any(f.slug == "validation-kept" for f in self.draft.findings):
            return "the evaluation that stays in the loop runs whole in every process"
        return ""

    def _name(self, loop: Loop, frame: Frame) -> str:
        """What the loop runs over, as the entry point calls it when it has a name for it."""
        return (entry_text(self.draft, loop.base, frame) or ast.unparse(loop.base))[:60]

    def _schedule(self) -> str:
        """A schedule that counts the steps of an epoch that is not shared out."""
        loop = self.nest.batches
        if loop is None:
            return ""
        lengths = {f"len({ast.unparse(loop.base)})", f"len({self._name(loop, self.nest.inner)})"}
        for call in self.draft.source.calls:
            if "lr_scheduler" not in self.draft.roles.full_name(call.func):
                continue
            if any(isinstance(n, ast.Call) and ast.unparse(n) in lengths for n in walk(call)):
                return f"line {call.lineno} makes a schedule for the steps of a whole epoch, of which 1/{self.number} are done"
        return ""

    def _normalises(self) -> bool:
        return any("BatchNorm" in self.draft.roles.full_name(call.func) for call in self.draft.source.calls)


def number_of_processes(draft: Draft) -> str:
    """How many processes the Trainer is told to have, "N" when the text cannot say."""
    given = dict(draft.trainer.written())
    devices, nodes = given.get("devices", "1"), given.get("num_nodes", "1")
    if devices.startswith("[") and all(part.strip().isdigit() for part in devices[1:-1].split(",")):
        devices = str(len(devices.split(",")))
    return str(int(devices) * int(nodes)) if devices.isdigit() and nodes.isdigit() else "N"
