"""What the user asked for, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass

from . import lightning_values as legal
from .findings import SEVERITIES, Severity

_BY_LEVEL = {
    "checkpoints": {"exact": "own", "native": "lightning"},
    "logger": {"exact": "own", "native": "auto"},
    "datamodule": {"exact": "own", "native": "own"},
    "callbacks": {"exact": "own", "native": "lightning"},
    "metrics": {"exact": "own", "native": "native"},
    "lightning_cli": {"exact": "own", "native": "own"},
}
"""What single options of the machinery are by each level."""
MACHINERY, OWN = tuple(_BY_LEVEL), "own"
"""Their names, and the value of each by which the script's own machinery stays."""


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that can change the bytes of a conversion. Same options, same input, same output.

    ``accelerator``, ``devices``, ``num_nodes``, ``strategy`` and ``precision`` are the values for
    ``lightning.Trainer``; None leaves the script's own meaning. They are kept in one spelling (``16`` becomes
    ``16-mixed``); `torch2lit.lightning_values.devices_code` gives the Python expression for ``devices``.

    Raises `torch2lit.lightning_values.ValueProblem` (a ValueError) for a value that Lightning does not
    accept.
    """

    accelerator: str | None = None
    devices: str | None = None
    num_nodes: int | None = None
    strategy: str | None = None
    precision: str | None = None
    target: str = "auto"
    level: str = "exact"
    """``native``: what is saved, logged and shown may become Lightning's own, with other files and prints; the steps stay the same."""
    checkpoints: str | None = None
    """``own``: the script saves its own files; ``callback``: ModelCheckpoint decides when, the files are the script's; ``lightning``: ModelCheckpoint saves. None leaves it to the level."""
    logger: str | None = None
    """``own``: the script's writers stay; ``tensorboard``, ``csv``: the Trainer has that logger; ``auto``: the one that the script writes for. None leaves it to the level."""
    datamodule: str | None = None
    """``lightning``: loaders and their data in a LightningDataModule; ``own``, also None: where the script makes them."""
    callbacks: str | None = None
    """``lightning``: a callback keeps the average of the weights; ``own``: the script does. None leaves it to the level."""
    metrics: str | None = None
    """``native``: Lightning adds up what the script adds up over the batches of an epoch; ``own``: the script does. None leaves it to the level."""
    lightning_cli: str | None = None
    """``lightning``: a LightningCLI reads the script's command line; ``own``, also None: the script's own parser does."""
    switches: str | None = None
    """Flags that the converted script gets for its Trainer, with commas between them: ``fast-dev-run,profile``."""
    activation_checkpointing: str | None = None
    """``blocks``: the strategy computes the activations of the model's repeated blocks again in the backward pass; ``none``, also None: it keeps them."""
    state_dict_type: str | None = None
    """``full``: checkpoints of a sharded model are one file; ``sharded``: a folder with a part of each process. None leaves it to Lightning."""
    fail_on: Severity | None = None
    time_limit: int = 300
    """Seconds that one file may take."""

    def __post_init__(self) -> None:
        spelled = object.__setattr__
        if self.accelerator is not None:
            spelled(self, "accelerator", legal.accelerator(self.accelerator))
        if self.devices is not None:
            spelled(self, "devices", legal.devices(self.devices))
        if self.num_nodes is not None:
            legal.num_nodes(self.num_nodes)
        if self.strategy is not None:
            spelled(self, "strategy", legal.strategy(self.strategy))
        if self.precision is not None:
            spelled(self, "precision", legal.precision(self.precision))
        spelled(self, "target", legal.target(self.target))
        spelled(self, "level", legal.level(self.level))
        if self.checkpoints is not None:
            spelled(self, "checkpoints", legal.checkpoints(self.checkpoints))
        if self.logger is not None:
            spelled(self, "logger", legal.logger(self.logger))
        if self.datamodule is not None:
            spelled(self, "datamodule", legal.datamodule(self.datamodule))
        if self.callbacks is not None:
            spelled(self, "callbacks", legal.callbacks(self.callbacks))
        if self.metrics is not None:
            spelled(self, "metrics", legal.metrics(self.metrics))
        if self.lightning_cli is not None:
            spelled(self, "lightning_cli", legal.lightning_cli(self.lightning_cli))
        if self.switches is not None:
            spelled(self, "switches", legal.switches(self.switches))
        if self.activation_checkpointing is not None:
            spelled(self, "activation_checkpointing", legal.activation_checkpointing(self.activation_checkpointing))
        if self.state_dict_type is not None:
            spelled(self, "state_dict_type", legal.state_dict_type(self.state_dict_type))
        if self.fail_on is not None and self.fail_on not in SEVERITIES:
            raise legal.ValueProblem("fail_on", f"{self.fail_on!r} is none of {', '.join(SEVERITIES)}")
        legal.check_together(self.accelerator, self.devices, self.strategy, self.precision)
        legal.check_sharding(self.strategy, self.activation_checkpointing, self.state_dict_type)

    def wants(self, level: str, option: str = "") -> bool:
        """Whether what a feature proposes at that level is asked for, by the level or by a single option."""
        return level in ("exact", self.level) or (option in _BY_LEVEL and getattr(self, option) is not None)

    def asked(self, option: str) -> str:
        """What a single option of the machinery is: as it was given, else what the level makes of it."""
        given: str | None = getattr(self, option)
        return _BY_LEVEL[option][self.level] if given is None else given

    def by_level(self, option: str) -> bool:
        """Whether the level alone says what a single option of the machinery is."""
        return getattr(self, option) is None

    @property
    def several_processes(self) -> bool:
        """Whether they may ask for more than one process, or for a strategy of several."""
        devices = None if self.accelerator == "cpu" and self.devices == "auto" else self.devices
        return legal.takes_several(devices, self.num_nodes, self.strategy)
