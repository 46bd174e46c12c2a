"""What is saved in every epoch, or when a number is better than ever, is saved by ``ModelCheckpoint``: with ``--checkpoints lightning``.

    if val_loss < best_loss:                                     →   self.log("val_loss", torch.tensor(self.val_loss, dtype=torch.float64))
        best_loss = val_loss
        torch.save(model.state_dict(), "best.pth")               →   checkpoint = ModelCheckpoint(".", filename="best", monitor="val_loss", enable_version_counter=False)
    ...
    model.load_state_dict(torch.load("best.pth"))                →   lit_net.load_state_dict(torch.load(checkpoint.best_model_path)["state_dict"])

The callback saves after the same epochs, and the same weights; the file is Lightning's. Equal is not better to it, and it knows no least difference. It saves at the end of the
epoch, when the Trainer has stepped. So what is saved at other moments, holds more than a checkpoint does, or may be read by something else of the script, stays.
Source: https://lightning.ai/docs/pytorch/stable/common/checkpointing_intermediate.html
"""

from __future__ import annotations

import ast
import math
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..best_value import assigned_name, compared, left_of, number, rebinds
from ..feature import AFTER, AROUND, Note, Part, Proposal, Training, Value, Watch, reads_as_word
from ..program import TrainerSpec

_CLASS = "lightning.pytorch.callbacks.ModelCheckpoint"
_OPTION, _NOW, _KEPT = "checkpoints", "checkpoints-by-lightning", "checkpoint-kept"
_AT_END = ("on_validation_epoch_end", "on_train_epoch_end")
_PLAIN = {"int", "float", "str"}
_MAKE_FOLDERS = {"os.makedirs", "os.mkdir"}


class _Stays(Exception):
    """Why the script goes on saving itself."""


@dataclass(frozen=True, slots=True)
class ModelCheckpoint:
    """Proposes the callback for each `torch.save` of an epoch that it does the same."""

    name: str = "model_checkpoint"
    after: Sequence[str] = ("early_stopping",)

    def proposals(self, training: Training) -> Iterable[Proposal | Note]:
        """One proposal for each save that is understood, and a note on each other one."""
        if training.asked(_OPTION) != "lightning":
            return
        for part in training.parts:
            if (save := _save(training, part)) is not None:
                try:
                    yield _proposal(training, part, save)
                except _Stays as reason:
                    yield Note(_KEPT, part.statement, f"the script goes on saving this itself: {reason}")


@dataclass(frozen=True, slots=True)
class _File:
    """Where it is saved: folder and name as source, with the epoch in braces where it names it, and how it is told to a person."""

    folder: str
    name: str
    shown: str
    imports: tuple[str, ...] = ()
    of_epoch: bool = False


@dataclass(frozen=True, slots=True)
class _When:
    """When it is saved: what the callback is told of that, which condition it decides, and what of the script goes with it."""

    arguments: tuple[str, ...] = ()
    key: str = "every"
    test: ast.If | None = None
    watched: tuple[Watch, ...] = ()
    start: str = ""
    best: Value | None = None
    numbers: tuple[str, ...] = ()


def _save(training: Training, part: Part) -> ast.Call | None:
    """The call of `torch.save` that a statement of an epoch is."""
    match part.statement:
        case ast.Expr(value=ast.Call(func=function, args=[_, _]) as call) if part.place not in AROUND:
            return call if training.full_name(function) == "torch.save" else None
    return None


def _proposal(training: Training, part: Part, save: ast.Call) -> Proposal:
    if reads_as_word(training.text(save), "checkpoint", "ModelCheckpoint", "monitor", "os", "torch"):
        raise _Stays("the name of its file cannot be written anew")
    if save.keywords:
        raise _Stays("`torch.save` has options of its own")
    _check_moment(training, part)
    when = _when(training, part)
    _check_content(training, part, save.args[0], when)
    file = _file(training, part, save.args[1])
    loads = _loads(training, part, save)
    if (loads or when.best) and file.of_epoch:
        raise _Stays("its file has another name in every epoch")
    keep = ["save_top_k=-1"] if file.of_epoch else []
    named = ["auto_insert_metric_name=False"] if file.of_epoch else []
    arguments = [file.folder, f"filename={file.name}", *named, *when.arguments, *keep, "enable_version_counter=False"]
    made = f"{{ModelCheckpoint}}({', '.join(arguments)})"
    removed, replaced = _changes(training, part, when)
    replaced |= loads
    return Proposal(
        target="ModelCheckpoint",
        reason="the callback saves the same weights after the same epochs, in a file of Lightning's",
        removed=removed,
        replaced=replaced,
        decided=(when.test,) if when.test is not None else (),
        trainer=TrainerSpec(callbacks=("{checkpoint}" if loads else made,), defaults=("enable_checkpointing",)),
        watched=when.watched,
        before_fit=(f"{{checkpoint}} = {made}",) if loads else (),
        imports=(_CLASS, *file.imports, *(["torch"] if loads else [])),
        fresh=("checkpoint",) if loads else (),
        level="native",
        option=_OPTION,
        notes=(Note(_NOW, part.statement, _told(training, save, file, when)),),
        declined=Note(_KEPT, part.statement, "the script goes on saving this itself: {why}"),
        key=when.key,
    )


def _told(training: Training, save: ast.Call, file: _File, when: _When) -> str:
    text = f"ModelCheckpoint saves {file.shown} in place of `{training.text(save)}`: the weights are under its key `state_dict`, behind the name of the module's attribute"
    return text + (f"; {when.start}" if when.start else "")


# ---- when


def _check_moment(training: Training, part: Part) -> None:
    """The callback acts at the end of an epoch, and only when the Trainer has counted a step."""
    if part.place not in _AT_END:
        raise _Stays("it is saved in the middle of an epoch")
    if not training.automatic:
        raise _Stays(
            "the Trainer does not count the script's own optimizer steps, and saves only when it has counted one"
        )
    if training.spread:
        raise _Stays("several processes may train")
    if training.told("check_val_every_n_epoch"):
        raise _Stays("the validation does not run in every epoch")
    if not training.weights_stay(part):
        raise _Stays("weights or buffers may change between this line and the end of the epoch")


def _when(training: Training, part: Part) -> _When:
    match part.within:
        case ():
            return _When()
        case (ast.If() as test,) if part.statement in test.body:
            return _periodic(training, part, test) or _best(training, part, test)
    raise _Stays("it is saved under more than one condition")


def _periodic(training: Training, part: Part, test: ast.If) -> _When | None:
    """``(epoch + 1) % k == 0``, with epochs from 0."""
    match test.test:
        case ast.Compare(
            left=ast.BinOp(left=counted, op=ast.Mod(), right=every), ops=[ast.Eq()], comparators=[ast.Constant(value=0)]
        ):
            match counted:
                case ast.BinOp(left=epoch, op=ast.Add(), right=ast.Constant(value=1)):
                    text = training.at_entry(every, part)
                    if training.counts_epochs(epoch, part) and text:
                        return _When((f"every_n_epochs={text}",), f"every {text}", test)
            raise _Stays("the callback counts every k epochs from the first one's end, as `(epoch + 1) % k == 0` does")
    return None


def _best(training: Training, part: Part, test: ast.If) -> _When:
    """``value < best``, where the best value is held right there."""
    for value, operator, best in compared(test.test):
        if not isinstance(best, ast.Name) or not _is_held(test, value, best):
            continue
        if operator not in (ast.Lt, ast.Gt):
            raise _Stays("a value as good as the best one is saved as well, which the callback does not do")
        if not isinstance(value, ast.Name):
            raise _Stays("the callback knows no least difference from the best value")
        held = training.value(best)
        first = number(training, held.start.value) if held is not None and held.start is not None else None
        if held is None or held.hidden or first is None or _bindings(held) != _START_AND_TEST:
            raise _Stays(f"`{best.id}` gets a value in more places than at its start and here")
        if not training.number(value, _part_of(training, test)) or rebinds(test, value.id):
            raise _Stays(f"`{value.id}` may be something else than a plain number")
        mode = "min" if operator is ast.Lt else "max"
        open_end = math.inf if mode == "min" else -math.inf
        if first == -open_end:
            break
        beats = "below" if mode == "min" else "above"
        text = f"the first epoch is saved even if its `{value.id}` is not {beats} {first:g}"
        return _When(
            ("monitor={monitor}", *(['mode="max"'] if mode == "max" else [])),
            f"best {value.id} {mode}",
            test,
            (Watch("monitor", value, test),),
            "" if first == open_end else text,
            held,
            (value.id, best.id),
        )
    raise _Stays("it is not saved when a number is better than the best one so far")


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
        case ast.BinOp(left=epoch, op=ast.Add(), right=ast.Constant(value=1)):
            return training.counts_epochs(epoch, part)
        case ast.Name(id=name):
            return name in when.numbers or training.counts_epochs(node, part)
    return False


# ---- where


def _file(training: Training, part: Part, path: ast.expr) -> _File:
    match path:
        case ast.Constant(value=str(text)):
            folder, stem = _parted(text)
            return _File(_quoted(folder or "."), _quoted(stem), f"`{posixpath.join(folder, stem)}.ckpt`")
        case ast.Call(func=function, args=[*folders, ast.Constant(value=str(text))], keywords=[]) if folders:
            inner, stem = _parted(text)
            texts = [training.at_entry(one, part) for one in folders]
            if training.full_name(function) == "os.path.join" and all(texts):
                arguments = [*texts, *([_quoted(inner)] if inner else [])]
                called = training.text(function)
                made = f"{called}({', '.join(arguments)})" if len(arguments) > 1 else arguments[0]
                return _File(made, _quoted(stem), f"`{stem}.ckpt` there")
        case ast.JoinedStr(values=pieces):
            if (found := _of_epoch(training, part, pieces)) is not None:
                return found
    if text := training.at_entry(path, part):
        folder, name = f"{{os}}.path.dirname({text})", f"{{os}}.path.splitext({{os}}.path.basename({text}))[0]"
        return _File(f'{folder} or "."', name, "a file that ends in `.ckpt`", ("os",))
    raise _Stays("the name of its file is not known before the training, or holds other numbers of it")


def _parted(path: str) -> tuple[str, str]:
    folder, name = posixpath.split(path)
    stem = posixpath.splitext(name)[0]
    if not stem or any(sign in path for sign in "{}=\\"):
        raise _Stays("the callback cannot give its file that name")
    return folder, stem


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


def _of_epoch(training: Training, part: Part, pieces: Sequence[ast.expr]) -> _File | None:
    """An f-string with the epoch in its last part: ``f"weights/model_{epoch}.pth"``."""
    text = ""
    for piece in pieces:
        match piece:
            case ast.Constant(value=str(plain)) if not any(sign in plain for sign in "{}=\\"):
                text += plain
            case ast.FormattedValue(value=ast.Name() as name, conversion=-1, format_spec=spec) if (
                training.counts_epochs(name, part)
            ):
                match spec:
                    case None:
                        text += "{epoch}"
                    case ast.JoinedStr(values=[ast.Constant(value=str(form))]):
                        text += f"{{epoch:{form}}}"
                    case _:
                        return None
            case _:
                return None
    folder, last = posixpath.split(text)
    stem = posixpath.splitext(last)[0]
    if "{" in folder or "{epoch" not in stem:
        return None
    return _File(_quoted(folder or "."), _quoted(stem), f"`{text.rpartition('.')[0]}.ckpt`", of_epoch=True)


# ---- who reads it


def _loads(training: Training, part: Part, save: ast.Call) -> dict[ast.stmt, str]:
    """What becomes of the statements behind the training that load the weights; whatever else may read the file lets it stay."""
    path, found = save.args[1], dict[ast.stmt, str]()
    known = {id(n) for n in ast.walk(part.statement)}
    for call in training.all(ast.Call):
        if training.full_name(call.func) != "torch.load" or not call.args:
            continue
        if _are_others(path, call.args[0]):
            continue
        behind = next((p for p in training.parts if p.place == AFTER and _loads_weights(p.statement) is call), None)
        if behind is None or ast.dump(call.args[0]) != ast.dump(path) or not isinstance(save.args[0], ast.Call):
            raise _Stays(f"`torch.load` in line {call.lineno} may read its file")
        model = behind.statement.value.func.value  # type: ignore[attr-defined]
        if not training.trains(model, behind):
            raise _Stays(f"line {call.lineno} loads its file into another model")
        if not training.trains_nothing_else(model, behind):
            raise _Stays(f"line {call.lineno} loads the file, and the module may hold more state than the model's")
        found[behind.statement] = _loading(training, call)
        known |= {id(n) for n in ast.walk(behind.statement)}
    for call in training.all(ast.Call):
        if training.full_name(call.func) in _MAKE_FOLDERS:
            known |= {id(n) for n in ast.walk(call)}
    for node in _mentions(training, path, known):
        raise _Stays(f"line {node.lineno} names its file as well")  # type: ignore[attr-defined]
    return found


def _are_others(path: ast.expr, other: ast.expr) -> bool:
    both = isinstance(path, ast.Constant) and isinstance(other, ast.Constant)
    return both and path.value != other.value  # type: ignore[attr-defined]


def _loads_weights(statement: ast.stmt) -> ast.Call | None:
    match statement:
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(value=ast.Name(), attr="load_state_dict"), args=[ast.Call() as load], keywords=[]
            )
        ):
            return load
    return None


def _loading(training: Training, load: ast.Call) -> str:
    more = [training.text(k.value) if k.arg is None else f"{k.arg}={training.text(k.value)}" for k in load.keywords]
    if not any(k.arg == "weights_only" for k in load.keywords) and not _has_plain_options(training):
        more.append("weights_only=False")
    more += [training.text(a) for a in load.args[1:]]
    arguments = ", ".join(["{checkpoint}.best_model_path", *more])
    return f'{{module}}.load_state_dict({{torch}}.load({arguments})["state_dict"])\n'


def _has_plain_options(training: Training) -> bool:
    """Whether the script's options are texts and numbers, which torch loads without being told to trust the file."""
    for call in training.all(ast.Call):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "add_argument":
            for keyword in call.keywords:
                if keyword.arg == "type" and training.full_name(keyword.value) not in _PLAIN:
                    return False
                if keyword.arg == "default" and not _is_plain(keyword.value):
                    return False
    return not any(
        isinstance(a.ctx, ast.Store) and isinstance(a.value, ast.Name) and a.value.id != "self"
        for a in training.all(ast.Attribute)
    )


def _is_plain(node: ast.expr) -> bool:
    match node:
        case ast.UnaryOp(operand=inner):
            return _is_plain(inner)
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return all(map(_is_plain, elements))
    return isinstance(node, ast.Constant)


def _mentions(training: Training, path: ast.expr, known: set[int]) -> Iterator[ast.AST]:
    """What else of the file names the path: its text, the variable or the option that holds it."""
    texts = {
        n.value for n in ast.walk(path) if isinstance(n, ast.Constant) and isinstance(n.value, str) and "." in n.value
    }
    match path:
        case ast.Name():
            value = training.value(path)
            if value is None or value.hidden or value.start is None:
                raise _Stays("the name of its file may have other values")
            known = known | {id(n) for n in ast.walk(value.start.statement)}
            yield from (n for n in value.mentions if id(n) not in known)
            texts |= {
                n.value for n in ast.walk(value.start.value) if isinstance(n, ast.Constant) and isinstance(n.value, str)
            }
        case ast.Attribute(attr=attribute):
            yield from (a for a in training.all(ast.Attribute) if a.attr == attribute and id(a) not in known)
    yield from (c for c in training.all(ast.Constant) if c.value in texts and id(c) not in known)


# ---- what goes


def _changes(training: Training, part: Part, when: _When) -> tuple[tuple[ast.stmt, ...], dict[ast.stmt, str]]:
    """The statements that go, and those that become others: the whole test where nothing else stands under it or needs its value."""
    test, held = when.test, when.best
    if test is None:
        return (part.statement,), {}
    others = [s for s in (*test.body, *test.orelse) if s is not part.statement and not training.is_gone(s)]
    if held is None:
        return ((), {test: ""}) if not others else ((part.statement,), {})
    assert held.start is not None
    inside = {id(n) for n in (*ast.walk(test), *ast.walk(held.start.statement))}
    seen = {p.statement for p in training.parts}
    only_for_it = all(s in seen and assigned_name(s, held.name) for s in others)
    if not only_for_it or any(id(n) not in inside for n in held.mentions):
        return (part.statement,), {}
    start = left_of(training, held.start.statement, {held.name})
    return ((held.start.statement,), {test: ""}) if start is None else ((), {test: "", held.start.statement: start})


FEATURE = ModelCheckpoint()
