"""What the plan has to know of a wrapper that was folded into Lightning's strategy: pure data."""

from __future__ import annotations

from dataclasses import dataclass

from .hindrances import unfoldable


@dataclass(frozen=True, slots=True)
class Group:
    """A model that was wrapped in DistributedDataParallel. Lines are those of the raw text, which folding keeps.

    ``strategy`` is the Trainer's argument as source, ``test`` the condition under which the script wraps, "" when it always
    does. ``names`` are the variables that hold the model, as (line of the function, 0 for the module; name).
    ``forwards`` are the lines on which it is called through the wrapper. ``bufferless``: it surely has no buffers, so that
    the wrapper does nothing when there is no backward pass.
    """

    line: int
    strategy: str
    test: str
    names: frozenset[tuple[int, str]]
    forwards: frozenset[int]
    bufferless: bool
    elsewhere: frozenset[int] = frozenset()
    """The lines of calls with gradients in functions, which may be part of the training step."""
    optional: bool = False
    """The script may run without torchrun."""
    spawned: str = ""
    """What the file calls ``torch.distributed`` when it starts its processes by `mp.spawn`, all on one machine."""
    sharded: frozenset[int] = frozenset()
    """The lines of calls that make loaders, the one that is trained on among them, whose samplers are Lightning's now."""
    joined: str = ""
    """What the file calls ``torch.distributed`` when Lightning asks the group that is there, whatever has started its processes."""
    device: str = ""
    """The GPU of a process that Lightning takes as it is, as source."""
    backend: str | None = None
    """Set where the Trainer makes the group in the place of the script (torch2lit/ddp/own_group.py)."""
    layers: bool = False
    """The Trainer converts the model's batch norm in the place of the script."""

    @property
    def devices(self) -> str:
        """The Trainer's devices as source: as many as the group has processes on a machine."""
        grouped = f"{self.spawned}.get_world_size()" if self.spawned else self.count("LOCAL_WORLD_SIZE")
        return self.argument(grouped, "1")

    @property
    def machines(self) -> str:
        """The Trainer's number of machines as source, "" for one."""
        if self.joined:
            return self.argument(f"{self.joined}.get_world_size()", "1")
        return "" if self.spawned else self.argument(self.count("GROUP_WORLD_SIZE"), "1")

    @property
    def joining(self) -> list[str]:
        """Statements before the Trainer that tell Lightning that its process has been started, and as which."""
        if self.joined:
            why = "# To Lightning every process is a machine with one device, whatever has started it"
            told = f'os.environ.update(LOCAL_RANK="0", NODE_RANK=str({self.joined}.get_rank()))'
        elif self.spawned:
            why = "# Lightning starts no processes of its own when it is told which one this is"
            told = f'os.environ["LOCAL_RANK"] = str({self.spawned}.get_rank())'
        else:
            return []
        return [why, f"if {self.test}:", f"    {told}"] if self.test else [why, told]

    def strategy_on(self, accelerator: str) -> str:
        """The strategy, with the script's backend where Lightning would take another one on such an accelerator."""
        if self.backend is None or self.backend == "device":
            return self.strategy
        if accelerator == '"cpu"' and self.backend in ("gloo", ""):
            return self.strategy
        if self.backend == "gloo":
            head, _, passed = self.strategy.partition("(")
            if not passed:
                head = "{lightning}.pytorch.strategies.DDPStrategy"
                passed = "find_unused_parameters=True)" if "true" in self.strategy else ")"
            return f'{head}({passed.removesuffix(")")}{", " if passed != ")" else ""}process_group_backend="gloo")'
        if self.backend == "nccl" and accelerator != '"cpu"':
            return self.strategy
        raise unfoldable(self.line, "the Trainer's group would have another backend", "leave the backend to torch")

    def count(self, variable: str) -> str:
        """How many processes or machines torchrun says there are, as source."""
        return f'int(os.environ.get("{variable}", 1))' if self.optional else f'int(os.environ["{variable}"])'

    def argument(self, grouped: str, alone: str) -> str:
        """An argument of the Trainer that depends on whether the script trains in a group."""
        return f"{grouped} if {self.test} else {alone}" if self.test else grouped
