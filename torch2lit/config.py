"""The ``[tool.torch2lit]`` table of a pyproject.toml."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from . import lightning_values as legal
from .files.reading import read_file, reason_of
from .options import Options
from .overrides import Override

FILE_NAME = "pyproject.toml"
_TABLE = b"torch2lit"
_LARGEST = 4 * 1024**2
_REPOSITORY_MARKS = (".git", ".hg")


class ConfigProblem(ValueError):
    """A configuration that cannot be used; the message names the file, the key and what is wrong."""


@dataclass(frozen=True, slots=True)
class Config:
    """What a configuration file sets; None where it is silent. The command line goes before it."""

    accelerator: str | None = None
    devices: str | None = None
    num_nodes: int | None = None
    strategy: str | None = None
    precision: str | None = None
    target: str | None = None
    level: str | None = None
    checkpoints: str | None = None
    logger: str | None = None
    datamodule: str | None = None
    callbacks: str | None = None
    metrics: str | None = None
    fail_on: str | None = None
    exclude: tuple[str, ...] | None = None
    extend_exclude: tuple[str, ...] | None = None
    force_exclude: tuple[str, ...] | None = None
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    jobs: int | None = None
    time_limit: int | None = None
    baseline: str | None = None
    required_version: str | None = None
    activation_checkpointing: str | None = None
    state_dict_type: str | None = None
    lightning_cli: str | None = None
    switches: str | None = None
    overrides: tuple[Override, ...] = ()

    def at(self, path: Path) -> Config:
        """What holds for one file: the overrides that mean it in their order. What they ignore is ignored besides."""
        for override in self.overrides:
            if override.holds_for(path):
                self = self.changed_by(override)
        return self

    def changed_by(self, override: Override) -> Config:
        """The same with an override's settings."""
        changed: Config = replace(self, **override.settings)  # type: ignore[arg-type]
        return (
            replace(changed, ignore=(*(self.ignore or ()), *(changed.ignore or ())))
            if "ignore" in override.settings
            else changed
        )


_NUMBERS = ("num_nodes", "jobs", "time_limit")
_LISTS = ("exclude", "extend_exclude", "force_exclude", "select", "ignore")
_CHOICES = {
    "target": legal.TARGETS,
    "level": legal.LEVELS,
    "checkpoints": legal.CHECKPOINTS,
    "logger": legal.LOGGERS,
    "datamodule": legal.DATAMODULES,
    "callbacks": legal.CALLBACKS,
    "metrics": legal.METRICS,
    "lightning_cli": legal.LIGHTNING_CLIS,
    "activation_checkpointing": legal.ACTIVATION_CHECKPOINTING,
    "state_dict_type": legal.STATE_DICTS,
    "fail_on": ("review", "refused"),
}
KEYS = tuple(field.name.replace("_", "-") for field in fields(Config))
OVERRIDDEN = (
    "accelerator",
    "devices",
    "num-nodes",
    "strategy",
    "activation-checkpointing",
    "state-dict-type",
    "precision",
    "target",
    "level",
    "checkpoints",
    "logger",
    "datamodule",
    "callbacks",
    "metrics",
    "lightning-cli",
    "switches",
    "select",
    "ignore",
)


def find_config(paths: Iterable[Path]) -> Path | None:
    """The nearest pyproject.toml with a ``[tool.torch2lit]`` table, upwards from the folder that paths share.

    The search ends at the root of a repository.
    """
    places = [path.absolute() for path in paths] or [Path.cwd()]
    common = Path(os.path.commonpath(places))
    for folder in (common, *common.parents):
        candidate = folder / FILE_NAME
        if os.path.isfile(candidate) and _TABLE in _read(candidate) and _table_of(candidate) is not None:
            return candidate
        if any(os.path.lexists(folder / mark) for mark in _REPOSITORY_MARKS):
            break
    return None


def load_config(path: Path) -> Config:
    """Read and check a configuration file; one without the table sets nothing. Raises ConfigProblem."""
    table = dict(_table_of(path) or {})
    overrides = table.pop("overrides", [])
    config = Config(**_values(path, table, KEYS, "[tool.torch2lit]"))  # type: ignore[arg-type]
    _check_together(path, config)
    if config.baseline is not None:
        config = replace(config, baseline=str(path.parent / config.baseline))
    if not isinstance(overrides, list) or not all(isinstance(one, dict) for one in overrides):
        raise ConfigProblem(f"{path}: overrides: write each as [[tool.torch2lit.overrides]]")
    config = replace(config, overrides=tuple(_override(path, dict(one)) for one in overrides))
    for override in config.overrides:
        _check_together(path, config.changed_by(override))
    return config


def _values(path: Path, table: Mapping[str, object], keys: tuple[str, ...], where: str) -> dict[str, object]:
    """The checked values of a table that may have these keys."""
    values: dict[str, object] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if key.replace("_", "-") not in keys:
            meant = legal.nearest(key, keys)
            hint = f", did you mean {meant!r}?" if meant else f"; known are {', '.join(keys)}"
            raise ConfigProblem(f"{path}: unknown key {key!r} in {where}{hint}")
        try:
            values[name] = _checked(name, value)
        except (TypeError, ValueError, re.error) as error:
            raise ConfigProblem(f"{path}: {key}: {error}") from error
    return values


def _override(path: Path, table: dict[str, object]) -> Override:
    where = "[[tool.torch2lit.overrides]]"
    patterns = table.pop("paths", None)
    if not isinstance(patterns, list) or not patterns or not all(isinstance(one, str) for one in patterns):
        raise ConfigProblem(f"{path}: {where}: paths is no list of patterns")
    try:
        return Override.of(path.absolute().parent, tuple(patterns), _values(path, table, OVERRIDDEN, where))
    except ValueError as error:
        if isinstance(error, ConfigProblem):
            raise
        raise ConfigProblem(f"{path}: {where}: paths: {error}") from error


def _check_together(path: Path, config: Config) -> None:
    try:
        Options(
            accelerator=config.accelerator,
            devices=config.devices,
            num_nodes=config.num_nodes,
            strategy=config.strategy,
            activation_checkpointing=config.activation_checkpointing,
            state_dict_type=config.state_dict_type,
            precision=config.precision,
        )
    except legal.ValueProblem as problem:
        raise ConfigProblem(f"{path}: {problem.name.replace('_', '-')}: {problem}") from problem


def _table_of(path: Path) -> Mapping[str, object] | None:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        document = tomllib.loads(_read(path).decode("utf-8").replace("\r\n", "\n"))
    except ValueError as error:
        raise ConfigProblem(f"{path}: {error}") from error
    except RecursionError as error:
        raise ConfigProblem(f"{path}: nested too deeply") from error
    tools = document.get("tool", {})
    table = tools.get("torch2lit") if isinstance(tools, dict) else None
    if table is not None and not isinstance(table, dict):
        raise ConfigProblem(f"{path}: tool.torch2lit is not a table")
    return table


def _read(path: Path) -> bytes:
    try:
        return read_file(path, _LARGEST)
    except OSError as error:
        raise ConfigProblem(f"{path}: cannot read: {reason_of(error)}") from error


def _checked(name: str, value: object) -> object:
    if name in _NUMBERS:
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise TypeError(f"{value!r} is not a number of at least 1")
        return value
    if name in _LISTS:
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise TypeError(f"{value!r} is neither a text nor a list of texts")
        if "exclude" in name:
            for text in texts:
                re.compile(text)
        return tuple(texts)
    if name == "devices" and isinstance(value, list):
        return legal.devices(str(value))
    if name in ("devices", "precision") and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise ValueError(f"{value!r} is none of {', '.join(_CHOICES[name])}")
    return value
