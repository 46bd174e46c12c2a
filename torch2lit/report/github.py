"""Annotations for GitHub Actions."""

from __future__ import annotations

from collections.abc import Sequence

from ..exit_codes import PREVIEW, Ending
from ..program import Conversion, Outcome
from ..terminal import plain
from .places import error_parts

_COMMANDS = {"note": "notice", "review": "warning", "refused": "error"}


def render_github(conversions: Sequence[Conversion], ending: Ending = PREVIEW) -> str:
    """One workflow command per failure, finding and changed file; other files are plain lines of the log.

    The last command of a red run says why it is red.
    """
    lines = [line for one in conversions for line in _annotations(one, ending)]
    if ending.code:
        lines.append(f"::error title=torch2lit::{_data(f'exit code {ending.code}: {ending.reason}')}\n")
    return "".join(lines)


def _annotations(one: Conversion, ending: Ending) -> list[str]:
    lines: list[str] = []
    if one.outcome is Outcome.FAILED:
        line, column, reason = error_parts(one)
        lines.append(_command("error", one.path, line, column, line, "torch2lit", reason))
    for finding in one.findings:
        end = finding.end_line or finding.line
        title = f"{finding.code} {finding.slug}"
        message = f"{finding.message}\n{finding.remedy}" if finding.remedy else finding.message
        command = _COMMANDS[finding.severity]
        lines.append(_command(command, one.path, finding.line, finding.column, end, title, message))
    happened = ending.happened(one)
    if one.outcome is Outcome.CONVERTED:
        lines.append(_command("error" if ending.changes(one) else "notice", one.path, 0, 0, 0, "torch2lit", happened))
    elif one.outcome is not Outcome.FAILED:
        lines.append(f"torch2lit: {plain(one.path)}: {plain(happened)}\n")
    return lines


def _command(name: str, path: str, line: int, column: int, end: int, title: str, message: str) -> str:
    properties = {"file": path}
    if line:
        properties |= {"line": str(line), "endLine": str(end)}
        # GitHub drops an annotation whose columns stand beside different lines.
        if line == end:
            properties["col"] = str(max(column, 1))
    properties["title"] = title
    joined = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name} {joined}::{_data(message)}\n"


def _data(text: str) -> str:
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return plain(escaped)


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
