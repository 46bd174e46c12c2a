"""What several processes make of one training: told once per script, in statements that follow from the plan."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from ..ddp.samplers import SAMPLERS
from ..lightning_values import ValueProblem, check_together
from ..program import Mechanism
from ..recover.batch_sources import source_makings
from ..recover.loops import Iterable, Loop
from ..recover.makings import Making, Value, is_none, makings
from ..recover.nest import Frame
from ..recover.stepping import is_held
from ..recover.syntax import walk
from .common_decisions import common_decisions
from .draft import BATCH_START, TRAINING_STEP, Draft, Several
from .entry_names import entry_text
from .may_run import runs_in_loop
from .one_batch import is_one_batch
from .train_data import constructions
from .unused_parameters import leaves_some_unused
from .whole_evaluation import DATA_LOADER, is_ordered, whole_evaluation
from .written_once import is_print, only_writes, reads_files_after, surely_after, written_after, written_in_hooks

SEVERAL_DEVICES = "several-devices"
_OWN_SAMPLER = "a DistributedSampler of the script stays as it is"
_DRAWN = "of what its sampler draws, in every process: seed them alike"


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


def start_loaders_early(draft: Draft) -> None:
    """Lightning shares out DataLoaders only, and where several draw there is no one order of random numbers to keep."""
    if draft.options.several_processes and draft.group is None and draft.train_data is not None:
        draft.train_data = replace(draft.train_data, lazy=False, asks_at_end=False, asks_twice=False)


def plan_several(draft: Draft) -> None:
    """Decide what keeps the processes one training. A script that makes its processes itself has seen to that."""
    if not draft.options.several_processes or draft.group is not None:
        return
    _check_batches(draft)
    _check_backwards(draft)
    whole = whole_evaluation(draft)
    same = draft.validation is not None and (whole is None or whole.same_order) and shares_buffers(draft)
    written = written_in_hooks(draft)
    draft.several = Several(
        whole,
        common_decisions(draft, same),
        frozenset(written),
        frozenset(written_after(draft)),
        frozenset(s for s in surely_after(draft) if is_print(draft, s, draft.nest.entry.scope)),
        bool(written) and reads_files_after(draft),
        not written and any(only_writes(draft, item) for item in draft.all_items()),
    )


def _check_batches(draft: Draft) -> None:
    """Raise Refused for a loader that Lightning would share out with other batches, or not at all."""
    loop = draft.nest.batches
    if loop is None or draft.train_data is None or draft.mechanism not in (Mechanism.AUTOMATIC, Mechanism.MANUAL):
        return
    for made in constructions(draft, loop.base, draft.nest.inner):
        given = made.argument("batch_sampler", 4) if made.full_name == DATA_LOADER else None
        if given is not None and not is_none(given):
            raise draft.refuse(
                "options-do-not-fit",
                draft.nest.outermost,
                f"`{ast.unparse(loop.base)[:60]}` has a `batch_sampler`, which Lightning does not share out as it is: of torch's own it "
                "makes batches of one sample, any other raises. Give the loader `batch_size` and `sampler` instead",
            )


def _check_backwards(draft: Draft) -> None:
    """Raise Refused for a backward pass of the script's own: DistributedDataParallel averages those that a Trainer begins (`manual_backward`)."""
    passes = draft.nest.backwards
    own = next((call for call in passes if is_held(call)), None) or next(_hidden_backwards(draft), None)
    if own is not None:
        raise draft.refuse(
            "step-not-reached",
            own,
            f"`{ast.unparse(own.func)[:60]}` runs the backward pass itself, and on several devices a Trainer averages the gradients of its own alone",
        )


def _hidden_backwards(draft: Draft) -> Iterator[ast.Call]:
    """Backward passes in functions that the batch goes on calling."""
    for node in runs_in_loop(draft):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "backward":
            if node not in draft.nest.backwards:
                yield node


def shares_buffers(draft: Draft) -> bool:
    """Whether validation begins with the same buffers everywhere: DistributedDataParallel sends those of the first process."""
    return (draft.options.strategy or "ddp").startswith(("auto", "ddp"))


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
            found, self.number = [f"{self._told()}: one process as yet, N where `devices` is N"], "N"
        else:
            found = [f"{self._told()}: {self.number} processes"]
        found.append(self._training())
        if self._adds_up():
            found.append(
                f"what the steps add up is of that share (over the length of all data, 1/{self.number} as large)"
            )
        if evaluation := self._evaluation():
            found.append(evaluation)
        if schedule := self._schedule():
            found.append(schedule)
        if self._normalises():
            found.append("BatchNorm takes the statistics of one device's batch (`sync_batchnorm=True`: of all of them)")
        found += [*self._unused(), *self._drawn(), *self._decisions()]
        if any(name.endswith(".EarlyStopping") for p in self.draft.accepted for name in p.imports):
            found.append("`EarlyStopping` stops all processes as soon as it would stop one")
        found.append(self._outside())
        return found

    def _told(self) -> str:
        given = {
            name: text.replace("{lightning}.pytorch.strategies.", "") for name, text in self.draft.trainer.written()
        }
        return ", ".join(f"{name}={given[name]}" for name in ("devices", "num_nodes", "strategy") if name in given)

    def _training(self) -> str:
        if self.draft.mechanism is Mechanism.ITERATIONS:
            return "every process does all the steps of the loop, on what it draws itself: seed them apart"
        loop = self.nest.batches
        name = self._name(loop, self.nest.inner) if loop is not None else "its data"
        if self.draft.mechanism is Mechanism.EPOCHS or loop is None or self.draft.train_data is None:
            return f"every process runs over all of `{name}` itself, so that more of them do no more than one"
        if loop.kind in (Iterable.RANGE, Iterable.TURNS):
            return f"every process runs over all of `{name}`: Lightning gives only a DataLoader its DistributedSampler"
        if (group := self.draft.group) is not None and not group.sharded:
            return f"`{name}` keeps the script's own sampler"
        made = constructions(self.draft, loop.base, self.nest.inner)
        if made and all(source_makings(Value(m.call, m.scope, m.roles)) for m in made):
            return (
                f"every process takes every step of `{name}`, on what it makes itself: seed them apart where it draws"
            )
        if made and all(map(is_one_batch, made)):
            return f"every process trains on the one batch of `{name}`, so that more of them do no more than one"
        shares = f"each process trains on its share of `{name}`"
        if not made or not all(m.full_name == DATA_LOADER for m in made):
            shares += " (where that is a DataLoader; on all of anything else)"
        if made and self.draft.group is None and all(map(is_ordered, made)):
            shares += " (shuffled by Lightning, though not by the script)"
        if samplers := [s for m in made if (s := m.argument("sampler")) is not None and not is_none(s)]:
            own = any(one.full_name in SAMPLERS for s in samplers for one in makings(s))
            shares += f" ({_OWN_SAMPLER if own else _DRAWN})"
        return f"{shares}, {self._batch(made)}, and an epoch has 1/{self.number} of the steps"

    def _batch(self, made: list[Making]) -> str:
        times = "the number of batches before" if self.draft.window is not None else "one batch"
        given = [s for m in made if (s := m.argument("batch_size", 1)) is not None and not is_none(s)]
        sizes = {ast.unparse(s.node) for s in given}
        size = f" ({self.number} × {sizes.pop()} samples)" if len(sizes) == 1 and self.draft.window is None else ""
        return f"a step takes {times} on each device{size}"

    def _evaluation(self) -> str:
        found = self.draft.validation
        if found is not None:
            name = self._name(found.loop, found.frame)
            if (several := self.draft.several) is None:
                return f"`{name}` is validated on as the script shares it out"
            if several.whole is None:
                return f"every process validates on all of `{name}`, which has no length to share out"
            if several.whole.same_order and shares_buffers(self.draft):
                return f"every process validates on all of `{name}`: what it counts and averages there is what one process would"
            return f"every process validates on all of `{name}`, perhaps in another order or with statistics of its own"
        if any(f.slug == "validation-kept" for f in self.draft.findings):
            return "the evaluation that stays in the loop runs whole in every process"
        return ""

    def _adds_up(self) -> bool:
        """Whether the steps of a process add up something of their share."""
        data, loop = self.draft.train_data, self.nest.batches
        made = constructions(self.draft, loop.base, self.nest.inner) if loop is not None else []
        if made and all(map(is_one_batch, made)):
            return False
        shared = self.draft.mechanism in (Mechanism.AUTOMATIC, Mechanism.MANUAL) and data is not None and not data.lazy
        return shared and any(
            isinstance(n, ast.AugAssign) and not isinstance(n.value, ast.Constant)
            for item in self.draft.hooks.get(TRAINING_STEP, [])
            for n in walk(item.node)
        )

    def _unused(self) -> list[str]:
        if self.draft.several is None or not leaves_some_unused(self.draft):
            return []
        return [
            "each backward pass of a step leaves some parameters unused, which DistributedDataParallel has to look for"
        ]

    def _drawn(self) -> list[str]:
        items = [i for hook in (BATCH_START, TRAINING_STEP) for i in self.draft.hooks.get(hook, [])]
        calls = [n for i in items for n in walk(i.node) if isinstance(n, ast.Call)]
        names = [self.draft.roles.full_name(c.func) for c in calls]
        drawn = next((n for n in names if n.startswith(("torch.rand", "torch.normal", "numpy.random."))), "")
        return [f"`{drawn}` in the step gives every process the same where the script seeds all alike"] if drawn else []

    def _decisions(self) -> list[str]:
        several = self.draft.several
        if several is None or not several.common:
            return []
        lines = sorted({statement.lineno for statement in several.common})
        place = f"line {lines[0]}" if len(lines) == 1 else f"lines {', '.join(map(str, lines))}"
        return [f"{place}: each process has a number of its own there, and the first one's decides for all"]

    def _outside(self) -> str:
        if self.draft.several is None:
            return "what stands outside of `fit` runs in every process"
        once = "the hooks print once" + (" and write once" if self.draft.several.written else "")
        if self.draft.several.each_writes:
            once += "; files are written by every process, because the hooks read some or the strategy needs all processes for it"
        return f"{once}; what stands outside of the hooks runs in every process"

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
