"""What wandb (offline) and mlflow have written to a folder: the points of each run, without times."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

_BLOCK, _HEAD = 1 << 15, 7
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def wandb_rows(folder: Path) -> list[str]:
    """The rows, the settings and the declared axes of the runs in a folder, in the order in which they were written."""
    import wandb.proto.wandb_internal_pb2 as messages

    told = []
    for file in sorted(folder.rglob("run-*.wandb")):
        for data in _records(file.read_bytes()):
            record = messages.Record()
            record.ParseFromString(data)
            told += [line for line in _lines(record) if line]
    return told


def _lines(record: object) -> Iterator[str]:
    match record.WhichOneof("record_type"):  # type: ignore[attr-defined]
        case "history":
            history = record.history  # type: ignore[attr-defined]
            row = {"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in history.item}
            yield f"row {history.step.num} {_without_times(row)}"
        case "metric":
            yield f"axis {record.metric.name or record.metric.glob_name} {record.metric.step_metric}"  # type: ignore[attr-defined]
        case "run":
            run = record.run  # type: ignore[attr-defined]
            config = {u.key or "/".join(u.nested_key): u.value_json for u in run.config.update}
            yield f"run {run.project} {run.display_name} {_without_times(config)}"
        case "config":
            config = {u.key or "/".join(u.nested_key): u.value_json for u in record.config.update}  # type: ignore[attr-defined]
            yield f"config {_without_times(config)}" if _without_times(config) else ""
        case "exit":
            yield f"exit {record.exit.exit_code}"  # type: ignore[attr-defined]


def _without_times(row: dict[str, object]) -> dict[str, object]:
    return {
        key: value for key, value in sorted(row.items()) if not key.startswith(("_timestamp", "_runtime", "_wandb"))
    }


def _records(data: bytes) -> Iterator[bytes]:
    """The records of a log of LevelDB's format, as wandb writes its runs: blocks with a small head before each piece."""
    place, piece = _HEAD, b""
    while place + _HEAD <= len(data):
        if _BLOCK - place % _BLOCK < _HEAD:
            place += _BLOCK - place % _BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + _HEAD])
        body = data[place + _HEAD : place + _HEAD + length]
        place += _HEAD + length
        piece = body if kind in (_FULL, _FIRST) else piece + body
        if kind in (_FULL, _LAST):
            yield piece


def mlflow_points(folder: Path) -> list[str]:
    """Every metric, parameter and the name and end of each run in a file store, the runs by their start."""
    from mlflow.tracking import MlflowClient

    client, told = MlflowClient(folder.as_uri()), []
    runs = [run for experiment in client.search_experiments() for run in client.search_runs([experiment.experiment_id])]
    for run in sorted(runs, key=lambda r: r.info.start_time):
        told.append(f"run {run.data.tags.get('mlflow.runName') if run.data.params else ''} {run.info.status}")
        told += [f"parameter {key} {value}" for key, value in sorted(run.data.params.items())]
        for key in sorted(run.data.metrics):
            history = client.get_metric_history(run.info.run_id, key)
            told += [f"metric {key} {point.step} {point.value!r}" for point in history]
    return told
