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

from ..feature import AFTER, AROUND, BEFORE, Note, Proposal, Training, reads_as_word

_OPTION, _NOW, _KEPT = "datamodule", "data-in-a-module", "data-kept"
_LOADER, _TARGET = "torch.utils.data.DataLoader", "LightningDataModule"
_PLAIN = {"len", "print", "int", "float", "str", "max", "min", "range", "round"}
"""Functions that only look at what they get."""
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


@dataclass(frozen=True, slots=True)
class _Argument:
    """An argument of a loader: its name, its value, and where `setup` keeps what has to be worked out at once."""

    name: str
    value: ast.expr
    kept_as: str = ""


@dataclass(slots=True)
class _Data:
    """What is known of one training's data: its loaders, the statements that move, and what they read."""

    training: Training
    names: Sequence[str] = ()
    loaders: dict[str, ast.Assign] = field(default_factory=dict)
    arguments: dict[ast.stmt, list[_Argument]] = field(default_factory=dict)
    moved: list[ast.stmt] = field(default_factory=list)
    """What `setup` does: statements that make data, and loaders of which an argument is worked out."""
    given: list[str] = field(default_factory=list)
    """The names that the module is handed."""
    counted: dict[ast.stmt, list[ast.Name]] = field(default_factory=dict)
    """Statements around the training that ask for the number of batches."""

    def proposal(self) -> Proposal:
        if self.training.spread:
            raise _Stays("several processes may share the data out")
        before = [p.statement for p in self.training.parts if p.place == BEFORE]
        self._find_loaders(before)
        self._find_data(before)
        self._check_arguments()
        kept = [n for s in self.moved if s not in self.arguments for n in _bound(s)]
        attributes = [n for n in kept if any(_reads(value, n) for value in self._late())]
        attributes += [a.kept_as for s in self.moved for a in self.arguments.get(s, ()) if a.kept_as]
        self._find_given(set(kept))
        if clash := next((n for n in [*attributes, *self.given] if n in _TAKEN or n.startswith("_")), ""):
            raise _Stays(f"a LightningDataModule has a `{clash}` of its own, or nobody else should name it")
        if len(set(attributes) | set(self.given)) < len(attributes) + len(self.given):
            raise _Stays("two of its values would have one name")
        return self._proposal(attributes)

    def _proposal(self, attributes: list[str]) -> Proposal:
        changed = sorted({*self.moved, *self.loaders.values()}, key=lambda s: s.lineno)
        made = f"{{data_module}} = {{LitData}}({', '.join(self.given)})\n"
        texts = {changed[0]: made + ('{data_module}.setup("fit")\n' if self.moved else "")}
        asked = {name: f"{{data_module}}.{_HOOKS[self.names.index(name)]}()" for name in self.loaders}
        setup = "; what they run over is made where it was, by `setup`, which does nothing the second time"
        return Proposal(
            target=_TARGET,
            reason="the same statements make the same data at the same moment, and making a loader draws no random number",
            removed=tuple(changed[1:]),
            replaced=texts,
            reworded={s: f"{_renamed(self.training, s, asked)}\n" for s in self.counted},
            unread=tuple(m for loader in self.loaders.values() for m in self._mentions(loader)),
            fresh=("data_module", "LitData"),
            classes=(self._class(attributes, changed[0]),),
            data="datamodule={data_module}",
            level="native",
            option=_OPTION,
            notes=(
                Note(
                    _NOW,
                    changed[0],
                    "the loaders are LitData's now, made when the training asks for them"
                    + (setup if self.moved else ""),
                ),
            ),
            declined=Note(_KEPT, changed[0], "the script makes its loaders itself: {why}"),
        )

    # ---- the loaders

    def _find_loaders(self, before: list[ast.stmt]) -> None:
        self.names = self.training.loaders()
        if not self.names:
            raise _Stays("what the Trainer runs over is no plain loader of that name")
        for name in self.names:
            found = [s for s in before if name in _bound(s)]
            match found:
                case [ast.Assign(targets=[ast.Name()], value=ast.Call(func=function)) as made] if (
                    self.training.full_name(function) == _LOADER
                ):
                    self._mentions(made)
                    self.loaders[name] = made
                    self.arguments[made] = self._read_arguments(made, name)
                case _:
                    raise _Stays(f"`{name}` is not made once, above the training, as a DataLoader")

    def _read_arguments(self, made: ast.Assign, loader: str) -> list[_Argument]:
        """The arguments of a loader, by name; what is more than names, attributes and constants is worked out at once."""
        call = made.value
        assert isinstance(call, ast.Call)
        given = list(zip(_ARGUMENTS, call.args, strict=False)) + [(k.arg or "", k.value) for k in call.keywords]
        if len(given) < len(call.args) + len(call.keywords) or not given or any(not name for name, _ in given):
            raise _Stays(f"line {made.lineno} is no call that can be written anew")
        whole = not any(isinstance(a, ast.Starred) for a in call.args)
        if not whole or any(isinstance(n, ast.Await | ast.NamedExpr) for n in ast.walk(call)):
            raise _Stays(f"line {made.lineno} is no call that can be written anew")
        late = (ast.Call, ast.Lambda, ast.Subscript, ast.ListComp, ast.GeneratorExp, ast.JoinedStr)
        return [
            _Argument(n, v, _kept_as(loader, n) if any(isinstance(x, late) for x in ast.walk(v)) else "")
            for n, v in given
        ]

    def _late(self) -> list[ast.expr]:
        """The arguments that are read when a loader is made."""
        return [a.value for arguments in self.arguments.values() for a in arguments if not a.kept_as]

    def _check_arguments(self) -> None:
        """What is read later is the same then."""
        for made, arguments in self.arguments.items():
            nodes = [n for a in arguments if not a.kept_as for n in ast.walk(a.value)]
            for attribute in (n for n in nodes if isinstance(n, ast.Attribute)):
                if not self.training.full_name(attribute):
                    self._check_kept(attribute, made)

    def _check_kept(self, attribute: ast.Attribute, made: ast.stmt) -> None:
        """An attribute has one value for good: nothing gives it another, and its object goes to nobody who might, from here to the training."""
        for node in self.training.all(ast.Attribute):
            if node.attr == attribute.attr and not isinstance(node.ctx, ast.Load):
                raise _Stays(f"line {node.lineno} gives `{node.attr}` a value")
        if not isinstance(attribute.value, ast.Name):
            raise _Stays(f"line {made.lineno} reads an attribute of more than a name")
        name, start = attribute.value.id, min(s.lineno for s in [made, *self.moved])
        for part in self.training.parts:
            behind = part.place == BEFORE and part.statement.lineno > start and part.statement is not made
            if behind and (handed := _handed_on(part.statement, name)):
                raise _Stays(f"line {handed.lineno} hands `{name}` on, whose `{attribute.attr}` may change there")

    def _mentions(self, made: ast.Assign) -> list[ast.Name]:
        """The places that name a loader: in the training, and around it where only its length is asked for."""
        name = made.targets[0]
        assert isinstance(name, ast.Name)
        value = self.training.value(name)
        if value is None or value.hidden or [n for n in value.mentions if not isinstance(n.ctx, ast.Load)] != [name]:
            raise _Stays(f"`{name.id}` may be named, or bound, elsewhere")
        mentions = [n for n in value.mentions if n is not name]
        for mention in mentions:
            if not self.training.in_training(mention):
                if (statement := self._asks_for_length(mention)) is None:
                    raise _Stays(f"line {mention.lineno} reads `{name.id}` outside of the training")
                if mention not in self.counted.setdefault(statement, []):
                    self.counted[statement].append(mention)
        return mentions

    def _asks_for_length(self, mention: ast.Name) -> ast.stmt | None:
        """The statement of its own, above or below the training, that calls nothing but plain functions and asks for a loader's length; None when that is not so."""
        for part in self.training.parts:
            if part.place in (BEFORE, AFTER) and isinstance(part.statement, ast.Assign | ast.Expr):
                calls = [c for c in ast.walk(part.statement) if isinstance(c, ast.Call)]
                if any(mention in c.args and self.training.full_name(c.func) == "len" for c in calls):
                    plain = all(self.training.full_name(c.func) in _PLAIN for c in calls)
                    return part.statement if plain else None
        return None

    # ---- the data

    def _find_data(self, before: list[ast.stmt]) -> None:
        """The last run of statements, with nothing else between them, that make data for the loaders alone."""
        block = [s for s in before if s.lineno <= max(loader.lineno for loader in self.loaders.values())]
        run: list[ast.stmt] = []
        ended = False
        for statement in reversed(block):
            worked_out = any(a.kept_as for a in self.arguments.get(statement, ()))
            if statement in self.arguments and not worked_out:
                continue
            if worked_out and ended:
                raise _Stays(f"line {statement.lineno} works out an argument, and other statements stand behind it")
            if not ended and (worked_out or self._is_for_data(statement, [*run, *self.loaders.values()])):
                run.insert(0, statement)
            elif run:
                ended = True
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
        start = min(s.lineno for s in [*self.moved, *self.loaders.values()])
        own = kept | set(self.loaders)
        for statement in [*self.moved, *(loader.value for loader in self.loaders.values())]:
            for name in (n for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)):
                if name.id in own or self._is_of_the_file(name) or _is_bound_inside(statement, name.id):
                    continue
                self.given += [name.id] if name.id not in self.given else []
        late = [a.value for s, found in self.arguments.items() if s.lineno > start for a in found if not a.kept_as]
        for name_id in self.given:
            if any(_reads(value, name_id) for value in late) and self._is_bound_late(name_id, start):
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

    def _class(self, attributes: list[str], first: ast.stmt) -> str:
        """The whole class; comments beside and above the first statement stay with what takes its place."""
        lines = [
            "class {LitData}({lightning}.LightningDataModule):",
            f"    def __init__({', '.join(['self', *self.given])}):",
            "        super().__init__()",
            *(f"        self.{name} = {name}" for name in self.given),
            *(f"        self.{name} = None" for name in attributes),
        ]
        names = {name: f"self.{name}" for name in [*self.given, *attributes]}
        if self.moved:
            if not attributes:
                raise _Stays("no loader reads what would be made in `setup`")
            lines += ["", "    def setup(self, stage):", f"        if self.{attributes[0]} is not None:", "            return  # made already, by the script's own call"]  # fmt: skip
            for statement in self.moved:
                lines += self._with_comments(statement, first, self._made(statement, names))
        for number, (hook, name) in enumerate(zip(_HOOKS, self.names, strict=False)):
            lines += ["", f"    def {hook}(self):"]
            if name in self.names[:number]:
                lines.append(f"        return self.{_HOOKS[self.names.index(name)]}()")
                continue
            made = self.loaders[name]
            text = [f"        return {self._loader(made, names)}"]
            lines += text if made in self.moved else self._with_comments(made, first, text)
        return "\n".join(lines) + "\n"

    def _made(self, statement: ast.stmt, names: dict[str, str]) -> list[str]:
        """What `setup` does of a statement."""
        if statement not in self.arguments:
            lines = _renamed(self.training, statement, names).splitlines()
            return [f"        {lines[0].strip()}", *lines[1:]]
        worked_out = [a for a in self.arguments[statement] if a.kept_as]
        return [f"        self.{a.kept_as} = {_renamed(self.training, a.value, names)}" for a in worked_out]

    def _with_comments(self, statement: ast.stmt, first: ast.stmt, lines: list[str]) -> list[str]:
        above, beside = ([], "") if statement is first else self.training.comments(statement)
        return [*(f"        {line}" for line in above), *lines[:-1], f"{lines[-1]}  {beside}".rstrip()]

    def _loader(self, loader: ast.Assign, names: dict[str, str]) -> str:
        call = loader.value
        assert isinstance(call, ast.Call)
        texts = []
        for number, argument in enumerate(self.arguments[loader]):
            text = f"self.{argument.kept_as}" if argument.kept_as else _renamed(self.training, argument.value, names)
            texts.append(text if not number and call.args else f"{argument.name}={text}")
        return f"{self.training.text(call.func)}({', '.join(texts)})"


def _kept_as(loader: str, argument: str) -> str:
    """The name under which `setup` keeps an argument: `train_set` for the data of `train_loader`."""
    if argument == "dataset" and "loader" in loader:
        return loader.replace("_dataloader", "_set").replace("dataloader", "dataset").replace("loader", "set")
    return f"{loader}_{argument}"


def _handed_on(statement: ast.stmt, name: str) -> ast.Name | None:
    """Where a statement names a variable otherwise than to read an attribute that it does not call."""
    nodes = list(ast.walk(statement))
    called = {id(c.func.value) for c in nodes if isinstance(c, ast.Call) and isinstance(c.func, ast.Attribute)}
    plain = {id(n.value) for n in nodes if isinstance(n, ast.Attribute)} - called
    return next((n for n in nodes if isinstance(n, ast.Name) and n.id == name and id(n) not in plain), None)


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
