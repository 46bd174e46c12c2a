"""What the verify command does with its arguments: one proof, or one for each line of a file of commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .cli_options import build_options, check_page, check_version, put_page, read_config, wants_color
from .exit_codes import FAILED
from .terminal import json_text, plain, put

if TYPE_CHECKING:
    from .options import Options
    from .verify import VerifyResult
    from .verify.commands import Command
    from .verify.several_result import SeveralResult

    AnyResult = VerifyResult | SeveralResult

Result = TypeVar("Result")
_WORST_FIRST = (1, 5, 4, 3, FAILED)
"""Trains differently, converted fails, raw fails, undecided, nothing to verify."""


def prove(scripts: tuple[Path, ...], arguments: Sequence[str], given: dict[str, Any]) -> int:
    """Compare a raw script with its conversion, tell the result, and give the exit code. Raises click.UsageError."""
    if given["commands"] is not None:
        return _prove_all(scripts, arguments, given)
    if not scripts:
        raise click.UsageError("Missing argument 'SCRIPT [CONVERTED] [-- ARGS...]'.")
    if len(scripts) > 2:
        raise click.UsageError(
            "verify takes one script, or a raw and a converted one; the script's arguments follow --"
        )
    result = _checked(given, lambda python: _compare(scripts, arguments, given, python, given["nproc"]), scripts)
    if given["report"] is not None:
        from .report.page import pair
        from .run import run_files

        options = build_options(read_config(given["config"], scripts).at(scripts[0]), given)
        shown = [pair(*scripts)] if len(scripts) == 2 else list(run_files(scripts, options, write=False).conversions)
        put_page(given, shown, {one.path: result for one in shown})
    if given["form"] == "json":
        put(json_text(result.to_dict()))
    else:
        text = result.render(wants_color(given["color"], sys.stdout))
        put(text if text.endswith("\n") else text + "\n")
    return result.exit_code


def _prove_all(scripts: Sequence[Path], arguments: Sequence[str], given: dict[str, Any]) -> int:
    from .verify import VerifyError, VerifyResult
    from .verify.commands import read_commands

    if scripts or arguments or given["nproc"] or given["report"]:
        raise click.UsageError(
            "--commands names the scripts, their arguments and processes: nothing else does; it has no --report"
        )
    file: Path = given["commands"]
    try:
        commands = read_commands(file.read_text(encoding="utf-8"), str(file))
    except (VerifyError, OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"--commands: {plain(str(error))}") from error

    def one(command: Command, python: str) -> AnyResult:
        try:
            return _compare((command.script,), command.arguments, given, python, command.processes)
        except VerifyError as error:
            return VerifyResult("unconverted", problem=str(error))

    def all_of_them(python: str) -> list[AnyResult]:
        results = []
        for command in commands:
            results.append(one(command, python))
            if given["form"] == "text":
                shown = results[-1].render(wants_color(given["color"], sys.stdout))
                put(f"{plain(command.text)} ({plain(str(file))}:{command.line})\n{shown}")
        return results

    results = _checked(given, all_of_them, [command.script for command in commands])
    passed = sum(result.passed for result in results)
    if given["form"] == "json":
        told = [
            {"command": command.text, "line": command.line, **result.to_dict()}
            for command, result in zip(commands, results, strict=True)
        ]
        put(json_text({"version": 1, "passed": passed == len(results), "commands": told}))
    else:
        put(f"{passed} of {len(results)} passed\n")
    codes = {result.exit_code for result in results}
    return next((code for code in _WORST_FIRST if code in codes), 0)


def _checked(given: dict[str, Any], work: Callable[[str], Result], near: Sequence[Path]) -> Result:
    """What the work gives with the interpreter of the scripts. Exits with 123 when no proof can be attempted."""
    from .verify import VerifyError

    check_version(read_config(given["config"], near), given)
    check_page(given)
    python = _interpreter(given["python"])
    try:
        return work(python)
    except VerifyError as error:
        click.echo(f"Error: {plain(str(error), lines=True)}", err=True)
        raise click.exceptions.Exit(FAILED) from error


def _compare(
    scripts: Sequence[Path], arguments: Sequence[str], given: dict[str, Any], python: str, processes: int | None
) -> AnyResult:
    from .cache.folder import cache_folder
    from .verify import verify
    from .verify.kept import KeptResults
    from .verify.progress import Line, quiet
    from .verify.several import verify_several

    options = build_options(read_config(given["config"], scripts).at(scripts[0]), given)
    several = _asks_for_several(scripts, options, processes, given)
    on_terminal = sys.stderr is not None and sys.stderr.isatty() and _wants_line()
    with Line(sys.stderr) if on_terminal else nullcontext(quiet) as watch:
        if several:
            steps, timeout = given["steps"], given["timeout"]
            return verify_several(
                scripts[0],
                arguments,
                options=options,
                python=python,
                steps=steps,
                timeout=timeout,
                watch=watch,
                synthetic_data=given["synthetic_data"],
            )
        return verify(
            scripts[0],
            scripts[1] if len(scripts) == 2 else None,
            arguments,
            options=options,
            steps=given["steps"],
            fast_dev_run=given["fast_dev_run"],
            resume_at=given["resume_at"],
            timeout=given["timeout"],
            python=python,
            processes=processes,
            watch=watch,
            synthetic_data=given["synthetic_data"],
            results=None if given["no_cache"] else KeptResults(cache_folder()),
        )


def _asks_for_several(scripts: Sequence[Path], options: Options, processes: int | None, given: dict[str, Any]) -> bool:
    """Whether the processes of one conversion are to be compared with each other, not raw with converted.

    A script that makes its processes itself is compared with its conversion, in as many processes. Raises click.UsageError.
    """
    from .verify.several import makes_its_processes, number_of_processes

    if not options.several_processes or processes is not None or len(scripts) > 1 or makes_its_processes(scripts[0]):
        return False
    if given["fast_dev_run"]:
        return False
    if number_of_processes(options) < 2:
        return False
    if given["report"] is not None:
        raise click.UsageError("--report shows raw and converted: it does not go with --devices of several processes")
    return True


def _wants_line() -> bool:
    """Whether a terminal can write a line anew."""
    return os.environ.get("TERM") != "dumb"


def _interpreter(name: str | None) -> str:
    """The interpreter that has torch and lightning: torch2lit's own unless another one is named. Raises click.UsageError."""
    if name is not None:
        import shutil

        if (found := shutil.which(name)) is None:
            raise click.BadParameter(f"{name!r} is no program", param_hint="--python")
        return found
    from importlib.util import find_spec

    if missing := [package for package in ("torch", "lightning") if find_spec(package) is None]:
        needed = " and ".join(missing)
        raise click.UsageError(
            f"verify runs both scripts and needs {needed}: pip install torch2lit[verify], "
            "or name the interpreter that has them by --python"
        )
    return sys.executable
