"""The Trainer's arguments as a LightningCLI takes them: defaults, links to the script's flags, callbacks with flags of their own."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..recover.syntax import walk
from .builders import flags_in
from .parser import Parser
from .scene import Scene
from .stays import Stays

_LOOKS = {
    "torch.device", "torch.cuda.is_available", "torch.cuda.device_count", "torch.backends.mps.is_available", "torch.mps.is_available",
    "torch.accelerator.is_available", "torch.accelerator.current_accelerator",
}  # fmt: skip
"""Calls that give the same all through a run."""
_PLAIN = {"str", "int", "max", "min", "bool", "float"}
_CALLBACKS = {"lightning.pytorch.callbacks.EarlyStopping": ("monitor", "early_stopping")}
"""Callbacks whose arguments may be flags: the first one's name, and the group of flags."""
_LOGGERS = {"lightning.pytorch.loggers.CSVLogger": "save_dir", "lightning.pytorch.loggers.TensorBoardLogger": "save_dir"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Link:
    """A flag, or what some of them give, as the value of an argument; ``computed`` is the source that makes it of them, "" for the flag's own value."""

    flags: tuple[str, ...]
    target: str
    computed: str = ""


@dataclass(slots=True)
class Told:
    """What the Trainer is told. ``groups`` are callbacks whose arguments are flags: the class, the group, and the arguments that are not linked. ``inlined`` statements give variables values that are written out now."""

    defaults: list[tuple[str, str]] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    groups: list[tuple[str, str, list[tuple[str, str]]]] = field(default_factory=list)
    inlined: list[ast.stmt] = field(default_factory=list)


def told(scene: Scene, call: ast.Call, parser: Parser, block: Sequence[ast.stmt]) -> Told:
    """The arguments of a call of ``Trainer``. Raises `Stays`."""
    found = Told()
    if call.args:
        raise Stays("the Trainer's arguments have no names", call)
    for argument in call.keywords:
        if argument.arg is None:
            raise Stays("the Trainer's arguments have no names", call)
        if argument.arg == "callbacks":
            _callbacks(scene, argument.value, parser, found)
        elif argument.arg == "logger" and isinstance(argument.value, ast.Call):
            found.defaults.append(("logger", _logger(scene, argument.value)))
        else:
            _argument(scene, argument.arg, argument.value, parser, block, found)
    return found


def _argument(scene: Scene, name: str, value: ast.expr, parser: Parser, block: Sequence[ast.stmt], found: Told) -> None:
    text, flags = _worked_out(scene, name, value, parser, block, found)
    if not flags:
        found.defaults.append((name, text))
    else:
        plain = isinstance(value, ast.Attribute) and text == flags[0]
        found.links.append(Link(flags, f"trainer.{name}", "" if plain else text))


def _worked_out(
    scene: Scene, name: str, value: ast.expr, parser: Parser, block: Sequence[ast.stmt], found: Told
) -> tuple[str, tuple[str, ...]]:
    """The source of an argument where nothing but the flags is known, each by its name, and those flags."""
    changes: dict[ast.AST, str] = {}
    flags: list[str] = []
    for node in walk(value):
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=attribute) if owner == parser.values:
                _check_flag(scene, attribute, parser, value)
                changes[node] = attribute
                flags.append(attribute)
            case ast.Call(func=function) if not (
                scene.full_name(function) in _LOOKS or (isinstance(function, ast.Name) and function.id in _PLAIN)
            ):
                raise Stays(f"the Trainer's `{name}` is worked out by `{ast.unparse(function)}`", value)
            case ast.Name(id=local) if local != parser.values and not scene.is_of_the_file(node):
                text, inner = _of_variable(scene, name, node, parser, block, found)
                parent = scene.source.parents[node]
                if isinstance(parent, ast.Attribute) and parent.attr == "type" and (short := _type_of(text)):
                    changes[parent] = short if parent is value else f"({short})"
                else:
                    changes[node] = f"({text})" if " " in text and node is not value else text
                flags += inner
            case ast.Lambda() | ast.comprehension() | ast.Subscript() | ast.NamedExpr() | ast.Await():
                raise Stays(f"the Trainer's `{name}` is no plain value", value)
    whole = [n for n in walk(value) if isinstance(n, ast.Name) and n.id == parser.values]
    if any(scene.source.parents[n] not in changes for n in whole):
        raise Stays(f"the Trainer's `{name}` is worked out of all flags at once", value)
    others = {n.id for n in walk(value) if isinstance(n, ast.Name) and n not in changes and scene.is_of_the_file(n)}
    if clash := sorted(others & {*parser.flags}):
        raise Stays(f"`{clash[0]}` is a flag, and the Trainer's `{name}` reads something else of that name", value)
    return scene.reworded(value, changes), tuple(dict.fromkeys(flags))


def _type_of(text: str) -> str:
    """What the type of a device is that is made of one of two names; "" for all else."""
    match ast.parse(text, mode="eval").body:
        case ast.IfExp(test=test, body=body, orelse=orelse):
            parts = [ast.get_source_segment(text, part) or "" for part in (body, test, orelse)]
            types = [_type_of(parts[0]), _type_of(parts[2])]
            return f"{types[0]} if {parts[1]} else {types[1]}" if all(types) else ""
        case ast.Call(func=ast.Attribute(attr="device"), args=[ast.Constant(value=str() as device)], keywords=[]):
            return text[text.index("(") + 1 : -1] if ":" not in device else ""
        case ast.Call(func=ast.Attribute(attr="device"), args=[ast.IfExp() as choice], keywords=[]):
            arms = [choice.body, choice.orelse]
            if all(isinstance(a, ast.Constant) and isinstance(a.value, str) and ":" not in a.value for a in arms):
                return text[text.index("(") + 1 : -1]
    return ""


def _of_variable(
    scene: Scene, argument: str, name: ast.Name, parser: Parser, block: Sequence[ast.stmt], found: Told
) -> tuple[str, tuple[str, ...]]:
    """What a variable is for good, by the one statement beside the flags that gives it a value, or one in each arm of a condition."""
    statement = scene.only_binding(name)
    match statement:
        case ast.Assign(targets=[ast.Name()], value=value) if statement in block:
            found.inlined.append(statement)
            return _worked_out(scene, argument, value, parser, block, found)
    variable = scene.variable(name)
    bound = [n for n in scene.bound(variable) if isinstance(n, ast.Name)] if variable is not None else []
    chosen = next(
        (s for s in block if isinstance(s, ast.If) and all(any(n is b for n in walk(s)) for b in bound)), None
    )
    if chosen is None or variable is None or len(bound) < len(scene.bound(variable)):
        raise Stays(f"the Trainer's `{argument}` is worked out of `{name.id}`", statement or name)
    found.inlined.append(chosen)
    return _of_arms(scene, argument, name, chosen, parser, block, found)


def _of_arms(
    scene: Scene, argument: str, name: ast.Name, chosen: ast.If, parser: Parser, block: Sequence[ast.stmt], found: Told
) -> tuple[str, tuple[str, ...]]:
    """What a condition gives a variable, which every arm of it gives one value and nothing else."""
    texts = []
    text, used = _worked_out(scene, argument, chosen.test, parser, block, found)
    test, flags = text, [*used]
    for arm in (chosen.body, chosen.orelse):
        match arm:
            case [ast.If() as inner]:
                text, used = _of_arms(scene, argument, name, inner, parser, block, found)
            case [ast.Assign(targets=[ast.Name(id=target)], value=value)] if target == name.id:
                text, used = _worked_out(scene, argument, value, parser, block, found)
            case _:
                raise Stays(f"the Trainer's `{argument}` is worked out of `{name.id}`", chosen)
        texts.append(text)
        flags += used
    return f"{texts[0]} if {test} else {texts[1]}", tuple(dict.fromkeys(flags))


def _check_flag(scene: Scene, flag: str, parser: Parser, place: ast.AST) -> None:
    if flag not in parser.flags:
        raise Stays(f"`{parser.values}.{flag}` is no flag", place)


def _callbacks(scene: Scene, value: ast.expr, parser: Parser, found: Told) -> None:
    if not isinstance(value, ast.List):
        raise Stays("the Trainer's callbacks are not written out", value)
    always: list[str] = []
    for one in value.elts:
        if not isinstance(one, ast.Call) or scene.foreign(one, {parser.values}) or _is_below(scene, one, parser):
            raise Stays(f"the Trainer has the callback `{ast.unparse(one)}`", one)
        if not flags_in(one, parser.values) and parser.values not in {n.id for n in walk(one) if isinstance(n, ast.Name)}:  # fmt: skip
            always.append(scene.source.segment(one))
            continue
        name = scene.full_name(one.func)
        if name not in _CALLBACKS or always or found.groups:
            raise Stays(f"the Trainer has the callback `{ast.unparse(one)}`", one)
        _group(scene, one, parser, *_CALLBACKS[name], found)
    if always:
        found.defaults.append(("callbacks", f"[{', '.join(always)}]"))


def _is_below(scene: Scene, call: ast.Call, parser: Parser) -> bool:
    """Whether its class is the file's own and may not be there yet where the flags are read."""
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    return any(c.name == name and c.lineno > parser.made.lineno for c in scene.source.all(ast.ClassDef))


def _group(scene: Scene, call: ast.Call, parser: Parser, first: str, group: str, found: Told) -> None:
    if group in parser.flags or len(call.args) > 1 or any(k.arg is None for k in call.keywords):
        raise Stays(f"the Trainer has the callback `{ast.unparse(call)}`", call)
    given = [*((first, a) for a in call.args), *((k.arg or "", k.value) for k in call.keywords)]
    plain: list[tuple[str, str]] = []
    for name, value in given:
        text, flags = _worked_out(scene, name, value, parser, (), found)
        if flags:
            same = isinstance(value, ast.Attribute) and text == flags[0]
            found.links.append(Link(flags, f"{group}.{name}", "" if same else text))
        else:
            plain.append((name, text))
    found.groups.append((scene.source.segment(call.func), group, plain))


def _logger(scene: Scene, call: ast.Call) -> str:
    """A logger by its class and arguments, as a configuration file has it."""
    name = scene.full_name(call.func)
    given = [*((_LOGGERS.get(name, ""), a) for a in call.args), *((k.arg or "", k.value) for k in call.keywords)]
    written = all(n and isinstance(v, ast.Constant) for n, v in given)
    if name not in _LOGGERS or len(call.args) > 1 or not written:
        raise Stays(f"the Trainer has the logger `{ast.unparse(call)}`", call)
    arguments = ", ".join(f'"{n}": {scene.source.segment(v)}' for n, v in given)
    return f'{{"class_path": "{name}", "init_args": {{{arguments}}}}}'
