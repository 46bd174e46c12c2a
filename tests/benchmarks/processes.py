"""Whole processes against ``python -c pass``."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

from measure import ROOT, Row, Setting


def rows(setting: Setting) -> list[Row]:
    """The help text, and one script end to end."""
    script = setting.median_script
    commands = {
        "help": (["-m", "torch2lit", "--help"], 6.0, ""),
        "whole-process": (["-m", "torch2lit", "convert", "--check", str(script)], 30.0, _name(script.parts)),
    }
    found = []
    for name, (arguments, budget, detail) in commands.items():
        _cpu(arguments)
        values = [_cpu(arguments) / _cpu(["-c", "pass"]) for _ in range(max(5, setting.rounds))]
        found.append(Row(name, statistics.median(values), budget, f"x python -c pass; {detail}".strip("; ")))
    return found


def _name(parts: tuple[str, ...]) -> str:
    return "/".join(parts[-2:])


def _cpu(arguments: list[str]) -> float:
    before = os.times()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=False, cwd=ROOT)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return max(spent, 0.001)
