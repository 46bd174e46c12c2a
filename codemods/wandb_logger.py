"""What the script logs to Weights & Biases in the training goes through ``WandbLogger``, into the same run: with ``--logger``.

    wandb.init(project="digits", config=args)        →   wandb.init(project="digits", config=args)
    ...                                              →   Trainer(logger=WandbLogger(experiment=wandb.run))
    wandb.log({"loss": loss})                        →   self.logger.log_metrics({"loss": loss})
    wandb.log({"fc": wandb.Image(x)}, step=epoch)    →   self.logger.experiment.log({"fc": wandb.Image(x)}, step=epoch)

The logger gets the script's own run. One that it opens itself declares an axis of its own, `trainer/global_step`, for every number, and `self.log` or a
step adds it to each row; handed a run and without a step it does neither: each call is the raw one. What stands around the training stays `wandb.log`.
Source: https://lightning.ai/docs/pytorch/stable/extensions/generated/lightning.pytorch.loggers.WandbLogger.html
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..feature import AROUND, Note, Part, Proposal, Training
from ..open_runs import NotOpen, OpenRun, Service, opened
from ..program import TrainerSpec

_OPTION, _NOW, _KEPT = "logger", "points-by-lightning", "writer-kept"
_WANDB = Service(
    "wandb",
    opens=frozenset({"wandb.init"}),
    ends=frozenset({"wandb.finish", "wandb.join", "wandb.teardown"}),
    methods=frozenset({"finish"}),
)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_STAYS = "the script goes on writing to Weights & Biases itself"


@dataclass(frozen=True, slots=True)
class WandbPoints:
    """Proposes a ``WandbLogger`` for the run that is open all through the training."""

    name: str = "wandb_logger"
    after: Sequence[str] = ("logger",)

    def proposals(self, training: Training) -> Iterable[Proposal | Note]:
        """One proposal, or a note on what stays."""
        if training.asked(_OPTION) not in ("auto", "wandb"):
            return
        try:
            run = opened(training, _WANDB)
        except NotOpen as reason:
            yield Note(_KEPT, _first(training), f"{_STAYS}: {reason}")
            return
        if run is None:
            return
        if training.told("logger"):
            yield Note(_KEPT, run.statement, f"{_STAYS}: the Trainer has another logger already")
        elif not (calls := _calls(training, run)):
            yield Note(_KEPT, run.statement, f"{_STAYS}: no `wandb.log` of the training is a statement of its own")
        else:
            yield _points(training, run, calls)


def _first(training: Training) -> ast.stmt:
    return next(p.statement for p in training.parts if p.place not in AROUND)


def _points(training: Training, run: OpenRun, calls: dict[ast.stmt, ast.Call]) -> Proposal:
    name = _name_of_run(training, run)
    opened_run = name.id if name is not None else "{wandb}.run"
    made = f"{{WandbLogger}}(experiment={opened_run})" + ("" if run.sure else " if {wandb}.run is not None else False")
    return Proposal(
        target="WandbLogger",
        reason="the logger writes the same rows to the run that the script has opened",
        reworded={statement: _reworded(training, call) for statement, call in calls.items()},
        unread=tuple(n for call in calls.values() for n in ast.walk(call.func) if isinstance(n, ast.Name)),
        trainer=TrainerSpec(loggers=(made,)),
        imports=("lightning.pytorch.loggers.WandbLogger", "wandb"),
        level="native",
        option=_OPTION,
        notes=(
            Note(
                _NOW,
                run.statement,
                "WandbLogger writes the training's rows to the run that the script opens here, call by call, without an axis of its own; what logs before and after the training is the script's as it was",
            ),
        ),
        declined=Note(_KEPT, run.statement, f"{_STAYS}: {{why}}"),
        own_points=True,
    )


def _calls(training: Training, run: OpenRun) -> dict[ast.stmt, ast.Call]:
    """The statements of the hooks that are one call of `log`, of the module or of the run that the script has a name for."""
    name, found = _name_of_run(training, run), dict[ast.stmt, ast.Call]()
    value = training.value(name) if name is not None else None
    named = {id(n) for n in value.mentions} if value is not None else set()
    for part in training.parts:
        match part.statement:
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=run_named, attr="log")) as call) if (
                _is_in_hook(part) and id(run_named) in named
            ):
                found[part.statement] = call
            case ast.Expr(value=ast.Call(func=function) as call) if _is_in_hook(part):
                if training.full_name(function) == "wandb.log":
                    found[part.statement] = call
    return found


def _is_in_hook(part: Part) -> bool:
    return part.place not in AROUND and not any(isinstance(s, _SCOPES) for s in part.within)


def _name_of_run(training: Training, run: OpenRun) -> ast.Name | None:
    """The one name that the call's run is given, where it surely is the run that `wandb.run` is."""
    told = {k.arg for k in run.call.keywords}
    if not run.sure or told & {"reinit", "settings", None} or run.call.args:
        return None
    match run.statement:
        case ast.Assign(targets=[ast.Name() as name], value=value) if value is run.call:
            pass
        case ast.With(items=[ast.withitem(context_expr=value, optional_vars=ast.Name() as name)]) if value is run.call:
            pass
        case _:
            return None
    value_of = training.value(name)
    if value_of is None or value_of.hidden:
        return None
    return name if [n for n in value_of.mentions if not isinstance(n.ctx, ast.Load)] == [name] else None


def _reworded(training: Training, call: ast.Call) -> str:
    match call:
        case ast.Call(args=[ast.expr() as data], keywords=[]) if not isinstance(data, ast.Starred):
            return f"self.logger.log_metrics({training.text(data)})\n"
        case ast.Call(args=[], keywords=[ast.keyword(arg="data", value=data)]):
            return f"self.logger.log_metrics({training.text(data)})\n"
    text = training.text(call)
    return f"self.logger.experiment.log{text[len(training.text(call.func)) :]}\n"


FEATURE = WandbPoints()
