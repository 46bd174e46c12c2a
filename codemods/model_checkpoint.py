"""What is saved in every epoch, or when a number is better than ever, is saved by ``ModelCheckpoint``: with ``--checkpoints lightning``.

    if val_loss < best_loss:                                     →   self.log("val_loss", torch.tensor(self.val_loss, dtype=torch.float64))
        best_loss = val_loss
        torch.save(model.state_dict(), "best.pth")               →   model_checkpoint = ModelCheckpoint(".", filename="best", monitor="val_loss", enable_version_counter=False)
    ...
    model.load_state_dict(torch.load("best.pth"))                →   lit_net.load_state_dict(torch.load(model_checkpoint.best_model_path)["state_dict"])

The callback saves after the same epochs, and the same weights; the file is Lightning's. Equal is not better to it, and it knows no least difference. It saves at the end of the
epoch, when the Trainer has stepped. So what is saved at other moments, holds more than a checkpoint does, or may be read by something else of the script, stays.
Source: https://lightning.ai/docs/pytorch/stable/common/checkpointing_intermediate.html
"""

from __future__ import annotations

import ast
import math
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import libcst as cst

from ..best_value import assigned_name, compared, left_of, number, rebinds
from ..checkpoint_names import CheckpointName, Unnamed, name_of
from ..feature import AFTER, AROUND, Note, Part, Proposal, Saving, Training, Value, Watch, reads_as_word
from ..file_mentions import mentions
from ..plain_options import has_plain_options
from ..program import TrainerSpec
from ..saving_functions import MoreThanSaving, SavedByFunction, saved_at, saved_by
from ..until_epoch_end import asks_more, changed_behind, ends_behind, needs_changes, needs_files

_CLASS = "lightning.pytorch.callbacks.ModelCheckpoint"
_OPTION, _NOW, _CALLED, _KEPT = "checkpoints", "checkpoints-by-lightning", "checkpoints-by-callback", "checkpoint-kept"
_EPOCH_END = "on_train_epoch_end"
_AT_END = ("on_validation_epoch_end", _EPOCH_END)
_MAKE_FOLDERS = {"os.makedirs", "os.mkdir"}
_OF_PROCESSES = re.compile(r"(^|_)rank($|_)|main_process|is_master|is_main", re.I)


class _Stays(Exception):
    """Why the script goes on saving itself."""


@dataclass(frozen=True, slots=True)
class ModelCheckpoint:
    """Proposes the callback for each `torch.save` of an epoch that it does the same."""

    name: str = "model_checkpoint"
    after: Sequence[str] = ("early_stopping",)

    def proposals(self, training: Training) -> Iterable[Proposal | Note]:
        """One proposal for each save that is understood, and a note on each other one."""
        if training.asked(_OPTION) == "own":
            return
        saving = _functions_that_save(training)
        for part in training.parts:
            if name := next((n for n in saving if part.place not in AROUND and _calls(part.statement, n)), ""):
                yield from self._by_function(training, part, name)
            if (save := _save(training, part)) is not None:
                yield _of_save(training, save)

    def _by_function(self, training: Training, part: Part, name: str) -> Iterable[Proposal | Note]:
        """What becomes of a call of a function that saves."""
        try:
            if training.asked(_OPTION) == "callback":
                yield _own_file_by_function(training, part, name)
            else:
                yield _proposal_of_function(training, part, name)
        except (_Stays, MoreThanSaving, Unnamed) as reason:
            yield _call_instead(training, part, name, str(reason))


def _call_instead(training: Training, part: Part, name: str, reason: str) -> Proposal | Note:
    """The call of the function by the callback, where a file of Lightning's would not do for that reason; else why it stays."""
    why = reason
    if not training.resumed and training.by_level(_OPTION):
        try:
            found = _own_file_by_function(training, part, name)
        except (_Stays, MoreThanSaving, Unnamed) as other:
            why = reason if str(other) == reason else f"{reason}; and {other}"
        else:
            told = f"{found.notes[0].message}; a file of Lightning's would not do: {reason}"
            return replace(found, notes=(replace(found.notes[0], message=told),))
    return Note(_KEPT, part.statement, f"the script goes on saving this itself: `{name}` does it, and {why}")


def _of_save(training: Training, save: _Save) -> Proposal | Note:
    """What becomes of one line that saves: Lightning's file where that does, else the script's own one by the callback, else what it is."""
    try:
        if training.asked(_OPTION) == "callback":
            return _own_file(training, save)
        try:
            return _proposal(training, save)
        except _Stays as reason:
            return _instead(training, save, str(reason))
    except _Stays as reason:
        return Note(_KEPT, save.part.statement, f"the script goes on saving this itself: {reason}")


def _instead(training: Training, save: _Save, reason: str) -> Proposal:
    """The script's own file by the callback, where a file of Lightning's would not do for that reason."""
    if training.resumed or not training.by_level(_OPTION):
        raise _Stays(reason)  # the Trainer goes on from Lightning's own files, or they alone were asked for
    try:
        found = _own_file(training, save)
    except _Stays as other:
        raise _Stays(reason if str(other) == reason else f"{reason}; and {other}") from None
    told = replace(found.notes[0], message=f"{found.notes[0].message}; a file of Lightning's would not do: {reason}")
    return replace(found, notes=(told,))


@dataclass(frozen=True, slots=True)
class _Save:
    """A `torch.save` of an epoch: what it saves, where, and the statement above it that only puts that together."""

    part: Part
    call: ast.Call
    saved: ast.expr
    path: ast.expr
    put_together: tuple[ast.stmt, ...] = ()

    @property
    def statements(self) -> tuple[ast.stmt, ...]:
        return (*self.put_together, self.part.statement)


@dataclass(frozen=True, slots=True)
class _When:
    """When it is saved: what the callback is told of that, which condition it decides, and what of the script goes with it.

    ``switch`` is what ``guard`` asks, which says for the whole training whether anything is saved at all; ``process`` is asked when it is saved: whether this one of several processes does.
    """

    arguments: tuple[str, ...] = ()
    key: str = "every"
    test: ast.If | None = None
    watched: tuple[Watch, ...] = ()
    start: str = ""
    best: Value | None = None
    numbers: tuple[str, ...] = ()
    guard: ast.If | None = None
    switch: str = ""
    process: ast.expr | None = None

    @property
    def decided(self) -> tuple[ast.If, ...]:
        """The conditions around the line that the callback decides."""
        return tuple(one for one in (self.test, self.guard) if one is not None)

    def kept(self, of_epoch: bool) -> list[str]:
        """How many files are kept, where that is not the one that is the callback's own choice."""
        count = "-1" if of_epoch else "1"
        if self.switch:
            return [f"save_top_k={count} if {self.switch} else 0"]
        return [f"save_top_k={count}"] if of_epoch else []


def _save(training: Training, part: Part) -> _Save | None:
    """What a statement of an epoch saves."""
    match part.statement:
        case ast.Expr(value=ast.Call(func=function, args=[saved, path]) as call) if part.place not in AROUND:
            if training.full_name(function) != "torch.save":
                return None
            above = list[ast.stmt]()
            if isinstance(saved, ast.Name) and (put := _put_together(training, part, saved)) is not None:
                saved, above = put.value, [put]
            if isinstance(path, ast.Name) and (named := _named_above(training, part, path, above)) is not None:
                path, above = named.value, [*above, named]
            return _Save(part, call, saved, path, tuple(above))
    return None


def _functions_that_save(training: Training) -> list[str]:
    """The functions of the file, apart from the training's own, in which `torch.save` is called."""
    inside = {s for part in training.parts if part.place not in AROUND for s in (part.statement, *part.within)}
    found = dict[str, None]()
    for function in training.all(ast.FunctionDef):
        calls = (n for n in ast.walk(function) if isinstance(n, ast.Call))
        if inside.isdisjoint(ast.walk(function)) and any(training.full_name(c.func) == "torch.save" for c in calls):
            found[function.name] = None
    return list(found)


def _calls(statement: ast.stmt, name: str) -> bool:
    return any(isinstance(c.func, ast.Name) and c.func.id == name for c in _own_calls(statement))


def _own_calls(statement: ast.stmt) -> Iterator[ast.Call]:
    """The calls of a statement that are in no statement of its blocks."""
    for child in ast.iter_child_nodes(statement):
        if not isinstance(child, ast.stmt):
            yield from (n for n in ast.walk(child) if isinstance(n, ast.Call))


def _put_together(training: Training, part: Part, name: ast.Name) -> ast.Assign | None:
    """The statement above in the same block that makes the dictionary, which only that line reads."""
    value = training.value(name)
    if value is None or value.hidden or len(value.mentions) != len((name, "its making")):
        return None
    for other in training.parts:
        match other.statement:
            case ast.Assign(targets=[ast.Name() as target], value=made_of) as made if target in value.mentions:
                if not isinstance(made_of, ast.Dict) and not _is_dict(training, made_of):
                    return None
                return made if (other.place, other.within) == (part.place, part.within) else None
    return None


def _is_dict(training: Training, node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and not node.args and training.full_name(node.func) == "dict"


def _named_above(training: Training, part: Part, name: ast.Name, between: Sequence[ast.stmt]) -> ast.Assign | None:
    """The statement right above that makes the path, which only that line reads."""
    value = training.value(name)
    if value is None or value.hidden or len(value.mentions) != len((name, "its making")):
        return None
    block = [p.statement for p in training.parts if (p.place, p.within) == (part.place, part.within)]
    above = [s for s in block[: block.index(part.statement)] if s not in between]
    match above[-1:]:
        case [ast.Assign(targets=[ast.Name() as target]) as made] if target in value.mentions:
            return made
    return None


def _proposal(training: Training, save: _Save) -> Proposal:
    part = save.part
    if reads_as_word(training.text(save.call), "model_checkpoint", "ModelCheckpoint", "monitor", "os", "torch"):
        raise _Stays("the name of its file cannot be written anew")
    if save.call.keywords:
        raise _Stays("`torch.save` has options of its own")
    _check_moment(training, part)
    when = _when(training, part)
    _check_content(training, part, save.saved, when)
    file = _file(training, save, when)
    loads = _loads(training, save, when)
    if (loads or when.best) and file.of_epoch:
        raise _Stays("its file has another name in every epoch")
    if loads and when.switch:
        raise _Stays(f"its file is read behind the training, and `{when.switch}` may leave it out")
    keep = when.kept(file.of_epoch)
    named = ["auto_insert_metric_name=False"] if file.of_epoch else []
    arguments = [file.folder, f"filename={file.name}", *named, *when.arguments, *keep, "enable_version_counter=False"]
    made = f"{{ModelCheckpoint}}({', '.join(arguments)})"
    going, named_numbers = _naming(training, save, file, when, _changes(training, save, when))
    return Proposal(
        target="ModelCheckpoint",
        reason="the callback saves the same weights after the same epochs, in a file of Lightning's",
        removed=going.removed,
        replaced=going.replaced | loads,
        decided=when.decided,
        trainer=TrainerSpec(callbacks=("{model_checkpoint}" if loads else made,), defaults=("enable_checkpointing",)),
        watched=(*when.watched, *named_numbers),
        before_fit=(f"{{model_checkpoint}} = {made}",) if loads else (),
        imports=(_CLASS, *file.imports, *(["torch"] if loads else [])),
        fresh=("model_checkpoint",) if loads else (),
        level="native",
        option=_OPTION,
        notes=(Note(_NOW, part.statement, _told(training, save, file, when)),),
        declined=Note(_KEPT, part.statement, "the script goes on saving this itself: {why}"),
        key=when.key,
    )


def _proposal_of_function(training: Training, part: Part, name: str) -> Proposal:
    """The callbacks for a function that saves in every epoch, and a second time when a number is better than ever."""
    match part.statement:
        case ast.Expr(value=ast.Call(func=ast.Name(id=called)) as call) if called == name:
            pass
        case _:
            raise _Stays("what it gives is read")
    found = saved_by(training, call)
    assert found.saved is not None and found.path is not None
    _check_moment(training, part)
    first, when, flag = _moments(training, part, found)
    every = _saved_by_call(training, part, call, found)
    _check_content(training, part, every.saved, when)
    paths = [found.path, *([found.second] if found.second is not None else [])]
    _check_only_writer(training, call, paths)
    files = [name_of(training, part, path, when.switch) for path in paths]
    prints = "".join(f"{ast.unparse(told)}\n" for told in _checked_prints(training, part, found))
    _check_unread(training, every, paths, first, found)
    if any(file.key or file.numbers for file in files) or (files[-1].of_epoch and (len(files) > 1 or first.best)):
        raise _Stays("its file has another name in every epoch")
    made = [_made(file, one) for file, one in zip(files, (first, when), strict=False)]
    shown = " and ".join(file.shown for file in files)
    told = f"ModelCheckpoint saves {shown} in place of `{name}`: the weights are under its key `state_dict`, behind the name of the module's attribute"
    going = _Going((), {part.statement: prints}) if prints else _changes(training, every, first)
    replaced: dict[ast.stmt, str] = {s: "" for s in going.removed if s is part.statement} | going.replaced
    also = tuple(s for s in going.removed if s is not part.statement)
    return Proposal(
        target="ModelCheckpoint",
        reason="the callbacks save the same weights after the same epochs, in files of Lightning's",
        replaced={**replaced, **({flag: ""} if flag is not None else {})},
        removed=(*also, *_goes_with(training, call, found.function)),
        decided=first.decided,
        trainer=TrainerSpec(callbacks=tuple(made), defaults=("enable_checkpointing",)),
        watched=when.watched,
        imports=(_CLASS, *(i for file in files for i in file.imports)),
        level="native",
        option=_OPTION,
        notes=(Note(_NOW, part.statement, told + (f"; {when.start}" if when.start else "")),),
        declined=Note(_KEPT, part.statement, "the script goes on saving this itself: {why}"),
        key=first.key,
    )


def _check_only_writer(training: Training, call: ast.Call, paths: Sequence[ast.expr]) -> None:
    """Another call of the function must write other files."""
    names = {ast.dump(path) for path in paths}
    for other in training.all(ast.Call):
        if other is not call and isinstance(other.func, ast.Name) and ast.dump(other.func) == ast.dump(call.func):
            also = saved_by(training, other)
            if any(one is not None and ast.dump(one) in names for one in (also.path, also.second)):
                raise _Stays(f"line {other.lineno} saves under the same name")


def _moments(training: Training, part: Part, found: SavedByFunction) -> tuple[_When, _When, ast.stmt | None]:
    """When the function saves, when it saves a second time, and what makes the flag that says so, where nothing else reads it."""
    first = _when(training, part)
    if found.second is None:
        return first, first, None
    if first.test is not None:
        raise _Stays("it is not called once in every epoch")
    second, flag = _flagged(training, part, found.flag)
    return first, replace(second, guard=first.guard, switch=first.switch), flag


def _saved_by_call(training: Training, part: Part, call: ast.Call, found: SavedByFunction) -> _Save:
    assert found.saved is not None and found.path is not None
    if isinstance(found.saved, ast.Name) and (put := _put_together(training, part, found.saved)) is not None:
        return _Save(part, call, put.value, found.path, (put,))
    return _Save(part, call, found.saved, found.path)


def _checked_prints(training: Training, part: Part, found: SavedByFunction) -> list[ast.Call]:
    """What the function tells a person, which is no name of its file."""
    endings = {posixpath.splitext(text)[1] for text in _texts_of(found.path) | _texts_of(found.second)} - {""}
    for call in found.told:
        if any(ending in text for ending in endings for text in _texts_of(call)):
            raise _Stays("it tells the name of its file")
        for name in (n for argument in call.args for n in ast.walk(argument) if isinstance(n, ast.Name)):
            known = training.full_name(name) or training.number(name, part) or training.is_epoch(name, part)
            if not known:
                raise _Stays(f"it tells `{name.id}`, which may be the name of its file")
    return found.told


def _texts_of(node: ast.expr | None) -> set[str]:
    found = ast.walk(node) if node is not None else []
    return {n.value for n in found if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def _check_unread(
    training: Training, save: _Save, paths: Sequence[ast.expr], when: _When, found: SavedByFunction
) -> None:
    told = {id(n) for statement in found.prints for n in ast.walk(statement)}
    known = frozenset(id(n) for n in ast.walk(found.function) if id(n) not in told)
    if any(_loads(training, replace(save, path=path), when, known) for path in paths):
        raise _Stays("its file is read behind the training")


def _goes_with(training: Training, call: ast.Call, function: ast.FunctionDef) -> tuple[ast.stmt, ...]:
    """The function, where nothing else needs it."""
    known = any(p.statement is function for p in training.parts)
    return (function,) if known and training.only_called_by(call) else ()


def _made(file: CheckpointName, when: _When) -> str:
    named = ["auto_insert_metric_name=False"] if file.of_epoch else []
    arguments = [file.folder, f"filename={file.name}", *named, *when.arguments, *when.kept(file.of_epoch)]
    return f"{{ModelCheckpoint}}({', '.join([*arguments, 'enable_version_counter=False'])})"


def _flagged(training: Training, part: Part, flag: ast.expr | None) -> tuple[_When, ast.stmt | None]:
    """When ``is_best = value > best`` is set, with ``best = max(value, best)`` behind it; and what makes the flag, where nothing else reads it."""
    value = training.value(flag) if isinstance(flag, ast.Name) else None
    if value is None or value.hidden or _bindings(value) != 1:
        raise _Stays("when it saves a second time is not known")
    block = [p for p in training.parts if p.place == part.place and p.within in ((), part.within)]
    behind = block[: block.index(part)]
    made = next((p for p in behind if any(t in value.mentions for t in _targets(p.statement))), None)
    if made is None or not isinstance(made.statement, ast.Assign):
        raise _Stays("when it saves a second time is not known")
    between = [p.statement for p in behind[behind.index(made) + 1 :]]
    only_here = len(value.mentions) == len((flag, "its making"))
    for number_now, operator, best in compared(made.statement.value):
        if operator in (ast.Lt, ast.Gt) and isinstance(number_now, ast.Name) and isinstance(best, ast.Name):
            if any(_keeps_best(training, s, number_now, operator, best) for s in between):
                when = _best_by_flag(training, made, part, number_now, operator, best)
                if any(_binds(s, number_now.id) for s in between):
                    raise _Stays(f"`{number_now.id}` gets another value before it saves")
                return when, made.statement if only_here else None
    raise _Stays("it is not saved a second time when a number is better than the best one so far")


def _best_by_flag(
    training: Training, made: Part, part: Part, value: ast.Name, operator: type[ast.cmpop], best: ast.Name
) -> _When:
    held = training.value(best)
    first = _first(training, held, part.statement) if held is not None and not held.hidden else None
    if held is None or first is None or _bindings(held) != _START_AND_TEST:
        raise _Stays(f"`{best.id}` gets a value in more places than at its start and here")
    if not training.number(value, made):
        raise _Stays(f"`{value.id}` may be something else than a plain number")
    mode = "min" if operator is ast.Lt else "max"
    if first == (-math.inf if mode == "min" else math.inf):
        raise _Stays("nothing is ever better than the first value")
    beats = "below" if mode == "min" else "above"
    note = f"the first epoch is saved even if its `{value.id}` is not {beats} {first:g}, and one whose `{value.id}` is no number does not keep later ones from being the best"
    mode_told = ['mode="max"'] if mode == "max" else []
    watch = Watch("monitor", value, before=made.statement)
    return _When(("monitor={monitor}", *mode_told), "every", watched=(watch,), start=note, numbers=(value.id, best.id))


def _first(training: Training, held: Value, statement: ast.stmt) -> float | None:
    """The number with which the best value starts: above the loop, or in the file itself where the loop is in a function that runs once."""
    if held.start is not None:
        return number(training, held.start.value)
    assigned = [a for a in training.all(ast.Assign) if any(t in held.mentions for t in a.targets) and not a.col_offset]
    if len(assigned) != 1 or not _runs_once(training, statement):
        return None
    return number(training, assigned[0].value)


def _runs_once(training: Training, statement: ast.stmt) -> bool:
    """Whether the function around a statement is called in one place of the file, where nothing runs again."""
    around = [f for f in training.all(ast.FunctionDef) if any(n is statement for n in ast.walk(f))]
    if len(around) != 1:
        return not around
    named = [n for n in training.all(ast.Name) if n.id == around[0].name]
    calls = [c for c in training.all(ast.Call) if c.func in named]
    again = [
        *training.all(ast.For),
        *training.all(ast.While),
        *training.all(ast.FunctionDef),
        *training.all(ast.ClassDef),
    ]
    inside = {id(n) for one in again for n in ast.walk(one)}
    return len(calls) == len(named) == 1 and id(calls[0]) not in inside


def _keeps_best(
    training: Training, statement: ast.stmt, value: ast.Name, operator: type[ast.cmpop], best: ast.Name
) -> bool:
    """``best = max(value, best)``."""
    match statement:
        case ast.Assign(
            targets=[ast.Name(id=target)],
            value=ast.Call(func=function, args=[ast.Name(id=a), ast.Name(id=b)], keywords=[]),
        ):
            wanted = "min" if operator is ast.Lt else "max"
            return target == best.id and {a, b} == {value.id, best.id} and training.full_name(function) == wanted
    return False


def _targets(statement: ast.stmt) -> list[ast.expr]:
    return statement.targets if isinstance(statement, ast.Assign) else []


def _binds(statement: ast.stmt, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store) for n in ast.walk(statement))


def _own_file(training: Training, save: _Save) -> Proposal:
    """The proposal of a callback that decides when the script's own file is written."""
    part = save.part
    if reads_as_word(training.text(save.call), *_OWN_WORDS):
        raise _Stays("the name of its file cannot be written anew")
    if save.call.keywords:
        raise _Stays("`torch.save` has options of its own")
    _check_own_moment(training, part)
    when = _when(training, part, by_process=True)
    _check_processes(training, when)
    _check_same_until_end(training, save, when)
    function = training.text(save.call.func)
    return _by_callback(
        training, save, when, lambda method: Saving(method, part.statement, save.saved, function, when.process)
    )


def _own_file_by_function(training: Training, part: Part, name: str) -> Proposal:
    """The proposal of a callback that decides when a function of the script saves its files."""
    match part.statement:
        case ast.Expr(value=ast.Call(func=ast.Name(id=called)) as call) if called == name:
            pass
        case _:
            raise _Stays("what it gives is read")
    if reads_as_word(training.text(call), *_OWN_WORDS):
        raise _Stays("the name of its file cannot be written anew")
    _check_own_moment(training, part)
    if part.place != _EPOCH_END:
        raise _Stays("it is saved in the middle of an epoch")
    path, functions = saved_at(training, call)
    when = _when(training, part, by_process=True)
    _check_processes(training, when)
    read = [call, *functions, *([when.process] if when.process is not None else [])]
    if changed := changed_behind(training, part, read, silent=True):
        raise _Stays(changed)
    if needed := needs_changes(training, part, functions) or asks_more(training, part, ast.Tuple(elts=call.args)):
        raise _Stays(needed)
    save = _Save(part, call, call, path)
    return _by_callback(training, save, when, lambda method: Saving(method, part.statement, call, "", when.process))


def _by_callback(training: Training, save: _Save, when: _When, saving: Callable[[str], Saving]) -> Proposal:
    """The callback that has the module save so, as it is told when, and at which path."""
    part, file = save.part, _file(training, save, when)
    if when.best is not None and file.of_epoch:
        raise _Stays("its file has another name in every epoch")
    ending = _ending(file)
    named = ["auto_insert_metric_name=False"] if file.of_epoch else []
    every = [*when.arguments, *when.kept(file.of_epoch), *named, "enable_version_counter=False"]
    arguments = [file.folder, f"filename={file.name}", *every]
    method = "save_every" if file.of_epoch else "save_best" if when.best is not None else "save_last"
    saver, saved = _SAVERS[method], saving(method)
    going, named_numbers = _naming(training, save, file, when, _changes(training, save, when, own=True))
    told = f"ModelCheckpoint decides when `{posixpath.basename(ending) or ending}` files are saved here, and the module writes what the script wrote"
    written = _OWN_FILE.format(
        saver=saver,
        ending=ending,
        call=f"{method}({'filepath' if saved.function else ''})",
        counted="" if training.counts_steps else _UNCOUNTED,
    )
    return Proposal(
        target="ModelCheckpoint",
        reason="the callback has the module write the same file after the same epochs",
        removed=going.removed,
        replaced=going.replaced,
        decided=when.decided,
        trainer=TrainerSpec(callbacks=(f"{{{saver}}}({', '.join(arguments)})",), defaults=("enable_checkpointing",)),
        watched=(*when.watched, *named_numbers),
        definitions=(written,),
        saved=(saved,),
        imports=(_CLASS, *file.imports),
        fresh=(saver,),
        level="native",
        option=_OPTION,
        notes=(Note(_CALLED, part.statement, told + (f"; {when.start}" if when.start else "")),),
        declined=Note(_KEPT, part.statement, "the script goes on saving this itself: {why}"),
        key=method,
    )


_SAVERS = {"save_best": "SaveBest", "save_last": "SaveLast", "save_every": "SaveEvery"}
_OWN_WORDS = ("ModelCheckpoint", "monitor", "os", *_SAVERS.values())
_OWN_FILE = '''\
class {{{saver}}}({{ModelCheckpoint}}):
    """Has the script's own file written where ModelCheckpoint saves."""

    FILE_EXTENSION = "{ending}"
{counted}
    def _save_checkpoint(self, trainer, filepath):
        trainer.lightning_module.{call}
        self._last_global_step_saved = trainer.global_step
        self._last_checkpoint_saved = filepath
'''
_UNCOUNTED = """
    def _should_skip_saving_checkpoint(self, trainer):
        return bool(trainer.fast_dev_run)  # the script's own steps are not counted
"""


def _ending(file: CheckpointName) -> str:
    """How the name of the file ends."""
    if file.ending is None:
        raise _Stays("how its file's name ends is not known before the training")
    return file.ending


def _check_same_until_end(training: Training, save: _Save, when: _When) -> None:
    """What is written at the end of the epoch must be what the line would have written."""
    read = [save.saved, *([when.process] if when.process is not None else [])]
    if "path" in {n.id for one in read for n in ast.walk(one) if isinstance(n, ast.Name)}:
        raise _Stays("it reads a variable `path`, which the method needs for the file's")
    first = next(p for p in training.parts if p.statement in save.statements)
    if asks := asks_more(training, first, save.saved, save.statements):
        raise _Stays(asks)
    changed = changed_behind(training, first, read, besides=save.statements)
    if not changed and save.part.place == _EPOCH_END:
        return
    if when.process is not None and changed:
        raise _Stays(changed)
    if not training.weights_stay(save.part):
        raise _Stays(_WEIGHTS_CHANGE)
    _check_own_content(training, save.part, save.saved)
    if changed:
        _check_nothing_follows(training, save, first)


def _check_own_content(training: Training, part: Part, saved: ast.expr) -> None:
    """What is written behind the epoch must be what the line would have written: weights, optimizer, epoch, numbers."""
    if _is_weights(training, part, saved):
        return
    if not isinstance(saved, ast.Dict):
        raise _Stays(f"it saves `{training.text(saved)}`, which may be another thing at the end of the epoch")
    for value in saved.values:
        match value:
            case ast.Constant():
                continue
            case ast.Name() if training.number(value, part):
                continue
            case ast.Call(func=ast.Attribute(value=ast.Name() as owner, attr="state_dict"), args=[], keywords=[]):
                if training.steps(owner, part) or training.trains(owner, part):
                    continue
        if not _is_counter(training, part, value):
            raise _Stays(f"`{training.text(value)}` may be another thing at the end of the epoch")


def _check_nothing_follows(training: Training, save: _Save, first: Part) -> None:
    """Nothing of the epoch behind the line may change what it saves, or read its file."""
    names = {n.id for n in ast.walk(save.saved) if isinstance(n, ast.Name)}
    behind = [one for one in training.following(first) if one not in save.statements]
    if why := needs_files(training, first, save.path, save.statements):
        raise _Stays(why)
    for statement in behind:
        for node in ast.walk(statement):
            match node:
                case ast.Name(id=name, ctx=ast.Store() | ast.Del()) if name in names:
                    raise _Stays(f"`{name}` gets another value behind it, in line {node.lineno}")
                case (
                    ast.Call(func=ast.Attribute(attr="step" | "load_state_dict")) | ast.Attribute(attr="param_groups")
                ) if not _is_weights(training, save.part, save.saved):
                    raise _Stays(f"line {node.lineno} may change what it saves")


def _told(training: Training, save: _Save, file: CheckpointName, when: _When) -> str:
    own = " ".join(training.text(save.call).split())
    text = f"ModelCheckpoint saves {file.shown} in place of `{own}`: the weights are under its key `state_dict`, behind the name of the module's attribute"
    return text + (f"; {when.start}" if when.start else "")


# ---- when


_WEIGHTS_CHANGE = "weights or buffers may change between this line and the end of the epoch"


def _check_own_moment(training: Training, part: Part) -> None:
    """The callback acts at the end of an epoch."""
    if part.place not in _AT_END:
        raise _Stays("it is saved in the middle of an epoch")
    if line := ends_behind(training, part):
        raise _Stays(f"line {line} may end the training behind it")
    if training.told("check_val_every_n_epoch") or (part.place != _EPOCH_END and not training.validates_always):
        raise _Stays("the validation does not run in every epoch")


def _check_processes(training: Training, when: _When) -> None:
    """Of several processes each decides by itself, where all it counts is epochs; which of them saves must be said."""
    if training.spread and (when.process is None or when.watched):
        raise _Stays("several processes may train")


def _check_moment(training: Training, part: Part) -> None:
    """The callback acts at the end of an epoch, and only when the Trainer has counted a step."""
    _check_own_moment(training, part)
    if not training.counts_steps:
        raise _Stays(
            "the Trainer does not count the script's own optimizer steps, and saves only when it has counted one"
        )
    if training.spread:
        raise _Stays("several processes may train")
    if not training.weights_stay(part):
        raise _Stays(_WEIGHTS_CHANGE)


def _when(training: Training, part: Part, by_process: bool = False) -> _When:
    match part.within:
        case ():
            return _When()
        case (ast.If() as test,) if part.statement in test.body:
            if guarded := _guarded(training, part, test, by_process):
                return guarded
            return _periodic(training, part, test) or _best(training, part, test)
        case (ast.If() as outer, ast.If() as inner) if inner in outer.body and part.statement in inner.body:
            for test, guard in ((outer, inner), (inner, outer)):
                if guarded := _guarded(training, part, guard, by_process):
                    when = _periodic(training, part, test) or _best(training, part, test)
                    return replace(when, guard=guard, switch=guarded.switch, process=guarded.process)
    raise _Stays("it is saved under more than one condition")


def _guarded(training: Training, part: Part, guard: ast.If, by_process: bool) -> _When | None:
    """When a condition lets save that is the same in the whole training, or asks which of several processes this one is."""
    asks = not guard.orelse and _asks_process(guard.test)
    if not (asks and by_process and training.spread) and (switch := _switch(training, part, guard)):
        return _When(guard=guard, switch=switch)
    if asks:
        if not by_process:
            raise _Stays("several processes may train")
        return _When(guard=guard, process=guard.test)
    return None


def _asks_process(test: ast.expr) -> bool:
    """Whether a condition asks which of several processes this one is."""
    named = [
        n.attr if isinstance(n, ast.Attribute) else n.id
        for n in ast.walk(test)
        if isinstance(n, ast.Attribute | ast.Name)
    ]
    return any(_OF_PROCESSES.search(name) for name in named)


def _switch(training: Training, part: Part, guard: ast.If) -> str:
    """What a condition asks that is the same in the whole training, where the Trainer is made; "" for any other."""
    text = training.at_entry(guard.test, part) if not guard.orelse and _is_settled(training, guard.test) else ""
    return f"({text})" if text and isinstance(guard.test, ast.IfExp) else text


def _is_settled(training: Training, test: ast.expr) -> bool:
    """Whether nothing in the file, be it a function that is only handed on, sets what a condition asks another time."""
    names = {n.id for n in ast.walk(test) if isinstance(n, ast.Name)}
    attributes = {n.attr for n in ast.walk(test) if isinstance(n, ast.Attribute)}
    if any(isinstance(n, ast.Subscript) for n in ast.walk(test)):
        return False
    if any(a.attr in attributes and not isinstance(a.ctx, ast.Load) for a in training.all(ast.Attribute)):
        return False
    declared = [*training.all(ast.Global), *training.all(ast.Nonlocal)]
    return not any(name in names for one in declared for name in one.names)


def _periodic(training: Training, part: Part, test: ast.If) -> _When | None:
    """``(epoch + 1) % k == 0`` with epochs from 0, ``epoch % k == 0`` with epochs from 1."""
    match test.test:
        case (
            ast.Compare(
                left=ast.BinOp(left=counted, op=ast.Mod(), right=every),
                ops=[ast.Eq()],
                comparators=[ast.Constant(value=0)],
            )
            | ast.UnaryOp(op=ast.Not(), operand=ast.BinOp(left=counted, op=ast.Mod(), right=every))
        ):
            text = training.at_entry(every, part)
            if text and _counts_from_one(training, part, counted):
                return _When((f"every_n_epochs={text}",), f"every {text}", test)
            raise _Stays(_OTHER_PERIOD)
        case ast.BoolOp(op=ast.And(), values=values) if any(_is_period(training, part, one) for one in values):
            raise _Stays(_OTHER_PERIOD)
    return None


def _counts_from_one(training: Training, part: Part, counted: ast.expr) -> bool:
    match counted:
        case ast.Name():
            return training.first_epoch(counted, part) == 1
        case ast.BinOp(left=epoch, op=ast.Add(), right=ast.Constant(value=1)):
            return training.first_epoch(epoch, part) == 0
    return False


_OTHER_PERIOD = "the callback counts every k epochs from the first one's end, as `(epoch + 1) % k == 0` does"


def _is_period(training: Training, part: Part, test: ast.expr) -> bool:
    """``epoch % k == 0``."""
    match test:
        case ast.Compare(
            left=ast.BinOp(left=counted, op=ast.Mod()), ops=[ast.Eq()], comparators=[ast.Constant(value=0)]
        ):
            return training.is_epoch(counted, part)
    return False


def _best(training: Training, part: Part, test: ast.If) -> _When:
    """``value < best``, where the best value is held right there."""
    asked, comparison = _asked_first(test.test)
    for value, operator, best in compared(comparison):
        if not isinstance(best, ast.Name) or not _is_held(test, value, best) or (asked and asked.name != best.id):
            continue
        if operator not in (ast.Lt, ast.Gt):
            raise _Stays("a value as good as the best one is saved as well, which the callback does not do")
        if not isinstance(value, ast.Name):
            raise _Stays("the callback knows no least difference from the best value")
        held = training.value(best)
        first = _starts_with(training, held, operator, asked)
        if held is None or held.hidden or first is None or _bindings(held) != _START_AND_TEST:
            raise _Stays(f"`{best.id}` gets a value in more places than at its start and here")
        if not training.validates_always:
            raise _Stays("the validation does not run in every epoch")
        if not training.number(value, _part_of(training, test)) or rebinds(test, value.id):
            raise _Stays(f"`{value.id}` may be something else than a plain number")
        mode = "min" if operator is ast.Lt else "max"
        open_end = math.inf if mode == "min" else -math.inf
        if first == -open_end:
            break
        beats = "below" if mode == "min" else "above"
        text = f"the first epoch is saved even if its `{value.id}` is not {beats} {first:g}"
        if first == open_end:
            text = f"a first epoch whose `{value.id}` is no number is saved, too"
        return _When(
            ("monitor={monitor}", *(['mode="max"'] if mode == "max" else [])),
            f"best {value.id} {mode}",
            test,
            (Watch("monitor", value, test),),
            asked.note(value.id) if asked else text,
            held,
            (value.id, best.id),
        )
    if isinstance(test.test, ast.Compare):
        raise _Stays("it is not saved when a number is better than the best one so far")
    raise _Stays(f"the callback decides by one number, not by `{' '.join(training.text(test.test).split())}`")


@dataclass(frozen=True, slots=True)
class _AskedFirst:
    """``best is None or``, or ``not best or``, which holds for a best value of 0 as well."""

    name: str
    zero: bool

    def note(self, value: str) -> str:
        """Which epochs are saved otherwise."""
        text = f"a first `{value}` that is no number does not keep later ones from being the best"
        return text + (", and behind a best one of exactly 0 not every epoch is saved" if self.zero else "")


def _asked_first(test: ast.expr) -> tuple[_AskedFirst | None, ast.expr]:
    """What a condition asks before it compares with the best value."""
    match test:
        case ast.BoolOp(
            op=ast.Or(),
            values=[
                ast.Compare(left=ast.Name(id=name), ops=[ast.Is()], comparators=[ast.Constant(value=None)]),
                comparison,
            ],
        ):
            return _AskedFirst(name, zero=False), comparison
        case ast.BoolOp(op=ast.Or(), values=[ast.UnaryOp(op=ast.Not(), operand=ast.Name(id=name)), comparison]):
            return _AskedFirst(name, zero=True), comparison
    return None, test


def _starts_with(
    training: Training, held: Value | None, operator: type[ast.cmpop], asked: _AskedFirst | None
) -> float | None:
    """The number with which the best value starts: as good as none where it is None, and the condition asks for that."""
    if held is None or held.start is None:
        return None
    if asked is None:
        return number(training, held.start.value)
    is_none = isinstance(held.start.value, ast.Constant) and held.start.value.value is None
    return (math.inf if operator is ast.Lt else -math.inf) if is_none else None


_START_AND_TEST = 2


def _bindings(value: Value) -> int:
    return sum(not isinstance(n.ctx, ast.Load) for n in value.mentions)


def _is_held(test: ast.If, value: ast.expr, best: ast.Name) -> bool:
    """Whether what is compared, or what a difference is taken from, becomes the best value right under the test."""
    names = {n.id for n in ast.walk(value) if isinstance(n, ast.Name)}
    return any(assigned_name(s, best.id) in names for s in test.body)


def _part_of(training: Training, statement: ast.stmt) -> Part:
    return next(p for p in training.parts if p.statement is statement)


# ---- what


def _check_content(training: Training, part: Part, saved: ast.expr, when: _When) -> None:
    """A checkpoint holds the weights, the optimizer and the epoch; and the callback's best value."""
    if _is_weights(training, part, saved):
        return
    if not isinstance(saved, ast.Dict):
        raise _Stays(f"it saves `{training.text(saved)}`, not the weights of the one model that is trained")
    values = [v for v in saved.values if not _is_weights(training, part, v)]
    if len(values) == len(saved.values):
        raise _Stays("it does not save the weights of the one model that is trained")
    for value in values:
        if not _is_in_checkpoint(training, part, value, when):
            raise _Stays(f"a checkpoint of Lightning's does not hold `{training.text(value)}`")


def _is_weights(training: Training, part: Part, node: ast.expr) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name() as model, attr="state_dict"), args=[], keywords=[]):
            return training.trains(model, part)
    return False


def _is_in_checkpoint(training: Training, part: Part, node: ast.expr, when: _When) -> bool:
    match node:
        case ast.Constant():
            return True
        case ast.Call(func=ast.Attribute(value=ast.Name() as owner, attr="state_dict"), args=[], keywords=[]):
            return training.steps(owner, part)
        case ast.Name(id=name) if name in when.numbers or (training.resumed and _lives_on(training, part, node)):
            return True
    return _is_epoch(training, part, node) or _is_counter(training, part, node)


def _lives_on(training: Training, part: Part, name: ast.Name) -> bool:
    """Whether it is a number of the loop that the module stores beside its checkpoints, to go on from."""
    value = training.value(name)
    return value is not None and value.start is not None and not value.hidden and training.number(name, part)


def _is_counter(training: Training, part: Part, node: ast.expr) -> bool:
    """Whether it tells the epoch, from whatever number the script counts."""
    match node:
        case ast.BinOp(left=epoch, op=ast.Add(), right=ast.Constant(value=1)):
            return training.is_epoch(epoch, part)
    return training.is_epoch(node, part)


def _is_epoch(training: Training, part: Part, node: ast.expr) -> bool:
    match node:
        case ast.BinOp(left=epoch, op=ast.Add(), right=ast.Constant(value=1)):
            return training.counts_epochs(epoch, part)
    return training.counts_epochs(node, part)


# ---- where


def _file(training: Training, save: _Save, when: _When) -> CheckpointName:
    """``switch``: where that is off, the script never asks for the name, which may be none at all then."""
    try:
        return name_of(training, save.part, save.path, when.switch)
    except Unnamed as reason:
        raise _Stays(str(reason)) from reason


# ---- who reads it


def _loads(training: Training, save: _Save, when: _When, others: frozenset[int] = frozenset()) -> dict[ast.stmt, str]:
    """What becomes of the statements behind the training that load the file; whatever else may read it lets it stay."""
    path, found = save.path, dict[ast.stmt, str]()
    ours = [*save.statements, *([when.guard.test] if when.guard is not None else [])]
    known = {id(n) for one in ours for n in ast.walk(one)} | others
    behind = [p for p in training.parts if p.place == AFTER]
    for call in training.all(ast.Call):
        if training.full_name(call.func) in _MAKE_FOLDERS:
            known |= {id(n) for n in ast.walk(call)}
        if training.full_name(call.func) != "torch.load" or not call.args or _are_others(path, call.args[0]):
            continue
        part = next((p for p in behind if call in (_loads_weights(p.statement), _held(p.statement))), None)
        if part is None or ast.dump(call.args[0]) != ast.dump(path):
            raise _Stays(f"`torch.load` in line {call.lineno} may read its file")
        if _held(part.statement) is call:
            found |= _uses(training, save, part, behind)
        elif isinstance(save.saved, ast.Call):
            _check_model(training, part)
            found[part.statement] = f'{{module}}.load_state_dict({_loading(training, call)}["state_dict"])\n'
        else:
            raise _Stays(f"`torch.load` in line {call.lineno} may read its file")
        known |= {id(n) for n in ast.walk(part.statement)}
    try:
        for node in mentions(training, path, known):
            raise _Stays(f"line {node.lineno} names its file as well")  # type: ignore[attr-defined]
    except Unnamed as reason:
        raise _Stays(str(reason)) from reason
    return found


def _check_model(training: Training, part: Part) -> None:
    """What loads weights into the one model may load the module's as well, as long as that has no other state."""
    model, line = part.statement.value.func.value, part.statement.lineno  # type: ignore[attr-defined]
    if not training.trains(model, part):
        raise _Stays(f"line {line} loads its file into another model")
    if not training.trains_nothing_else(model, part):
        raise _Stays(f"line {line} loads the file, and the module may hold more state than the model's")


def _are_others(path: ast.expr, other: ast.expr) -> bool:
    both = isinstance(path, ast.Constant) and isinstance(other, ast.Constant)
    return both and path.value != other.value  # type: ignore[attr-defined]


def _loads_weights(statement: ast.stmt) -> ast.expr | None:
    """What is loaded as weights by a statement that does only that."""
    match statement:
        case ast.Expr(
            value=ast.Call(func=ast.Attribute(value=ast.Name(), attr="load_state_dict"), args=[it], keywords=[])
        ):
            return it
    return None


def _held(statement: ast.stmt) -> ast.expr | None:
    """What a statement gives a name of its own."""
    match statement:
        case ast.Assign(targets=[ast.Name()], value=value):
            return value
    return None


def _loading(training: Training, load: ast.Call) -> str:
    more = [training.text(k.value) if k.arg is None else f"{k.arg}={training.text(k.value)}" for k in load.keywords]
    if not any(k.arg == "weights_only" for k in load.keywords) and not has_plain_options(training):
        more.append("weights_only=False")
    more += [training.text(a) for a in load.args[1:]]
    return f"{{torch}}.load({', '.join(['{model_checkpoint}.best_model_path', *more])})"


def _uses(training: Training, save: _Save, loads: Part, behind: Sequence[Part]) -> dict[ast.stmt, str]:
    """What becomes of a dictionary that is loaded, and of all that reads it: its weights and its epoch are known in Lightning's, too."""
    assert isinstance(loads.statement, ast.Assign) and isinstance(loads.statement.value, ast.Call)
    [target] = loads.statement.targets
    assert isinstance(target, ast.Name)
    line, value = loads.statement.lineno, training.value(target)
    if value is None or value.hidden or _bindings(value) != 1 or not isinstance(save.saved, ast.Dict):
        raise _Stays(f"what line {line} loads is not only read as what was saved")
    found: dict[ast.stmt, str] = {loads.statement: f"{target.id} = {_loading(training, loads.statement.value)}\n"}
    left = {id(n): n for n in value.mentions if n is not target}
    for part in behind:
        names = [n for n in ast.walk(part.statement) if id(n) in left]
        if names and not isinstance(part.statement, ast.Expr | ast.Assign):
            raise _Stays(f"what line {line} loads is read in line {part.statement.lineno} under a condition")
        if names:
            found[part.statement] = _rewritten(training, save, part, target.id, len(names))
            left = {key: n for key, n in left.items() if n not in names}
    for name in left.values():
        raise _Stays(f"what line {line} loads is read in line {name.lineno}")
    return found


def _rewritten(training: Training, save: _Save, part: Part, name: str, count: int) -> str:
    """A statement that reads what was loaded, with the keys of Lightning's file."""
    assert isinstance(save.saved, ast.Dict)
    saved = {k.value: v for k, v in zip(save.saved.keys, save.saved.values, strict=True) if isinstance(k, ast.Constant)}
    match _loads_weights(part.statement):
        case ast.Subscript(value=ast.Name(id=held), slice=ast.Constant(value=key)) if held == name and count == 1:
            if key in saved and _is_weights(training, save.part, saved[key]):
                _check_model(training, part)
                return f'{{module}}.load_state_dict({name}["state_dict"])\n'
    epochs = {
        k: isinstance(v, ast.BinOp)
        for k, v in saved.items()
        if isinstance(k, str) and _is_epoch(training, save.part, v)
    }
    reader = _EpochReader(name, epochs)
    text = cst.parse_module(training.text(part.statement)).visit(reader).code
    if reader.found != count or reads_as_word(text, "model_checkpoint", "ModelCheckpoint", "monitor", "os", "torch"):
        raise _Stays(f"line {part.statement.lineno} reads more of the file than its weights and its epoch")
    return f"{text}\n"


class _EpochReader(cst.CSTTransformer):
    """Reads the epoch of Lightning's file, which counts from 0, in place of the script's; ``epochs`` says of each key whether it counts from 1."""

    def __init__(self, name: str, epochs: Mapping[str, bool]) -> None:
        super().__init__()
        self.name, self.epochs, self.found = name, epochs, 0

    def leave_Subscript(self, original_node: cst.Subscript, updated_node: cst.Subscript) -> cst.BaseExpression:
        match original_node:
            case cst.Subscript(
                value=cst.Name(value=held), slice=[cst.SubscriptElement(cst.Index(cst.SimpleString() as key))]
            ) if held == self.name and key.evaluated_value in self.epochs:
                self.found += 1
                epoch = updated_node.deep_replace(key, key.with_changes(value=f"{key.quote}epoch{key.quote}"))
                assert isinstance(epoch, cst.Subscript)
                if not self.epochs[str(key.evaluated_value)]:
                    return epoch
                return cst.BinaryOperation(
                    epoch, cst.Add(), cst.Integer("1"), lpar=[cst.LeftParen()], rpar=[cst.RightParen()]
                )
        return updated_node

    def leave_FormattedStringExpression(
        self, original_node: cst.FormattedStringExpression, updated_node: cst.FormattedStringExpression
    ) -> cst.FormattedStringExpression:
        inner = updated_node.expression
        if isinstance(inner, cst.BinaryOperation) and not isinstance(original_node.expression, cst.BinaryOperation):
            return updated_node.with_changes(expression=inner.with_changes(lpar=[], rpar=[]))
        return updated_node


# ---- what goes


@dataclass(frozen=True, slots=True)
class _Going:
    """Statements that go, and what becomes of others."""

    removed: tuple[ast.stmt, ...]
    replaced: dict[ast.stmt, str]


def _changes(training: Training, save: _Save, when: _When, own: bool = False) -> _Going:
    """The statements that go, and those that become others: the whole test where nothing else stands under it or needs its value."""
    test, held, guard = when.test, when.best, when.guard
    going, only_it = save.statements, _Going(save.statements, {})
    if guard is not None and not _others(training, guard, save.statements):
        going, only_it = (guard,), _Going((), {guard: ""})
    if test is None:
        return only_it
    others = _others(training, test, going)
    if held is None:
        return _Going((), {test: ""}) if not others else only_it
    if own and any(isinstance(n, ast.Name) and n.id == held.name for n in ast.walk(save.saved)):
        return only_it
    assert held.start is not None
    inside = {id(n) for n in (*ast.walk(test), *ast.walk(held.start.statement))}
    seen = {p.statement for p in training.parts}
    only_for_it = held.start.statement in seen and all(s in seen and assigned_name(s, held.name) for s in others)
    if not only_for_it or any(id(n) not in inside for n in held.mentions):
        return only_it
    start = left_of(training, held.start.statement, {held.name})
    if start is None:
        return _Going((held.start.statement,), {test: ""})
    return _Going((), {test: "", held.start.statement: start})


def _naming(
    training: Training, save: _Save, file: CheckpointName, when: _When, going: _Going
) -> tuple[_Going, tuple[Watch, ...]]:
    """What goes, when the numbers in the file's name are logged where the script made it."""
    if not file.key and not file.numbers:
        return going, ()
    whole = (s for s in (when.guard, when.test) if s is not None and going.replaced.get(s) == "")
    place = next(whole, save.part.statement)
    epoch = f"float({training.text(file.epoch)})" if file.epoch is not None else ""
    line = f'self.log("{file.key}", {epoch}, logger=False)\n' if epoch else ""
    removed = tuple(s for s in going.removed if s is not place)
    numbers = tuple(Watch(word, number, before=place) for word, number in file.numbers)
    return _Going(removed, {**going.replaced, place: line}), numbers


def _others(training: Training, test: ast.If, going: Sequence[ast.stmt]) -> list[ast.stmt]:
    """What else stands under a condition."""
    return [s for s in (*test.body, *test.orelse) if s not in going and not training.is_gone(s)]


FEATURE = ModelCheckpoint()
