"""What a device is as a value: an object, its name or a number, of which type, and which of several."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from .names import parameter_names
from .roles import Roles, bound_argument
from .syntax import Scope, dotted, walk_scope

OBJECT, TEXT, NUMBER, NONE, UNKNOWN = "object", "text", "number", "none", "?"
ANY = "any"
"""The type of the accelerator that the machine has."""
_DEEP = 12


@dataclass(frozen=True, slots=True)
class DeviceValue:
    """What an expression that names a device may be: its forms, the types of the device, and the numbers behind them.

    A number is "" for the current device of its type; "?" stands for anything.
    """

    forms: frozenset[str]
    types: frozenset[str]
    numbers: frozenset[str]

    def __or__(self, other: DeviceValue) -> DeviceValue:
        return DeviceValue(self.forms | other.forms, self.types | other.types, self.numbers | other.numbers)

    @property
    def known(self) -> bool:
        """Whether it surely names a device."""
        return UNKNOWN not in self.forms and bool(self.types)

    @property
    def only_type(self) -> str:
        """The one type that it can be, "" for several or an unknown one."""
        (first, *others) = self.types or {UNKNOWN}
        return "" if others or first in (UNKNOWN, ANY) or NONE in self.forms else first

    @property
    def first_only(self) -> bool:
        """Whether it can only be the first, or the current, device of its type."""
        return self.numbers <= {"", "0"} or self.only_type in ("cpu", "mps")


def _value(form: str, kind: str, number: str) -> DeviceValue:
    return DeviceValue(frozenset({form}), frozenset({kind}), frozenset({number}))


NOT_KNOWN = _value(UNKNOWN, UNKNOWN, UNKNOWN)
_NONE = DeviceValue(frozenset({NONE}), frozenset(), frozenset())


def named(text: str, form: str = TEXT) -> DeviceValue:
    """The device with a name such as ``cuda:1``."""
    kind, _, number = text.partition(":")
    return _value(form, kind or UNKNOWN, number if number.isdigit() or not number else UNKNOWN)


def device_value(roles: Roles, node: ast.expr, scope: Scope, depth: int = 0) -> DeviceValue:
    """What an expression that is used as a device may be."""
    if depth > _DEEP:
        return NOT_KNOWN

    def inner(part: ast.expr) -> DeviceValue:
        return device_value(roles, part, scope, depth + 1)

    match node:
        case ast.Constant(value=None):
            return _NONE
        case ast.Constant(value=str() as text):
            return named(text)
        case ast.Constant(value=int() as number) if not isinstance(number, bool):
            return _value(NUMBER, "cuda", str(number))
        case ast.JoinedStr(values=[ast.Constant(value=str() as head), *_]) if ":" in head:
            return _value(TEXT, head.partition(":")[0], UNKNOWN)
        case ast.BinOp(left=ast.Constant(value=str() as head), op=ast.Add() | ast.Mod()) if ":" in head:
            return _value(TEXT, head.partition(":")[0], UNKNOWN)
        case ast.IfExp(body=body, orelse=other):
            return inner(body) | inner(other)
        case ast.BoolOp(values=[first, *others]):
            found = inner(first)
            for one in others:
                found = found | inner(one)
            return (
                DeviceValue(found.forms - {NONE}, found.types, found.numbers) if isinstance(node.op, ast.Or) else found
            )
        case ast.Attribute(attr="type", value=owner) if (of := inner(owner)).forms == {OBJECT}:
            return DeviceValue(frozenset({TEXT}), of.types, frozenset({""}))
        case ast.Attribute():
            return _of_attribute(roles, node, depth)
        case ast.Name(id=name):
            return _of_name(roles, name, scope, depth)
        case ast.Call():
            return _of_call(roles, node, scope, depth)
    return NOT_KNOWN


def _of_call(roles: Roles, node: ast.Call, scope: Scope, depth: int) -> DeviceValue:
    full = roles.full_name(node.func)
    if full == "torch.device":
        return _made(roles, node, scope, depth)
    if full == "torch.cuda.current_device":
        return _value(NUMBER, "cuda", UNKNOWN)
    if full == "torch.accelerator.current_accelerator":
        return _value(OBJECT, ANY, "")
    if full == "str" and len(node.args) == 1:
        of = device_value(roles, node.args[0], scope, depth + 1)
        return DeviceValue(frozenset({TEXT if of.known else UNKNOWN}), of.types, of.numbers)
    match node.func:
        case ast.Attribute(attr="format", value=ast.Constant(value=str() as head)) if ":" in head:
            return _value(TEXT, head.partition(":")[0], UNKNOWN)
    function = roles.source.function(full) if full and "." not in full else None
    if function is None:
        return NOT_KNOWN
    returned = [n.value for n in walk_scope(function.body) if isinstance(n, ast.Return) and n.value is not None]
    return _joined([device_value(roles, value, function, depth + 1) for value in returned])


def _made(roles: Roles, node: ast.Call, scope: Scope, depth: int) -> DeviceValue:
    """What ``torch.device(...)`` makes."""
    given = [*node.args, *(k.value for k in node.keywords)]
    if not given or len(given) > 2:
        return _value(OBJECT, UNKNOWN, UNKNOWN)
    of = device_value(roles, given[0], scope, depth + 1)
    numbers = of.numbers
    if len(given) == 2:
        number = given[1]
        numbers = frozenset({str(number.value) if isinstance(number, ast.Constant) else UNKNOWN})
    return DeviceValue(frozenset({OBJECT}), of.types or frozenset({UNKNOWN}), numbers or frozenset({UNKNOWN}))


def _joined(values: list[DeviceValue]) -> DeviceValue:
    if not values:
        return NOT_KNOWN
    found = values[0]
    for one in values[1:]:
        found = found | one
    return found


def _of_name(roles: Roles, name: str, scope: Scope, depth: int) -> DeviceValue:
    key = roles.key(scope, name)
    if key is None or roles.rebound_unseen(key):
        return NOT_KNOWN
    found = [
        device_value(roles, b.value, key[0], depth + 1) if b.index is None else NOT_KNOWN for b in roles.bindings(key)
    ]
    if not isinstance(key[0], ast.Module) and name in parameter_names(key[0]):
        found += _given(roles, key[0], name, depth)
    return _joined(found)


def _given(roles: Roles, function: Scope, name: str, depth: int) -> list[DeviceValue]:
    """What a parameter is given by the calls that are seen, and its default."""
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        return [NOT_KNOWN]
    given = roles.arguments(function, name)
    found = [device_value(roles, argument, scope, depth + 1) for scope, argument in given]
    calls = roles.source.calls_to(function.name)
    default = default_of(function, name)
    if default is not None and (not calls or any(bound_argument(function, c, name) is None for c in calls)):
        found.append(device_value(roles, default, roles.source.scope_of(function), depth + 1))
    # A method, or a function that is handed on, may be called from where no call names it.
    return found if calls and found else [*found, NOT_KNOWN]


def default_of(function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> ast.expr | None:
    """The default of a parameter, None without one."""
    arguments = function.args
    plain = [*arguments.posonlyargs, *arguments.args]
    pairs = list(zip(reversed(plain), reversed(arguments.defaults), strict=False))
    pairs += [(a, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d is not None]
    return next((default for argument, default in pairs if argument.arg == name), None)


def _of_attribute(roles: Roles, node: ast.Attribute, depth: int) -> DeviceValue:
    """What an attribute such as ``args.device`` is: by the option that parses it, and by what the script stores there."""
    text = ast.unparse(node)
    found = [
        device_value(roles, s.value, roles.source.scope_of(s), depth + 1)
        for s in roles.source.all(ast.Assign)
        if any(isinstance(t, ast.Attribute) and t.attr == node.attr and ast.unparse(t) == text for t in s.targets)
    ]
    options = [_of_option(roles, c, depth) for c in roles.source.calls if _is_option(c, node.attr)]
    found += options
    # What a configuration holds besides is seen by no reader; an option says what its values are.
    return _joined(found) if options else _joined([*found, NOT_KNOWN])


def _is_option(call: ast.Call, attribute: str) -> bool:
    if dotted(call.func).rpartition(".")[2] != "add_argument":
        return False
    for keyword in call.keywords:
        if keyword.arg == "dest" and isinstance(keyword.value, ast.Constant):
            return keyword.value.value == attribute
    names = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    longest = next((n for n in names if n.startswith("--")), names[0] if names else "")
    return longest.lstrip("-").replace("-", "_") == attribute


def _of_option(roles: Roles, call: ast.Call, depth: int) -> DeviceValue:
    given = {k.arg: k.value for k in call.keywords}
    if "action" in given or "nargs" in given:
        return NOT_KNOWN
    scope = roles.source.scope_of(call)
    default = given.get("default")
    either = device_value(roles, default, scope, depth + 1) if default is not None else _NONE
    if isinstance(choices := given.get("choices"), ast.List | ast.Tuple | ast.Set) and choices.elts:
        return either | _joined([device_value(roles, c, scope, depth + 1) for c in choices.elts])
    kind = roles.full_name(given["type"]) if "type" in given else "str"
    if kind == "torch.device":
        return DeviceValue(frozenset({OBJECT}) | (either.forms & {NONE}), frozenset({UNKNOWN}), frozenset({UNKNOWN}))
    if kind == "int":
        return DeviceValue(frozenset({NUMBER}) | (either.forms & {NONE}), frozenset({"cuda"}), frozenset({UNKNOWN}))
    if kind == "str":
        return DeviceValue(frozenset({TEXT}) | (either.forms & {NONE}), frozenset({UNKNOWN}), frozenset({UNKNOWN}))
    return NOT_KNOWN
