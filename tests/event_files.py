"""What TensorBoard's event files hold, without times: the points of a folder in the order in which they were written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def is_event_file(path: Path) -> bool:
    """Whether a file is one of TensorBoard's."""
    return "tfevents" in path.name


def points(files: Iterable[Path]) -> bytes:
    """Tag, step and value of every point in the files, and the graphs; scalars are read, all else by its digest."""
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    lines: list[str] = []
    for file in sorted(files, key=_order):
        for event in LegacyEventFileLoader(str(file)).Load():
            if event.HasField("graph_def"):
                lines.append(f"graph {hashlib.sha1(event.graph_def).hexdigest()}")
            for value in event.summary.value:
                if value.tag.startswith("_hparams_/"):  # the logger tells the script's options there as well
                    continue
                held = value.simple_value if value.HasField("simple_value") else _digest(value)
                lines.append(f"{value.tag} {event.step} {held!r}")
    return "\n".join(lines).encode()


def _order(file: Path) -> list[tuple[bool, int, str]]:
    """Files of one second are numbered, and the tenth is behind the ninth."""
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in file.name.split(".")]


def _digest(value: object) -> str:
    return hashlib.sha1(value.SerializeToString()).hexdigest()  # type: ignore[attr-defined]
