"""The command line's options, each defined once, and what they become."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from . import __version__
from .terminal import plain

if TYPE_CHECKING:
    from .config import Config
    from .files.discovery import Excludes
    from .options import Options
    from .program import Conversion

Command = TypeVar("Command", bound=Callable[..., object])

# Written out here so that the help needs no import; a test compares them with their homes.
TARGETS = ("auto", "trainer", "fabric")
LEVELS = ("exact", "native")
CHECKPOINTS = ("own", "callback", "lightning")
LOGGERS = ("own", "auto", "tensorboard", "csv", "wandb", "mlflow")
METRICS = ("own", "native")
FORMATS = ("text", "json", "github", "sarif", "junit")


class _LoggerChoice(click.Choice[str]):
    """The loggers, and what to do instead for one that is none of them."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value == "neptune":
            from .lightning_values import NO_NEPTUNE

            self.fail(NO_NEPTUNE, param, ctx)
        return super().convert(value, param, ctx)


def _stack(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


class Shard(click.ParamType[tuple[int, int]]):
    """``I/N``: the I-th of N parts, counted from 1."""

    name = "shard"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The two numbers."""
        if not isinstance(value, str):
            return value
        first, _, second = value.partition("/")
        if not (first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second)):
            self.fail(f"{value!r} is not I/N with 1 <= I <= N", param, ctx)
        return int(first), int(second)


trainer_options = _stack(
    click.option("--target", type=click.Choice(TARGETS), help="How far to go; auto is the best that holds."),
    click.option(
        "--level",
        type=click.Choice(LEVELS),
        help="exact: also what is written and printed stays; native: that may become Lightning's own.",
    ),
    click.option(
        "--checkpoints",
        type=click.Choice(CHECKPOINTS),
        help="Who saves: the script's own lines, ModelCheckpoint the script's own files (callback), or ModelCheckpoint (native).",
    ),
    click.option(
        "--logger",
        type=_LoggerChoice(LOGGERS),
        help="Who writes the numbers: the script's own writers, or a logger of Lightning's; auto is the one of the script's kind, else csv (native).",
    ),
    click.option(
        "--datamodule",
        flag_value="lightning",
        default=None,
        help="Loaders, and the data that is made for them alone, in a LightningDataModule.",
    ),
    click.option(
        "--callbacks",
        flag_value="lightning",
        default=None,
        help="An average of the weights (AveragedModel) kept by a callback of Lightning's.",
    ),
    click.option(
        "--metrics",
        type=click.Choice(METRICS),
        help="Who adds up the numbers of an epoch: the script's own sums and meters, or self.log(..., on_epoch=True) (native).",
    ),
    click.option(
        "--lightning-cli",
        flag_value="lightning",
        default=None,
        help="The script's flags read by a LightningCLI, which makes the module of typed hyper-parameters.",
    ),
    click.option(
        "--switches",
        metavar="NAMES",
        help="Flags that the converted script gets for its Trainer: deterministic, benchmark, fast-dev-run, barebones, profile.",
    ),
    click.option("--accelerator", metavar="NAME", help="auto, cpu, gpu, cuda, mps or tpu."),
    click.option("--devices", metavar="N", help="auto, a count, -1 for all, or indices such as 0,1."),
    click.option("--num-nodes", type=int, metavar="N", help="How many machines."),
    click.option("--strategy", metavar="NAME", help="ddp, fsdp, fsdp2, deepspeed_stage_2, ..."),
    click.option(
        "--activation-checkpointing",
        flag_value="blocks",
        default=None,
        help="With fsdp: the activations of the model's repeated blocks are computed again in the backward pass.",
    ),
    click.option("--state-dict-type", metavar="NAME", help="With fsdp: checkpoints are full, one file, or sharded."),
    click.option("--precision", metavar="NAME", help="32-true, 16-mixed, bf16-mixed, ..."),
)

no_cache_option = click.option("--no-cache", is_flag=True, help="Neither use nor keep results of earlier runs.")

discovery_options = _stack(
    click.option(
        "--exclude",
        multiple=True,
        metavar="REGEX",
        help="Paths to leave out in folders, instead of the usual .git, .venv, build, ...",
    ),
    click.option("--extend-exclude", multiple=True, metavar="REGEX", help="Paths to leave out besides."),
    click.option("--force-exclude", multiple=True, metavar="REGEX", help="The same, even for files that are named."),
    click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Processes; one per CPU."),
    click.option(
        "--time-limit",
        type=click.IntRange(min=1),
        metavar="SECONDS",
        help="What one file may take before it is left as it is; 300 by default.",
    ),
    no_cache_option,
    click.option(
        "--shard", type=Shard(), metavar="I/N", help="Only the I-th of N parts of the files, for CI machines."
    ),
)

report_options = _stack(
    click.option("--format", "form", type=click.Choice(FORMATS), default="text", help="Who the result is for."),
    click.option("--select", multiple=True, metavar="CODE", help="Show only these findings."),
    click.option("--ignore", multiple=True, metavar="CODE", help="Do not show these findings."),
    click.option("--fail-on", type=click.Choice(("review", "refused")), help="Exit 1 on a finding of this weight."),
    click.option(
        "--baseline",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Findings and convertible files that this file lists are accepted: they are not shown and do not fail.",
    ),
    click.option("--write-baseline", is_flag=True, help="Write all that is found into the file of --baseline."),
    click.option("--statistics", is_flag=True, help="Counts of outcomes and findings instead of each finding."),
    click.option("-q", "--quiet", is_flag=True, help="Only failures."),
    click.option("-v", "--verbose", is_flag=True, help="Also unchanged files and what became of each line."),
)

page_option = click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.html",
    help="Also write a page for reviewers: raw and converted side by side.",
)
config_option = click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read [tool.torch2lit] from this file instead of the nearest pyproject.toml.",
)
required_version_option = click.option(
    "--required-version",
    metavar="VERSION",
    help="Refuse to run under another version; 0.1 means any 0.1.x.",
)
color_option = click.option("--color/--no-color", default=None, help="Colours; by default on a terminal.")


def read_config(path: Path | None, near: Sequence[Path]) -> Config:
    """The configuration that holds for a run. Raises click.UsageError when it is wrong."""
    from .config import Config, ConfigProblem, find_config, load_config

    try:
        found = path or find_config(near)
        return load_config(found) if found else Config()
    except ConfigProblem as problem:
        raise click.UsageError(plain(str(problem))) from problem


def check_version(config: Config, given: dict[str, Any]) -> None:
    """Stop a run that another version is wanted for. Raises click.UsageError."""
    wanted = _first(given.get("required_version"), config.required_version)
    if wanted is not None and f"{__version__}.".find(f"{wanted.strip()}.") != 0:
        raise click.UsageError(f"version {wanted} is required, this is {__version__}")


def build_options(config: Config, given: dict[str, Any]) -> Options:
    """The options of the command line, else of the configuration. Raises click.BadParameter."""
    from .lightning_values import ValueProblem
    from .options import Options

    names = (
        "accelerator",
        "devices",
        "num_nodes",
        "strategy",
        "activation_checkpointing",
        "state_dict_type",
        "precision",
        "checkpoints",
        "logger",
        "datamodule",
        "callbacks",
        "metrics",
        "lightning_cli",
        "switches",
    )
    values = {name: _first(given.get(name), getattr(config, name)) for name in names}
    target = _first(given.get("target"), config.target) or "auto"
    level = _first(given.get("level"), config.level) or "exact"
    limit = _first(given.get("time_limit"), config.time_limit)
    more = {} if limit is None else {"time_limit": limit}
    try:
        fail_on = _first(given.get("fail_on"), config.fail_on)
        return Options(**values, target=target, level=level, fail_on=fail_on, **more)
    except ValueProblem as problem:
        raise click.BadParameter(str(problem), param_hint=f"--{problem.name.replace('_', '-')}") from problem


def build_excludes(config: Config, given: dict[str, Any]) -> Excludes:
    """What to leave out, from the command line, else the configuration."""
    from .files.discovery import Excludes

    return Excludes(
        _joined(given["exclude"] or config.exclude),
        _joined(given["extend_exclude"] or config.extend_exclude),
        _joined(given["force_exclude"] or config.force_exclude),
    )


def options_by_path(config: Config, given: dict[str, Any]) -> Options | Callable[[Path], Options]:
    """The options of all files, or of each where the configuration has overrides. Raises click.BadParameter."""
    if not config.overrides:
        return build_options(config, given)
    for override in config.overrides:  # what is wrong is told before any work is done
        build_options(config.changed_by(override), given)
    return lambda path: build_options(config.at(path), given)


def selection_by_path(config: Config, given: dict[str, Any]) -> Callable[[str], tuple[list[str], list[str]]]:
    """The selectors of findings for each path. Raises click.BadParameter for one that means no finding."""
    chosen = build_selection(config, given)
    if not config.overrides:
        return lambda path: chosen
    for override in config.overrides:
        build_selection(config.changed_by(override), given)
    return lambda path: build_selection(config.at(Path(path)), given)


def build_selection(config: Config, given: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The selectors of findings. Raises click.BadParameter for one that means no finding."""
    chosen = []
    for name in ("select", "ignore"):
        selectors = [code.strip() for text in given[name] or getattr(config, name) or () for code in text.split(",")]
        for selector in filter(None, selectors):
            _check_selector(f"--{name}", selector)
        chosen.append(list(filter(None, selectors)))
    return chosen[0], chosen[1]


def rule_named(name: str, param_hint: str) -> Any:
    """The rule with a code or slug. Raises click.BadParameter that names the nearest one."""
    from . import catalogue as catalogue
    from .findings import rule

    try:
        return rule(name)
    except KeyError as error:
        raise click.BadParameter(f"{name!r} is no finding{_nearest_rule(name)}", param_hint=param_hint) from error


def wants_color(color: bool | None, stream: TextIO) -> bool:
    """Whether a stream gets colours: as asked for, else by NO_COLOR and FORCE_COLOR, else on a terminal."""
    if color is not None:
        return color
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def check_page(given: dict[str, Any]) -> None:
    """Say before any work is done that the page of `--report` cannot be made. Raises click.UsageError."""
    if (path := given.get("report")) is None:
        return
    from importlib.util import find_spec

    if find_spec("jinja2") is None or find_spec("pygments") is None:
        raise click.UsageError("--report needs jinja2 and pygments: pip install torch2lit[report]")
    if path.exists() and not path.is_file():
        raise click.UsageError(f"--report {path}: not a file")
    if not path.absolute().parent.is_dir():
        raise click.UsageError(f"--report {path}: its folder does not exist")


def check_baseline(config: Config, given: dict[str, Any]) -> None:
    """Say before any work is done that the baseline cannot be used; make its path the configured one. Raises click.UsageError."""
    if given["baseline"] is None and config.baseline is not None:
        given["baseline"] = Path(config.baseline)
    path = given["baseline"]
    if path is None:
        if given["write_baseline"]:
            raise click.UsageError("--write-baseline needs --baseline FILE")
        return
    from .report.baseline import Baseline, BaselineProblem

    try:
        if not given["write_baseline"]:
            given["known"] = Baseline.read(path)
        elif not path.absolute().parent.is_dir():
            raise BaselineProblem(f"{path}: its folder does not exist")
    except BaselineProblem as error:
        raise click.UsageError(f"--baseline {plain(str(error))}") from error


def put_baseline(given: dict[str, Any], conversions: Sequence[Conversion]) -> None:
    """Write what `--write-baseline` asks for. Raises click.UsageError when that cannot be done."""
    from .files.errors import WriteError
    from .files.reading import reason_of
    from .files.writing import write_file
    from .report.baseline import Baseline

    path: Path = given["baseline"]
    given["known"] = Baseline.of(path.absolute().parent, conversions)
    text = given["known"].text().encode()
    try:
        expected = path.read_bytes() if path.is_file() else None
        if expected != text:
            write_file(path, text, expected=expected, is_held=lambda _path, _data: True)
    except (OSError, WriteError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else error
        raise click.UsageError(f"--baseline {plain(str(path))}: {reason}") from error


def put_page(given: dict[str, Any], conversions: Sequence[Conversion], verified: Any = None) -> None:
    """Write the page that `--report` asks for. Raises click.UsageError when that cannot be done."""
    if (path := given.get("report")) is None:
        return
    from .files.errors import WriteError
    from .report.page import write_page

    try:
        write_page(path, conversions, verified)
    except (OSError, WriteError) as error:
        raise click.UsageError(f"--report {path}: {error}") from error


def _first(given: Any, configured: Any) -> Any:
    return configured if given is None else given


def _joined(expressions: Sequence[str] | None) -> str | None:
    if not expressions:
        return None
    return "|".join(f"(?:{expression})" for expression in expressions if expression)


def _check_selector(param_hint: str, selector: str) -> None:
    from . import catalogue as catalogue
    from .findings import rules
    from .report.selection import matches

    if not any(matches(selector, rule) for rule in rules()):
        raise click.BadParameter(f"{selector!r} is no finding{_nearest_rule(selector)}", param_hint=param_hint)


def _nearest_rule(name: str) -> str:
    from difflib import get_close_matches

    from .findings import rules

    names = [spelled for rule in rules() for spelled in (rule.code.lower(), rule.slug)]
    found = get_close_matches(name.lower(), names, 1, 0.5)
    if not found:
        return ""
    meant = next(rule for rule in rules() if found[0] in (rule.code.lower(), rule.slug))
    return f", did you mean {meant.code} {meant.slug}?"
