"""What the script writes to TensorBoard goes through ``TensorBoardLogger``, the same points; without a writer the reported numbers go to a logger: with ``--logger``.

    writer = SummaryWriter("runs/digits")               →   logger = TensorBoardLogger("runs/digits", name="", version="", default_hp_metric=False)
    ...
    writer.add_scalar("loss/train", loss, step)         →   self.logger.log_metrics({"loss/train": loss}, step=step)
    writer.add_histogram("fc", net.fc.weight, epoch)    →   self.logger.experiment.add_histogram("fc", net.fc.weight, epoch)
    writer.close()                                      →   the Trainer closes it

`self.log` would put the points at the Trainer's own steps and add one of its own, `epoch`; `log_metrics` writes the tag, the step and the value that it is given. A writer of which
some use is not understood stays, with all its uses. The points of a writer of tensorboardX's are torch's, too, as long as they are scalars, of tags in which it replaces no sign.
Source: https://lightning.ai/docs/pytorch/stable/extensions/logging.html
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..feature import AFTER, AROUND, BEFORE, ELSEWHERE, Note, Part, Proposal, Training, Value, reads_as_word
from ..program import TrainerSpec
from ..sure_texts import bound, is_text

_OPTION, _NOW, _KEPT, _NUMBERS = "logger", "points-by-lightning", "writer-kept", "numbers-to-a-logger"
_LOGGERS = "lightning.pytorch.loggers."
_WRITERS = {"torch.utils.tensorboard.SummaryWriter", "torch.utils.tensorboard.writer.SummaryWriter"}
_OF_OTHERS = {"tensorboardX.SummaryWriter", "tensorboardX.writer.SummaryWriter"}
_PLAIN_TAG = re.compile(r"(?!/)[-/\w.]+")
"""What tensorboardX writes as it is told: every other sign becomes `_`, and a tag begins with no `/`."""
_PASSED_ON = {"purge_step", "max_queue", "flush_secs", "filename_suffix"}
_ENDS = {"close", "flush"}
_SCALAR = ("tag", "scalar_value", "global_step")


class _Stays(Exception):
    """Why the script goes on writing itself."""


@dataclass(frozen=True, slots=True)
class Logger:
    """Proposes a logger in place of the script's one writer, or for its reported numbers where it has none."""

    name: str = "logger"
    after: Sequence[str] = ("early_stopping", "model_checkpoint", "seed_everything")

    def proposals(self, training: Training) -> Iterable[Proposal | Note]:
        """One proposal, or a note on what stays."""
        kind = training.asked(_OPTION)
        if kind == "own":
            return
        made = [p for p in training.parts if _made(training, p) is not None]
        if not made:
            if not _is_for_another(training, kind):
                yield _numbers(training, "csv" if kind == "auto" else kind)
        elif kind in _NUMBERS_BY and kind != "tensorboard":
            yield Note(
                _KEPT,
                made[0].statement,
                "the script goes on writing to TensorBoard itself: `--logger tensorboard` takes its points",
            )
        elif len(made) > 1:
            yield Note(
                _KEPT,
                made[1].statement,
                "the script goes on writing to TensorBoard itself: it has more than one writer",
            )
        else:
            try:
                yield _points(training, made[0])
            except _Stays as reason:
                yield Note(_KEPT, made[0].statement, f"the script goes on writing to TensorBoard itself: {reason}")


def _made(training: Training, part: Part) -> ast.Call | None:
    """The call that makes a writer, when a statement is that."""
    match part.statement:
        case ast.Assign(value=ast.Call(func=function) as call):
            return call if training.full_name(function) in _WRITERS | _OF_OTHERS else None
        case ast.With(items=items):
            calls = [i.context_expr for i in items if isinstance(i.context_expr, ast.Call)]
            return next((c for c in calls if training.full_name(c.func) in _WRITERS | _OF_OTHERS), None)
    return None


# ---- a script without a writer

_OPENS = {"wandb": "wandb.init", "mlflow": "mlflow.start_run"}
"""What opens the run of a service whose points have a feature of their own (`wandb_logger.py`, `mlflow_logger.py`)."""


def _is_for_another(training: Training, kind: str) -> bool:
    wanted = {call for service, call in _OPENS.items() if kind in ("auto", service)}
    return any(training.full_name(call.func) in wanted for call in training.all(ast.Call))


_FOLDERS = "in `lightning_logs/version_0`, `version_1`, ..."
_NUMBERS_BY = {
    "csv": ("CSVLogger", '(".")', f"a `metrics.csv` {_FOLDERS}"),
    "tensorboard": ("TensorBoardLogger", '(".")', f"TensorBoard's files {_FOLDERS}"),
    "wandb": ("WandbLogger", "()", "a run of the project that `WANDB_PROJECT` names, else `lightning_logs`"),
    "mlflow": ("MLFlowLogger", "()", "a run of the experiment `lightning_logs` where `MLFLOW_TRACKING_URI` says"),
}
"""Each logger with what it is told, and where it writes."""


def _numbers(training: Training, kind: str) -> Proposal | Note:
    name, told, where = _NUMBERS_BY[kind]
    first = next(p for p in training.parts if p.place not in AROUND)
    text = f"{name} writes the numbers that the module logs: {where}; those of single steps every 50 steps (`log_every_n_steps`)"
    return Proposal(
        target="Trainer(logger=...)",
        reason="the numbers that the script reports are logged where it reports them",
        trainer=TrainerSpec(loggers=(f"{{{name}}}{told}",)),
        imports=(f"{_LOGGERS}{name}",),
        level="native",
        option=_OPTION,
        notes=(Note(_NUMBERS, first.statement, text),),
    )


# ---- a script with one


def _points(training: Training, made: Part) -> Proposal:
    call, value = _made(training, made), _variable(training, made)
    assert call is not None
    if training.spread:
        raise _Stays("several processes may write")
    start, told = _logger(training, call)
    reworded, removed = {made.statement: start}, list[ast.stmt]()
    uses = _uses(training, value, made)
    if training.full_name(call.func) in _OF_OTHERS:
        _check_plain(uses)
        told = f"{told}, by torch's writer in place of tensorboardX's"
    behind = [p for p, method in uses.values() if p.place not in (BEFORE, AFTER) or method not in _ENDS]
    writes_after = any(p.place == AFTER or p.place == ELSEWHERE for p in behind)
    for part, method in uses.values():
        if method in _ENDS and part.place == AFTER and not writes_after:
            removed.append(part.statement)
        else:
            reworded[part.statement] = _reworded(training, part, method, value)
    return Proposal(
        target="TensorBoardLogger",
        reason="the logger writes the same tags, steps and values to the same folder",
        removed=tuple(removed),
        reworded=_joined(training, reworded),
        unread=tuple(n for n in value.mentions if isinstance(n.ctx, ast.Load)),
        trainer=TrainerSpec(loggers=("{logger}",)),
        imports=(f"{_LOGGERS}TensorBoardLogger",),
        fresh=("logger",),
        level="native",
        option=_OPTION,
        notes=(
            Note(
                _NOW,
                made.statement,
                f"TensorBoardLogger writes the script's points, tag by tag and step by step, {told}; `hparams.yaml` lies beside them",
            ),
        ),
        declined=Note(_KEPT, made.statement, "the script goes on writing to TensorBoard itself: {why}"),
        own_points=True,
    )


def _variable(training: Training, made: Part) -> Value:
    match made.statement:
        case ast.Assign(targets=[ast.Name() as name]) if made.place == BEFORE or _is_of_file(made):
            value = training.value(name)
            if value is not None and not value.hidden and bound(value) == [name]:
                return value
    raise _Stays("the writer is not made once, above the training, under a name of its own")


def _is_of_file(made: Part) -> bool:
    """Whether a statement stands in the file itself, in no function, loop or other block but an `if`."""
    return made.place == ELSEWHERE and all(isinstance(s, ast.If) for s in made.within)


def _logger(training: Training, call: ast.Call) -> tuple[str, str]:
    """The statement that makes the logger, and where it writes."""
    given = {k.arg: k.value for k in call.keywords if k.arg is not None}
    if len(given) < len(call.keywords) or len(call.args) > 1 or any(isinstance(a, ast.Starred) for a in call.args):
        raise _Stays("what the writer is told cannot be seen")
    folder = call.args[0] if call.args else given.pop("log_dir", None) or given.pop("logdir", None)
    comment = given.pop("comment", None)
    if unknown := set(given) - _PASSED_ON:
        raise _Stays(f"the logger has no `{sorted(unknown)[0]}`")
    if reads_as_word(training.text(call), "logger", "TensorBoardLogger"):
        raise _Stays("its folder cannot be written anew")
    more = "".join(f", {name}={training.text(node)}" for name, node in given.items())
    if folder is not None and not _is_none(folder):
        if not is_text(training, folder):
            raise _Stays(f"its folder, `{training.text(folder)}`, may be None")
        text = training.text(folder)
        return (
            f'{{logger}} = {{TensorBoardLogger}}({text}, name="", version="", default_hp_metric=False{more})\n',
            "to the same folder",
        )
    if comment is not None:
        raise _Stays("the name of its folder is made of the time and a comment")
    text = f'{{logger}} = {{TensorBoardLogger}}("runs", name="", default_hp_metric=False{more})\n'
    return text, "to `runs/version_0`, `version_1`, ... where the script named its folders in `runs` after the time"


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _uses(training: Training, value: Value, made: Part) -> dict[ast.stmt, tuple[Part, str]]:
    """Each statement that uses the writer, with the method that it calls."""
    places = {id(n): part for part in training.parts for n in _own_nodes(part.statement)}
    after = {p.statement for p in training.parts if p.place == AFTER}
    handed, found = {id(n) for n in value.handed}, dict[ast.stmt, tuple[Part, str]]()
    for name in value.mentions:
        if id(name) in handed or name in _targets(made.statement):
            continue
        part = places.get(id(name))
        match part.statement if part is not None else None:
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=writer, attr=method))) if writer is name:
                assert part is not None
                nested = part.place not in (BEFORE, AFTER) and after.intersection(part.within)
                if part.statement in found or nested or not (method.startswith("add_") or method in _ENDS):
                    raise _Stays(f"line {name.lineno} uses it in a way that is not known")
                if method == "add_hparams" or (method == "close" and part.place != AFTER and not _is_of_file(part)):
                    raise _Stays(f"line {name.lineno} makes or ends a file of its own")
                found[part.statement] = part, method
            case _:
                raise _Stays(f"line {name.lineno} uses it in a way that is not known")
    return found


def _check_plain(uses: dict[ast.stmt, tuple[Part, str]]) -> None:
    """The writers of torch and of tensorboardX write the same scalars; of all else each has its own form."""
    for part, method in uses.values():
        call = part.statement.value  # type: ignore[attr-defined]
        scalar = _scalar(call) if method == "add_scalar" else None
        if method not in _ENDS and scalar is None:
            raise _Stays(f"its writer is tensorboardX's, and line {call.lineno} writes no plain scalar")
        if scalar is not None and not _is_plain_tag(scalar[0]):
            raise _Stays(
                f"its writer is tensorboardX's, which may write another tag than the one in line {call.lineno}"
            )


def _is_plain_tag(tag: ast.expr) -> bool:
    return isinstance(tag, ast.Constant) and isinstance(tag.value, str) and bool(_PLAIN_TAG.fullmatch(tag.value))


def _targets(statement: ast.stmt) -> list[ast.expr]:
    return statement.targets if isinstance(statement, ast.Assign) else []


def _own_nodes(statement: ast.stmt) -> Iterable[ast.AST]:
    """The nodes of a statement that are none of a statement in its blocks."""
    for child in ast.iter_child_nodes(statement):
        if not isinstance(child, ast.stmt):
            yield from (n for n in ast.walk(child))


def _reworded(training: Training, part: Part, method: str, value: Value) -> str:
    home = "{logger}" if part.place in AROUND else "self.logger"
    assert isinstance(part.statement, ast.Expr) and isinstance(part.statement.value, ast.Call)
    call = part.statement.value
    if part.place in AROUND and reads_as_word(training.text(call), "logger", "TensorBoardLogger"):
        raise _Stays(f"line {call.lineno} cannot be written anew")
    if method == "add_scalar" and (scalar := _scalar(call)) is not None:
        tag, number, step = map(training.text, scalar)
        return f"{home}.log_metrics({{{tag}: {number}}}, step={step})\n"
    text = training.text(call)
    return f"{home}.experiment{text[len(training.text(call.func.value)) :]}\n"  # type: ignore[attr-defined]


def _scalar(call: ast.Call) -> tuple[ast.expr, ast.expr, ast.expr] | None:
    """Tag, number and step of an `add_scalar` that is told nothing else."""
    told: dict[str | None, ast.expr] = dict(zip(_SCALAR, call.args, strict=False))
    told |= {k.arg: k.value for k in call.keywords}
    if len(call.args) + len(call.keywords) != len(_SCALAR) or set(told) != set(_SCALAR):
        return None
    return told["tag"], told["scalar_value"], told["global_step"]


def _joined(training: Training, reworded: dict[ast.stmt, str]) -> dict[ast.stmt, str]:
    """Numbers that are written one right after the other at one step, together."""
    found, last = dict(reworded), None
    parts = [p for p in training.parts if p.place not in AROUND]
    for one, other in itertools.pairwise(parts):
        first = last if last is not None and last[1] is one.statement else (one.statement, one.statement)
        last = None
        a, b = _written(one.statement, reworded), _written(other.statement, reworded)
        if a is None or b is None or one.within != other.within or one.place != other.place or not _is_next(one, other):
            continue
        if (
            ast.dump(a[2]) != ast.dump(b[2])
            or not isinstance(b[0], ast.Constant)
            or found[first[0]].count(f"{training.text(b[0])}:")
        ):
            continue
        if not isinstance(a[0], ast.Constant):
            continue
        head, _, tail = found[first[0]].rpartition("}, step=")
        found[first[0]] = f"{head}, {training.text(b[0])}: {training.text(b[1])}}}, step={tail}"
        found[other.statement] = ""
        last = first[0], other.statement
    return found


def _written(statement: ast.stmt, reworded: dict[ast.stmt, str]) -> tuple[ast.expr, ast.expr, ast.expr] | None:
    if "log_metrics(" not in reworded.get(statement, ""):
        return None
    assert isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
    return _scalar(statement.value)


def _is_next(one: Part, other: Part) -> bool:
    """Whether two statements stand in one block, one right under the other."""
    a, b = one.statement, other.statement
    blocks = [getattr(one.within[-1], name, []) for name in ("body", "orelse", "finalbody")] if one.within else []
    together = not blocks or any(a in block and b in block for block in blocks)
    return together and a.col_offset == b.col_offset and b.lineno == (a.end_lineno or a.lineno) + 1


FEATURE = Logger()
