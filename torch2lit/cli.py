"""The command line: options in, the engine called, a report out, an exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__
from .cli_options import (
    build_excludes,
    build_options,
    check_baseline,
    check_page,
    check_version,
    color_option,
    config_option,
    discovery_options,
    no_cache_option,
    options_by_path,
    page_option,
    put_baseline,
    put_page,
    read_config,
    report_options,
    required_version_option,
    rule_named,
    selection_by_path,
    trainer_options,
    wants_color,
)
from .cli_slurm import check_slurm, put_slurm
from .exit_codes import FAILED
from .terminal import plain, plain_path, put, put_bytes

if TYPE_CHECKING:
    from .config import Config
    from .exit_codes import Ending
    from .program import Conversion
    from .run import Run

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_STDIN = "-"


class _Program(click.Group):
    """The commands, and a clean end when one of them is stopped or meets what nobody thought of."""

    def main(self, *args: Any, **extra: Any) -> Any:
        from .ending import ended_cleanly

        with ended_cleanly():
            return super().main(*args, **extra)


@click.group(cls=_Program, context_settings=_CONTEXT)
@click.version_option(__version__, prog_name="torch2lit", message="%(prog)s %(version)s")
def main() -> None:
    """Convert raw PyTorch training scripts to PyTorch Lightning and prove that they still train the same.

    Exit codes: 0 done; 1 --check would change something, or --fail-on; 2 wrong usage or configuration; 123
    some file failed, the others were done.
    """


@main.command(short_help="Convert files, notebooks and folders, in place.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--diff", is_flag=True, help="Print the change as a unified diff; write nothing.")
@click.option("--check", is_flag=True, help="Exit 1 if something would change; write nothing.")
@click.option("-o", "--output", metavar="PATH", help="Write there: a file, or a folder if it ends in / or exists.")
@click.option(
    "--slurm",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write a batch script that starts the converted script under SLURM.",
)
@click.option("--stdin-filename", default="<stdin>", metavar="PATH", help="What to call the text from stdin.")
@trainer_options
@discovery_options
@report_options
@page_option
@config_option
@required_version_option
@color_option
@click.pass_context
def convert(context: click.Context, /, paths: tuple[str, ...], **given: Any) -> None:
    """Convert files, notebooks and everything below folders in place; - converts stdin to stdout."""
    preview = bool(given["diff"] or given["check"])
    if given["write_baseline"] and not preview:
        raise click.UsageError("--write-baseline needs --check or --diff: it lists what stays as it is for now")
    check_slurm(paths, given)
    if _STDIN in paths:
        if len(paths) > 1:
            raise click.UsageError("- (stdin) cannot be mixed with other paths")
        context.exit(_convert_stdin(given))
    run = _run(paths, given, write=not preview)
    shown, ending = _conclude(run.conversions, given, written=not preview)
    put_page(given, shown)
    _report(shown, given, ending, kept=run.kept, named=paths)
    if problem := put_slurm(paths[0], run.conversions, given):
        put(f"no batch script is written to {plain_path(str(given['slurm']))}: {plain(problem)}\n", err=True)
        context.exit(ending.code or FAILED)
    context.exit(ending.code)


@main.command(short_help="Show what is found and how it would be converted.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@trainer_options
@discovery_options
@report_options
@page_option
@config_option
@required_version_option
@color_option
@click.pass_context
def analyze(context: click.Context, /, paths: tuple[str, ...], **given: Any) -> None:
    """Show what is found: the training loops, roles, phases, idioms, and how the loop would be converted."""
    run = _run(paths, given, write=False)
    shown, ending = _conclude(run.conversions, given, written=False)
    put_page(given, shown)
    if given["form"] == "text":
        from .report.analysis import render_analysis
        from .report.text import render_summary

        color = wants_color(given["color"], sys.stdout)
        if given["statistics"]:
            from .report.statistics import render_statistics

            put(render_statistics(shown))
        else:
            put(render_analysis(shown, verbose=given["verbose"], quiet=given["quiet"], color=color))
        if not given["quiet"]:
            put(
                render_summary(shown, written=False, color=wants_color(given["color"], sys.stderr)),
                err=True,
            )
    else:
        _report(shown, given, ending)
    context.exit(ending.code)


class _ScriptCommand(click.Command):
    """A command that leaves everything after -- to the script."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        cut = args.index("--") if "--" in args else len(args)
        ctx.meta["script_arguments"] = tuple(args[cut + 1 :])
        return super().parse_args(ctx, args[:cut])


@main.command(cls=_ScriptCommand, short_help="Run raw and converted, compare every step.")
@click.argument(
    "scripts",
    nargs=-1,
    metavar="SCRIPT [CONVERTED] [-- ARGS...]",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--steps", type=click.IntRange(min=1), metavar="N", help="Compare only the first N optimizer steps.")
@click.option("--fast-dev-run", is_flag=True, help="One batch of each phase is enough.")
@click.option(
    "--resume-at",
    type=click.IntRange(min=1),
    metavar="EPOCH",
    help="Also stop the converted script after so many epochs, resume it, and compare.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=600.0,
    metavar="SECONDS",
    show_default=True,
    help="How long each of the two runs may take; what both did until then is compared.",
)
@click.option(
    "--python", metavar="PROGRAM", help="The interpreter that has torch and lightning, when it is not torch2lit's own."
)
@click.option(
    "--commands",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Verify each line of the file, such as: train.py --epochs 2",
)
@click.option(
    "--synthetic-data",
    is_flag=True,
    help="Small data sets stand in for those of torchvision that are not there: MNIST, CIFAR10, folders of images, ...",
)
@click.option(
    "--nproc",
    type=click.IntRange(min=1),
    metavar="N",
    help="Start both in N processes each, with the environment of torchrun (gloo, CPU), and compare every rank.",
)
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", help="Who the result is for.")
@no_cache_option
@page_option
@trainer_options
@config_option
@required_version_option
@color_option
@click.pass_context
def verify(context: click.Context, /, scripts: tuple[Path, ...], **given: Any) -> None:
    """Run a raw script and its conversion with the same arguments and compare every optimizer step.

    With one script a copy is converted; with two they are compared as they are, however the second was made.

    A script that torchrun starts needs --nproc; one that spawns its processes itself does not, and each of them is
    compared. In ARGS, {rank}, {local_rank} and {world_size} stand for the numbers of each process.

    With --devices N (and --num-nodes) the conversion runs in N processes (gloo, CPU), which are compared with each other, and its
    evaluations with those of one process with the same weights. The raw script is left out of that, unless it makes its processes itself.

    The exit code says what happened: 0 the same, 1 trains differently, 3 the raw script does not repeat itself, 4 the raw
    script fails, 5 the converted one does, 123 there is nothing to compare.
    """
    from .cli_verify import prove

    context.exit(prove(scripts, context.meta["script_arguments"], given))


@main.command(short_help="Say what a finding means and what to do.")
@click.argument("code")
@color_option
def explain(code: str, color: bool | None) -> None:
    """Say what a finding means and what to do; CODE is a code such as T2L001 or its name."""
    from .report.explanation import render_rule

    put(render_rule(rule_named(code, "CODE"), color=wants_color(color, sys.stdout)))


def _run(paths: tuple[str, ...], given: dict[str, Any], *, write: bool) -> Run:
    from .cache import Cache, cache_folder
    from .file_bar import file_bar
    from .run import run_files

    check_page(given)
    places = [Path(path) for path in paths]
    config = _configured(places, given)
    with file_bar(given) as tell, _usage_errors():
        return run_files(
            places,
            options_by_path(config, given),
            excludes=build_excludes(config, given),
            write=write,
            output=given.get("output"),
            jobs=given["jobs"] or config.jobs,
            shard=given["shard"] or (1, 1),
            cache=None if given["no_cache"] else Cache(cache_folder()),
            tell=tell,
        )


@contextmanager
def _usage_errors() -> Iterator[None]:
    """Paths and patterns that cannot be used are told as wrong usage."""
    from .destinations import DestinationProblem
    from .files.discovery import ExcludeProblem

    try:
        yield
    except FileNotFoundError as error:
        raise click.BadParameter(f"{plain_path(str(error))} does not exist", param_hint="PATH") from error
    except (ExcludeProblem, DestinationProblem) as error:
        raise click.UsageError(plain(str(error))) from error


def _configured(places: Sequence[Path], given: dict[str, Any]) -> Config:
    """The configuration near the places, and what it says where the command line is silent."""
    config = read_config(given["config"], places)
    check_version(config, given)
    given["fail_on"] = given["fail_on"] or config.fail_on
    given["selection"] = selection_by_path(config, given)
    check_baseline(config, given)
    if given["statistics"] and given["form"] not in ("text", "json"):
        raise click.UsageError("--statistics goes with --format text or json")
    return config


def _conclude(
    conversions: Sequence[Conversion], given: dict[str, Any], *, written: bool
) -> tuple[list[Conversion], Ending]:
    from .exit_codes import ending_of
    from .report.selection import select_findings

    shown = select_findings(conversions, given["selection"])
    may_stay_raw: frozenset[str] = frozenset()
    if given["write_baseline"]:
        put_baseline(given, shown)
    if (known := given.get("known")) is not None:
        judged = known.judge(shown)
        shown, may_stay_raw = judged.conversions, judged.raw
        if judged.gone and not given["quiet"]:
            entries = "entry occurs" if judged.gone == 1 else "entries occur"
            put(f"{judged.gone} {entries} no more in the baseline: --write-baseline takes them out\n", err=True)
    check, fail_on = given.get("check", False), given["fail_on"]
    return shown, ending_of(shown, check=check, fail_on=fail_on, written=written, may_stay_raw=may_stay_raw)


def _report(
    shown: Sequence[Conversion],
    given: dict[str, Any],
    ending: Ending,
    *,
    kept: Sequence[tuple[Path, Path]] = (),
    named: Sequence[str] = (),
) -> None:
    if given["form"] != "text":
        from .report.formats import render_for_programs

        extra = {"diff": given.get("diff", False), "statistics": given["statistics"]}
        put(render_for_programs(given["form"], shown, ending, **extra))
        return
    if given.get("diff"):
        from .report.diff import render_diffs

        put(render_diffs(shown, color=wants_color(given["color"], sys.stdout)))
    if given["statistics"]:
        from .report.statistics import render_statistics

        put(render_statistics(shown))
    _report_messages(shown, given, ending, kept=kept, named=named)


def _report_messages(
    shown: Sequence[Conversion],
    given: dict[str, Any],
    ending: Ending,
    *,
    kept: Sequence[tuple[Path, Path]] = (),
    named: Sequence[str] = (),
) -> None:
    from .report.text import render_messages, render_summary

    color = wants_color(given["color"], sys.stderr)
    known = {Path(path).as_posix() for path in named}
    verbose, quiet = given["verbose"], given["quiet"] or given["statistics"]
    put(render_messages(shown, ending, verbose=verbose, quiet=quiet, color=color, named=known), err=True)
    if not given["quiet"]:
        told = ((plain_path(str(file)), plain_path(str(original))) for file, original in kept)
        put("".join(f"{file}: original kept as {original}\n" for file, original in told), err=True)
        put(render_summary(shown, written=ending.written, color=color), err=True)


def _convert_stdin(given: dict[str, Any]) -> int:
    """Convert stdin to stdout; on a failure the input comes out unchanged, as editors rely on."""
    from .process import process_bytes

    preview = given["diff"] or given["check"]
    if given["form"] != "text" and not preview:
        raise click.UsageError(f"stdout carries the code of -: add --check for a report in --format {given['form']}")
    if given["output"] is not None:
        raise click.UsageError("- (stdin) goes to stdout; -o cannot be used with it")
    name: str = given["stdin_filename"]
    place = Path(name) if name != "<stdin>" else Path()
    config = _configured([place], given)
    options = build_options(config.at(place), given)
    if sys.stdin is None:
        raise click.UsageError("stdin is closed, so there is nothing to convert")
    try:
        read = sys.stdin.buffer.read()
    except OSError as error:
        raise click.UsageError(f"cannot read stdin: {error.strerror or error}") from error
    done = process_bytes(read, name, options)
    shown, ending = _conclude([done.conversion], given, written=not preview)
    if preview:
        _report(shown, given, ending)
    else:
        put_bytes(done.read if done.result is None else done.result)
        _report_messages(shown, given, ending)
    return ending.code
