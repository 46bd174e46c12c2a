"""The loaders, and the data that is made for them alone, move into a ``LightningDataModule``: with ``--datamodule``.

    train_set, val_set = random_split(full, [90, 30])          →   data = LitData(full, args)
    train_loader = DataLoader(train_set, 16, shuffle=True)     →   data.setup("fit")
    for x, y in train_loader: ...                              →   trainer.fit(module, datamodule=data)

`setup` is called by hand where the script made the data, so that random numbers are drawn in the script's order; when the Trainer calls it again it does nothing.
To make a `DataLoader` draws none, so the loaders are made in their hooks, with every argument by its name: Lightning makes them anew for some strategies and `predict`.
What stands between other statements, or is read by others, stays where it is and is handed to the module.
Source: https://lightning.ai/docs/pytorch/stable/data/datamodule.html
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..feature import AROUND, BEFORE, Note, Proposal, Training, reads_as_word

_OPTION, _NOW, _KEPT = "datamodule", "data-in-a-module", "data-kept"
_LOADER = "torch.utils.data.DataLoader"
_ARGUMENTS = (
    "dataset", "batch_size", "shuffle", "sampler", "batch_sampler", "num_workers", "collate_fn", "pin_memory",
    "drop_last", "timeout", "worker_init_fn", "multiprocessing_context", "generator",
)  # fmt: skip
_HOOKS = ("train_dataloader", "val_dataloader")
_TAKEN = frozenset(
    {
        "allow_zero_length_dataloader_with_multiple_devices", "from_datasets", "hparams", "hparams_initial", "load_from_checkpoint", "load_state_dict", "name",
        "on_after_batch_transfer", "on_before_batch_transfer", "on_exception", "predict_dataloader", "prepare_data", "prepare_data_per_node", "save_hyperparameters",
        "setup", "state_dict", "teardown", "test_dataloader", "train_dataloader", "trainer", "transfer_batch_to_device", "val_dataloader",
    }
)  # fmt: skip
"""What a LightningDataModule has already."""


class _Stays(Exception):
    """Why the script's own lines go on making the data."""


@dataclass(frozen=True, slots=True)
class DataModule:
    """Proposes a LightningDataModule that makes the loaders of the training and of its validation."""

    name: str = "data_module"
    after: Sequence[str] = ("mlflow_logger",)

    def proposals(self, training: Training) -> Iterable[Proposal | Note]:
        """One proposal, or a note on what stays."""
        if training.asked(_OPTION) != "lightning":
            return
        first = next(p.statement for p in training.parts if p.place not in AROUND)
        try:
            yield _Data(training).proposal()
        except _Stays as reason:
            yield Note(_KEPT, first, f"the script makes its loaders itself: {reason}")


@dataclass(slots=True)
class _Data:
    """What is known of one training's data: its loaders, the statements that move, and what they read."""

    training: Training
    loaders: list[ast.Assign] = field(default_factory=list)
    moved: list[ast.stmt] = field(default_factory=list)
    given: dict[str, int] = field(default_factory=dict)
    """The names that the module is handed, and the last line that gives each its value."""

    def proposal(self) -> Proposal:
        if self.training.spread:
            raise _Stays("several processes may share the data out")
        before = [p.statement for p in self.training.parts if p.place == BEFORE]
        self._find_loaders(before)
        self._find_data(before)
        for loader in self.loaders:
            self._check_arguments(loader)
        kept = [n for statement in self.moved for n in _bound(statement)]
        attributes = [n for n in kept if any(_reads(loader.value, n) for loader in self.loaders)]
        self._find_given(set(kept))
        if clash := next((n for n in [*attributes, *self.given] if n in _TAKEN or n.startswith("_")), ""):
            raise _Stays(f"a LightningDataModule has a `{clash}` of its own, or nobody else should name it")
        texts = self._texts()
        changed = [*self.moved, *self.loaders]
        mentions = [m for loader in self.loaders for m in self._mentions(loader)]
        first = min(changed, key=lambda s: s.lineno)
        return Proposal(
            target="LightningDataModule",
            reason="the same statements make the same data at the same moment, and making a loader draws no random number",
            removed=tuple(s for s in changed if s not in texts),
            replaced=texts,
            unread=tuple(mentions),
            fresh=("data_module", "LitData"),
            classes=(self._class(attributes),),
            data="datamodule={data_module}",
            level="native",
            option=_OPTION,
            notes=(
                Note(
                    _NOW,
                    first,
                    "the loaders are LitData's now, made when the training asks for them"
                    + (
                        "; what they run over is made where it was, by `setup`, which does nothing the second time"
                        if self.moved
                        else ""
                    ),
                ),
            ),
            declined=Note(_KEPT, first, "the script makes its loaders itself: {why}"),
        )

    # ---- the loaders

    def _find_loaders(self, before: list[ast.stmt]) -> None:
        names = self.training.loaders()
        if not names:
            raise _Stays("what the Trainer runs over is no plain loader of that name")
        if len(set(names)) < len(names):
            raise _Stays(f"`{names[0]}` is the loader of the training and of the validation")
        for name in names:
            found = [s for s in before if name in _bound(s)]
            match found:
                case [ast.Assign(targets=[ast.Name()], value=ast.Call(func=function)) as made] if (
                    self.training.full_name(function) == _LOADER
                ):
                    self._mentions(made)
                    self.loaders.append(made)
                case _:
                    raise _Stays(f"`{name}` is not made once, above the training, as a DataLoader")

    def _check_arguments(self, made: ast.Assign) -> None:
        """Its arguments are the same when the loader is made later."""
        call = made.value
        assert isinstance(call, ast.Call)
        late = (ast.Call, ast.Await, ast.NamedExpr, ast.Lambda, ast.Starred, ast.Subscript, ast.ListComp)
        arguments = [*call.args, *(k.value for k in call.keywords)]
        if any(isinstance(n, late) for a in arguments for n in ast.walk(a)) or any(
            k.arg is None for k in call.keywords
        ):
            raise _Stays(f"line {made.lineno} works out an argument, which may be another one later")
        if len(call.args) > len(_ARGUMENTS) or not call.args + call.keywords:
            raise _Stays(f"line {made.lineno} is no call that can be written anew")
        for attribute in (n for a in arguments for n in ast.walk(a) if isinstance(n, ast.Attribute)):
            if not self.training.full_name(attribute):
                self._check_kept(attribute, made)

    def _check_kept(self, attribute: ast.Attribute, made: ast.Assign) -> None:
        """An attribute has one value for good: nothing gives it another, and its object goes to nobody who might, from here to the training."""
        for node in self.training.all(ast.Attribute):
            if node.attr == attribute.attr and not isinstance(node.ctx, ast.Load):
                raise _Stays(f"line {node.lineno} gives `{node.attr}` a value")
        if not isinstance(attribute.value, ast.Name):
            raise _Stays(f"line {made.lineno} reads an attribute of more than a name")
        name = attribute.value.id
        start = min(s.lineno for s in [made, *self.moved])
        for part in self.training.parts:
            if part.place == BEFORE and part.statement.lineno > start and part.statement is not made:
                plain = {id(n.value) for n in ast.walk(part.statement) if isinstance(n, ast.Attribute)}
                plain -= {id(c.func.value) for c in ast.walk(part.statement) if isinstance(c, ast.Call) and isinstance(c.func, ast.Attribute)}  # fmt: skip
                handed = [n for n in ast.walk(part.statement) if isinstance(n, ast.Name) and n.id == name and id(n) not in plain]  # fmt: skip
                if handed:
                    raise _Stays(
                        f"line {handed[0].lineno} hands `{name}` on, whose `{attribute.attr}` may change there"
                    )

    def _mentions(self, made: ast.Assign) -> list[ast.Name]:
        """The places in the training that name a loader; nothing around it may."""
        name = made.targets[0]
        assert isinstance(name, ast.Name)
        value = self.training.value(name)
        if value is None or value.hidden or [n for n in value.mentions if not isinstance(n.ctx, ast.Load)] != [name]:
            raise _Stays(f"`{name.id}` may be named, or bound, elsewhere")
        for mention in value.mentions:
            if mention is not name and not self.training.in_training(mention):
                raise _Stays(f"line {mention.lineno} reads `{name.id}` outside of the training")
        return [n for n in value.mentions if n is not name]

    # ---- the data

    def _find_data(self, before: list[ast.stmt]) -> None:
        """The last run of statements, with nothing else between them, that make data for the loaders alone."""
        block = [s for s in before if s.lineno < max(loader.lineno for loader in self.loaders)]
        run: list[ast.stmt] = []
        for statement in reversed(block):
            if statement in self.loaders:
                continue
            if self._is_for_data(statement, [*run, *self.loaders]):
                run.insert(0, statement)
            elif run:
                break
        self.moved = run

    def _is_for_data(self, statement: ast.stmt, later: Sequence[ast.stmt]) -> bool:
        """Whether a statement only gives names a value that nothing but the statements behind it reads."""
        if not isinstance(statement, ast.Assign) or not _bound(statement) or not _plain_targets(statement):
            return False
        if any(isinstance(n, ast.Await | ast.NamedExpr | ast.Yield | ast.YieldFrom) for n in ast.walk(statement)):
            return False
        readers = {id(n) for s in later for n in ast.walk(s)}
        for name in (n for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)):
            if name.id not in _bound(statement):
                continue
            value = self.training.value(name)
            if value is None or value.hidden or value.handed:
                return False
            others = [n for n in value.mentions if n is not name]
            if any(not isinstance(n.ctx, ast.Load) or id(n) not in readers for n in others):
                return False
        return True

    def _find_given(self, kept: set[str]) -> None:
        """What the moved code reads of the script's variables: the module is handed it, where all of it has its value."""
        start = min(s.lineno for s in [*self.moved, *self.loaders])
        late = [s for s in self.loaders if s.lineno > start]
        own: set[str] = set(kept) | {n for loader in self.loaders for n in _bound(loader)}
        for statement in [*self.moved, *(loader.value for loader in self.loaders)]:
            for name in (n for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)):
                if name.id in own or self._is_of_the_file(name) or _is_bound_inside(statement, name.id):
                    continue
                self.given.setdefault(name.id, name.lineno)
        for name_id in self.given:
            if any(_reads(loader.value, name_id) for loader in late) and self._is_bound_late(name_id, start):
                raise _Stays(f"`{name_id}` gets its value between the data's statements, or more than one")

    def _is_bound_late(self, name: str, start: int) -> bool:
        """Whether a variable may get another value after the place where the module is made."""
        bound = [n for n in self.training.all(ast.Name) if n.id == name and not isinstance(n.ctx, ast.Load)]
        return len(bound) > 1 or any(n.lineno >= start for n in bound)

    def _is_of_the_file(self, name: ast.Name) -> bool:
        """Whether the name is an import, a builtin, or a function or class of the file."""
        if self.training.full_name(name):
            return True
        return any(d.name == name.id and not d.col_offset for d in [*self.training.all(ast.FunctionDef), *self.training.all(ast.ClassDef)])  # fmt: skip

    # ---- the text

    def _texts(self) -> dict[ast.stmt, str]:
        """What stands in place of the first statements: the module is made, and its data where the script made it."""
        first = min([*self.moved, *self.loaders], key=lambda s: s.lineno)
        made = f"{{data_module}} = {{LitData}}({', '.join(self.given)})\n"
        return {first: made + '{data_module}.setup("fit")\n' if self.moved else made}

    def _class(self, attributes: list[str]) -> str:
        """The whole class."""
        lines = [
            "class {LitData}({lightning}.LightningDataModule):",
            f"    def __init__({', '.join(['self', *self.given])}):",
            "        super().__init__()",
            *(f"        self.{name} = {name}" for name in self.given),
            *(f"        self.{name} = None" for name in attributes),
        ]
        handed = {name: f"self.{name}" for name in self.given}
        if self.moved:
            guard = attributes[0] if attributes else ""
            if not guard:
                raise _Stays("no loader reads what would be made in `setup`")
            lines += ["", "    def setup(self, stage):", f"        if self.{guard} is not None:", "            return  # made already, by the script's own call"]  # fmt: skip
            for statement in self.moved:
                lines += self._indented(statement, handed | {name: f"self.{name}" for name in attributes})
        for hook, loader in zip(_HOOKS, self.loaders, strict=False):
            text = self._loader(loader, handed | {name: f"self.{name}" for name in attributes})
            lines += ["", f"    def {hook}(self):", f"        return {text}"]
        return "\n".join(lines) + "\n"

    def _loader(self, loader: ast.Assign, names: dict[str, str]) -> str:
        call = loader.value
        assert isinstance(call, ast.Call)
        texts = [_renamed(self.training, a, names) for a in call.args]
        given = [f"{name}={text}" if n else text for n, (name, text) in enumerate(zip(_ARGUMENTS, texts, strict=False))]
        given += [f"{k.arg}={_renamed(self.training, k.value, names)}" for k in call.keywords]
        return f"{self.training.text(call.func)}({', '.join(given)})"

    def _indented(self, statement: ast.stmt, names: dict[str, str]) -> list[str]:
        lines = _renamed(self.training, statement, names).splitlines()
        return [f"        {lines[0].strip()}", *lines[1:]]


def _renamed(training: Training, node: ast.AST, names: dict[str, str]) -> str:
    """The text of a piece of code, with these names read from the module."""
    text = training.text(node)
    found = [n for n in ast.walk(node) if isinstance(n, ast.Name) and n.id in names]
    formatted = [n for whole in ast.walk(node) if isinstance(whole, ast.JoinedStr) for n in ast.walk(whole)]
    if any(n in formatted for n in found) or reads_as_word(text, "data_module", "LitData"):
        raise _Stays(f"line {getattr(node, 'lineno', 0)} cannot be written anew")
    if any(isinstance(n, ast.arg) and n.arg in names for n in ast.walk(node)):
        raise _Stays(f"line {getattr(node, 'lineno', 0)} uses a name for two things")
    lines = text.encode().split(b"\n")
    for name in sorted(found, key=lambda n: (n.lineno, n.col_offset), reverse=True):
        row = name.lineno - node.lineno  # type: ignore[attr-defined]
        column = name.col_offset - (node.col_offset if row == 0 else 0)  # type: ignore[attr-defined]
        line = lines[row]
        assert line[column : column + len(name.id.encode())] == name.id.encode()
        lines[row] = line[:column] + names[name.id].encode() + line[column + len(name.id.encode()) :]
    return b"\n".join(lines).decode()


def _bound(statement: ast.stmt) -> list[str]:
    """The names that an assignment gives values."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]


def _plain_targets(statement: ast.Assign) -> bool:
    """Whether it gives values to names and nothing else."""
    return all(isinstance(n, ast.Name | ast.Tuple | ast.expr_context) for t in statement.targets for n in ast.walk(t))


def _reads(node: ast.AST, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load) for n in ast.walk(node))


def _is_bound_inside(node: ast.AST, name: str) -> bool:
    """Whether a comprehension or a lambda in it has a name of its own for that."""
    stored = any(isinstance(n, ast.Name) and n.id == name and not isinstance(n.ctx, ast.Load) for n in ast.walk(node))
    return stored or any(isinstance(n, ast.arg) and n.arg == name for n in ast.walk(node))


FEATURE = DataModule()
