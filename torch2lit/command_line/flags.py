"""What a script's flag is to `jsonargparse`, which has to read from it the same value as `argparse` does."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..recover.syntax import dotted
from .stays import Stays

_KEYWORDS = {"type", "default", "help", "action", "choices", "nargs", "dest", "metavar", "required"}
_TYPES = {"int", "float", "str"}
"""The functions that both parsers call alike: `type=bool` takes "False" for True in `argparse` alone."""
_SWITCHES = ("store_true", "store_false")
_TAKEN = {"config", "data", "help", "model", "print_config", "seed_everything", "subcommand", "trainer"}
"""The flags that every LightningCLI has."""
_OF_NAMESPACE = {
    "as_dict", "as_flat", "branches", "clone", "get", "get_sorted_keys", "get_value_and_parent", "items", "keys", "pop", "update", "values",
}  # fmt: skip
"""What a `jsonargparse.Namespace` has besides the values."""
_READS = {
    "os.path.join",
    "os.environ.get",
    "os.getenv",
    "os.path.expanduser",
    "torch.cuda.is_available",
    "torch.cuda.device_count",
}
"""Calls whose results are plain values."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag: the name under which its value is found, and the type of a parameter that gets it, "" where that is not known.

    ``type`` is what the script says of its type. ``may_be_none``: that is its value where the command line says nothing.
    """

    name: str
    spelled: str
    annotation: str
    type: ast.expr | None
    may_be_none: bool


def flag_of(call: ast.Call) -> Flag:
    """The flag that an ``add_argument`` adds. Raises `Stays` where the two parsers may read another value from a command line."""
    options = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    said = {k.arg: k.value for k in call.keywords if k.arg is not None}
    long = next((o for o in options if o.startswith("--")), "")
    if len(options) < len(call.args) or len(said) < len(call.keywords) or not options:
        raise Stays("a flag is not written out", call)
    if not long:
        raise Stays(f"`{options[0]}` has no name with two dashes", call)
    if unknown := next((k for k in said if k not in _KEYWORDS), ""):
        raise Stays(f"`{long}` is made with `{unknown}=`", call)
    name = _constant(said.get("dest")) if "dest" in said else long.lstrip("-").replace("-", "_")
    if not isinstance(name, str) or not name.isidentifier():
        raise Stays(f"`{long}` is no name for a parameter", call)
    bare = {o.lstrip("-").replace("-", "_") for o in options if o.startswith("--")}
    if clash := next((o for o in sorted({name, *bare}) if o in _TAKEN), ""):
        raise Stays(f"a LightningCLI has a flag `--{clash}` of its own", call)
    if {"-c", "-h"} & {*options}:
        raise Stays(f"a LightningCLI has a flag `{next(o for o in options if o in ('-c', '-h'))}` of its own", call)
    if name in _OF_NAMESPACE:
        raise Stays(f"`{name}` is the name of a method where a LightningCLI keeps its values", call)
    return _typed(call, long, name, said)


def _typed(call: ast.Call, spelled: str, name: str, said: dict[str, ast.expr]) -> Flag:
    type_, default = said.get("type"), said.get("default")
    if type_ is not None and not (isinstance(type_, ast.Name) and type_.id in _TYPES):
        raise Stays(f"`{spelled}` is read by `{ast.unparse(type_)}`, which a LightningCLI would call otherwise", call)
    if default is not None and not _is_plain(default):
        raise Stays(f"the default of `{spelled}` is no plain value", call)
    if "action" in said:
        if _constant(said["action"]) not in _SWITCHES or "type" in said or "nargs" in said:
            raise Stays(f"`{spelled}` does something else than to keep a value", call)
        known = default is None or isinstance(_constant(default), bool)
        return Flag(name, spelled, "bool" if known else "", None, False)
    element = type_.id if isinstance(type_, ast.Name) else "str"
    if "nargs" in said:
        nargs = _constant(said["nargs"])
        if nargs not in ("+", "*") and (isinstance(nargs, bool) or not isinstance(nargs, int)):
            raise Stays(f"`{spelled}` takes `nargs={ast.unparse(said['nargs'])}`", call)
        return Flag(name, spelled, _of_list(element, default), type_, False)
    if "choices" in said and default is not None:
        _check_choices(call, spelled, said["choices"], default)
    required = "required" in said and _constant(said["required"]) is True
    if "required" in said and not isinstance(_constant(said["required"]), bool):
        raise Stays(f"whether `{spelled}` is required is not written out", call)
    if default is None:
        return Flag(name, spelled, element if required else f"{element} | None", type_, not required)
    if isinstance(default, ast.Constant) and default.value is None:
        return Flag(name, spelled, f"{element} | None", type_, True)
    return Flag(name, spelled, _of_one(element, _constant(default)), type_, False)


def _of_one(element: str, default: object) -> str:
    """The type of a parameter that gets a value of the type, or this default as it is."""
    if isinstance(default, bool):
        return ""
    if isinstance(default, str):
        return element  # both parsers read a default that is a text
    if element == "float" and isinstance(default, int):
        return "int | float"
    return element if element != "str" and type(default).__name__ == element else ""


def _of_list(element: str, default: ast.expr | None) -> str:
    if not isinstance(default, ast.List):
        return ""
    return f"list[{element}]" if all(type(_constant(e)).__name__ == element for e in default.elts) else ""


def _check_choices(call: ast.Call, spelled: str, choices: ast.expr, default: ast.expr) -> None:
    """A default that is none of the choices is checked by one of the parsers only."""
    if not isinstance(choices, ast.List | ast.Tuple):
        raise Stays(f"the choices of `{spelled}` are not written out", call)
    if _constant(default) not in [_constant(e) for e in choices.elts] and not _is_none(default):
        raise Stays(f"the default of `{spelled}` is none of its choices", call)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_plain(node: ast.expr) -> bool:
    match node:
        case ast.Constant():
            return True
        case ast.UnaryOp(operand=inner):
            return _is_plain(inner)
        case ast.BinOp(left=left, right=right):
            return _is_plain(left) and _is_plain(right)
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return all(map(_is_plain, elements))
        case ast.Call(func=function):
            return dotted(function) in _READS
    return False


def _constant(node: ast.expr | None) -> object:
    """The value that is written out; an object of its own for all else."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
    return object()
