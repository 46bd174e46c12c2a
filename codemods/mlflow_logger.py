"""The metrics that the script logs to MLflow in the training go through ``MLFlowLogger``, into the same run: with ``--logger``.

    mlflow.start_run(run_name="digits")              →   mlflow.start_run(run_name="digits")
    ...                                              →   Trainer(logger=MLFlowLogger(run_id=mlflow.active_run().info.run_id, tracking_uri=mlflow.get_tracking_uri()))
    mlflow.log_metric("loss", loss, step=epoch)      →   self.logger.log_metrics({"loss": loss}, step=epoch)
    mlflow.log_params(vars(args))                    →   mlflow.log_params(vars(args))

The logger would change a name with other characters than letters, digits and `_/. -`: such a metric stays the script's line. So do parameters, artifacts and what
stands around the training: the run is one, so nothing of it is in another place.
Source: https://lightning.ai/docs/pytorch/stable/extensions/generated/lightning.pytorch.loggers.MLFlowLogger.html
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..feature import AROUND, Note, Proposal, Training
from ..open_runs import NotOpen, OpenRun, Service, opened
from ..program import TrainerSpec

_OPTION, _NOW, _KEPT = "logger", "points-by-lightning", "writer-kept"
_MLFLOW = Service(
    "mlflow",
    opens=frozenset({"mlflow.start_run"}),
    ends=frozenset({"mlflow.end_run", "mlflow.set_tracking_uri", "mlflow.delete_run"}),
    methods=frozenset({"set_terminated"}),
    unknown=frozenset(
        {
            "mlflow.autolog",
            "mlflow.pytorch.autolog",
            "mlflow.set_active_model",
            "mlflow.initialize_logged_model",
            "mlflow.create_external_model",
            "mlflow.log_input",
            "mlflow.log_inputs",
            "mlflow.enable_system_metrics_logging",
        }
    ),
)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_STAYS = "the script goes on writing to MLflow itself"
_PLAIN = re.compile(r"[a-zA-Z0-9_/. -]+")
"""The names that the logger takes as they are."""
_FUNCTIONS = {"mlflow.log_metric", "mlflow.log_metrics"}


@dataclass(frozen=True, slots=True)
class MlflowPoints:
    """Proposes an ``MLFlowLogger`` for the run that is open all through the training."""

    name: str = "mlflow_logger"
    after: Sequence[str] = ("wandb_logger",)

    def proposals(self, training: Training) -> Iterable[Proposal | Note]:
        """One proposal, or a note on what stays."""
        if training.asked(_OPTION) not in ("auto", "mlflow"):
            return
        try:
            run = opened(training, _MLFLOW)
            if run is not None and (line := _linked(training)):
                raise NotOpen(f"line {line} logs a model, to which later metrics are linked")
        except NotOpen as reason:
            first = next(p.statement for p in training.parts if p.place not in AROUND)
            yield Note(_KEPT, first, f"{_STAYS}: {reason}")
            return
        if run is None:
            return
        if training.told("logger"):
            yield Note(_KEPT, run.statement, f"{_STAYS}: the Trainer has another logger already")
        elif not (reworded := _calls(training)):
            yield Note(_KEPT, run.statement, f"{_STAYS}: no metric of the training has a plain name")
        else:
            yield _points(run, reworded)


def _linked(training: Training) -> int:
    """The line of a call that logs a model before the training's end, 0 when there is none."""
    late = {id(n) for p in training.parts if p.place == "after" for n in ast.walk(p.statement)}
    calls = (c for c in training.all(ast.Call) if isinstance(c.func, ast.Attribute) and c.func.attr == "log_model")
    return next((c.lineno for c in calls if id(c) not in late), 0)


def _points(run: OpenRun, reworded: dict[ast.stmt, str]) -> Proposal:
    made = "{MLFlowLogger}(run_id={mlflow}.active_run().info.run_id, tracking_uri={mlflow}.get_tracking_uri())"
    return Proposal(
        target="MLFlowLogger",
        reason="the logger writes the same metrics, with the same steps, to the run that the script has opened",
        reworded=reworded,
        trainer=TrainerSpec(loggers=(made + ("" if run.sure else " if {mlflow}.active_run() else False"),)),
        imports=("lightning.pytorch.loggers.MLFlowLogger", "mlflow"),
        level="native",
        option=_OPTION,
        notes=(
            Note(
                _NOW,
                run.statement,
                "MLFlowLogger writes the training's metrics to the run that the script opens here, name by name and step by step; it marks the run as finished when `fit` ends, and what the script logs then is still part of it",
            ),
        ),
        declined=Note(_KEPT, run.statement, f"{_STAYS}: {{why}}"),
        own_points=True,
    )


def _calls(training: Training) -> dict[ast.stmt, str]:
    """What becomes of each statement of the hooks that logs metrics under plain names, and nothing else."""
    found: dict[ast.stmt, str] = {}
    for part in training.parts:
        match part.statement:
            case ast.Expr(value=ast.Call(func=function) as call) if training.full_name(function) in _FUNCTIONS:
                if part.place not in AROUND and not any(isinstance(s, _SCOPES) for s in part.within):
                    if text := _reworded(training, call):
                        found[part.statement] = text
    return found


def _reworded(training: Training, call: ast.Call) -> str:
    single = training.full_name(call.func) == "mlflow.log_metric"
    order = ("key", "value", "step") if single else ("metrics", "step")
    told: dict[str | None, ast.expr] = dict(zip(order, call.args, strict=False))
    told |= {k.arg: k.value for k in call.keywords}
    wanted = set(order)
    nodes = [told[name] for name in order if name in told]
    if nodes != sorted(nodes, key=lambda n: (n.lineno, n.col_offset)) or any(isinstance(n, ast.Starred) for n in nodes):
        return ""
    if len(told) < len(call.args) + len(call.keywords) or not wanted - {"step"} <= set(told) <= wanted:
        return ""
    metrics = [(told["key"], told["value"])] if single else _entries(told["metrics"])
    if not metrics or not all(_is_plain(key) for key, _ in metrics):
        return ""
    text = ", ".join(f"{training.text(key)}: {training.text(value)}" for key, value in metrics if key is not None)
    step = f", step={training.text(told['step'])}" if "step" in told else ""
    data = f"{{{text}}}" if single else training.text(told["metrics"])
    return f"self.logger.log_metrics({data}{step})\n"


def _entries(node: ast.expr) -> list[tuple[ast.expr | None, ast.expr]]:
    """The entries of a dictionary that is written out, none for anything else."""
    return list(zip(node.keys, node.values, strict=True)) if isinstance(node, ast.Dict) else []


def _is_plain(key: ast.expr | None) -> bool:
    return isinstance(key, ast.Constant) and isinstance(key.value, str) and bool(_PLAIN.fullmatch(key.value))


FEATURE = MlflowPoints()
