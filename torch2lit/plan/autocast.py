"""What a script's autocast and gradient scaler are on a processor and on a GPU, and the Trainer's ``precision`` that is the same.

    torch.autocast("cpu", dtype=torch.bfloat16)                         →   "bf16-mixed"
    torch.cuda.amp.autocast() with torch.cuda.amp.GradScaler()          →   "16-mixed" if torch.cuda.is_available() else "32-true"
    torch.autocast(device.type, enabled=args.amp), the same scaler      →   "bf16-mixed" on the processor, "16-mixed" on a GPU, if args.amp

Autocast for CUDA does nothing on a processor, and neither does a scaler for CUDA. Lightning's "16-mixed" always scales and its
"bf16-mixed" never does, and on a processor there is no "16-mixed".
Source: https://lightning.ai/docs/pytorch/stable/common/precision_intermediate.html
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from ..recover.nest import Frame
from ..recover.roles import Role
from ..recover.syntax import Scope, dotted
from .draft import Draft
from .entry_names import at_entry
from .placement import cuda_test

Known = bool | ast.expr
"""Whether something is on: surely, surely not, or if the expression says so."""
_FULL = '"32-true"'
_DEPTH = 6
_FOR_CUDA = {"torch.cuda.amp.autocast", "torch.cuda.amp.autocast_mode.autocast"}
_FOR_CPU = {"torch.cpu.amp.autocast"}
_FOR_ANY = {"torch.autocast", "torch.amp.autocast", "torch.amp.autocast_mode.autocast"}
_SCALERS_FOR_CUDA = {"torch.cuda.amp.GradScaler", "torch.cuda.amp.grad_scaler.GradScaler"}
_SCALERS = {"torch.amp.GradScaler", "torch.GradScaler", "torch.amp.grad_scaler.GradScaler"}
_DTYPES = {"torch.float16": "float16", "torch.half": "float16", "torch.bfloat16": "bfloat16"}


class NotKnown(Exception):
    """The text says what about autocast or the scaler cannot be told."""


@dataclass(frozen=True, slots=True)
class Switch:
    """An autocast or a scaler as it is written; ``given`` are its arguments by name, ``tests`` what else switches it on."""

    call: ast.Call | None
    device: str
    given: dict[str, ast.expr]
    tests: tuple[tuple[ast.expr, bool], ...] = ()


def is_autocast(node: ast.AST) -> bool:
    """Whether a node is a call of torch's autocast, or of something else of that name."""
    return isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] == "autocast"


def find_autocast(draft: Draft, node: ast.expr, scope: Scope, depth: int = 0) -> Switch | None:
    """The autocast that a context expression opens, through a name and a choice of ``nullcontext``; None for anything else."""
    if depth > _DEPTH:
        return None
    match node:
        case ast.Name(id=name):
            if (bound := _only_value(draft, name, scope)) is not None:
                return find_autocast(draft, bound[0], bound[1], depth + 1)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            for one, other, holds in ((body, orelse, True), (orelse, body, False)):
                found = find_autocast(draft, one, scope, depth + 1)
                if found is not None and _is_null(draft, other):
                    return Switch(found.call, found.device, found.given, (*found.tests, (test, holds)))
        case ast.Call():
            full = draft.roles.full_name(node.func)
            if full in _FOR_CUDA:
                return Switch(node, "cuda", _given(node, ("enabled", "dtype", "cache_enabled")))
            if full in _FOR_CPU:
                return Switch(node, "cpu", _given(node, ("enabled", "dtype", "cache_enabled")))
            if full in _FOR_ANY:
                return Switch(
                    node, "", _given(node, ("device", "dtype", "enabled", "cache_enabled"), device_type="device")
                )
    return None


def find_scaler(draft: Draft, call: ast.expr) -> Switch | None:
    """The scaler that an expression makes; None for another one than torch's."""
    if not isinstance(call, ast.Call):
        return None
    full = draft.roles.full_name(call.func)
    names = ("init_scale", "growth_factor", "backoff_factor", "growth_interval", "enabled")
    if full in _SCALERS_FOR_CUDA:
        return Switch(call, "cuda", _given(call, names))
    if full in _SCALERS:
        return Switch(call, "" if call.args or any(k.arg == "device" for k in call.keywords) else "cuda",
                      _given(call, ("device", *names)))  # fmt: skip
    return None


def precision_of(
    draft: Draft, autocast: Switch | None, scaler: Switch | None, frame: Frame, made_in: Scope, accelerator: str
) -> str:
    """The Trainer's precision as source, "" for full precision. Raises NotKnown when there is none that is the same."""
    for switch in (autocast, scaler):
        if switch is not None and set(switch.given) - {"device", "dtype", "enabled"}:
            raise NotKnown(f"`{sorted(set(switch.given) - {'device', 'dtype', 'enabled'})[0]}` is given")
    if any(name.startswith("set_autocast") for name in draft.source.names):
        raise NotKnown("the script sets what autocast does by default")
    reader = _Reader(draft, frame, made_in)
    on = {device: reader.on(device, autocast, scaler) for device in ("cpu", "cuda")}
    return _joined(draft, reader, on, accelerator, autocast)


@dataclass(frozen=True, slots=True)
class _On:
    """The precision on one device: ``lowered`` if the condition ("" is always) holds."""

    lowered: str
    condition: str = ""

    @property
    def text(self) -> str:
        return f"{self.lowered} if {self.condition} else {_FULL}" if self.condition else self.lowered


class _Reader:
    def __init__(self, draft: Draft, frame: Frame, made_in: Scope) -> None:
        self.draft = draft
        self.frame = frame
        self.made_in = made_in

    def on(self, device: str, autocast: Switch | None, scaler: Switch | None) -> _On:
        follows = autocast is not None and scaler is not None and self.asks_scaler(autocast.given.get("enabled"))
        if follows and autocast is not None:
            autocast = replace(autocast, given={k: v for k, v in autocast.given.items() if k != "enabled"})
        casts = self.active(autocast, device, self.frame.scope)
        scales = self.active(scaler, device, self.made_in)
        if follows and casts is True:
            casts = scales
        if casts is False:
            if scales is not False:
                raise NotKnown("the scaler works where autocast does not")
            return _On(_FULL)
        assert autocast is not None
        lowered = self.lowered(device, autocast, scales is not False)
        if casts is True:
            if not isinstance(scales, bool):
                raise NotKnown("the scaler is switched and autocast is not")
            return _On(lowered)
        text = self.scaler_text(casts) if follows else self.at_entry(casts)
        if not text:
            raise NotKnown(f"`{ast.unparse(casts)[:40]}` cannot be told where the Trainer is made")
        if scales is True or (isinstance(scales, ast.expr) and self.scaler_text(scales) != text):
            raise NotKnown("autocast and the scaler are not switched by the same condition")
        return _On(lowered, text)

    def asks_scaler(self, node: ast.expr | None) -> bool:
        """Whether autocast is on when the scaler is: ``enabled=scaler.is_enabled()``."""
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name() as name, attr="is_enabled"), args=[], keywords=[]):
                return self.draft.role(name, self.frame) is Role.SCALER
        return False

    def lowered(self, device: str, autocast: Switch, scales: bool) -> str:
        dtype = self.dtype(autocast, device)
        if device == "cpu":
            if dtype == "float16":
                raise NotKnown("on a processor Lightning makes bfloat16 of float16")
            if scales:
                raise NotKnown("Lightning does not scale gradients on a processor")
            return '"bf16-mixed"'
        if dtype == "float16":
            if not scales:
                raise NotKnown("with float16 Lightning scales gradients, and the script does not")
            return '"16-mixed"'
        if scales:
            raise NotKnown("with bfloat16 Lightning does not scale gradients, and the script does")
        return '"bf16-mixed"'

    def dtype(self, autocast: Switch, device: str) -> str:
        given = autocast.given.get("dtype")
        if given is None or (isinstance(given, ast.Constant) and given.value is None):
            return "float16" if device == "cuda" else "bfloat16"
        for _ in range(_DEPTH):
            if isinstance(given, ast.IfExp):
                test = self.value(given.test, self.frame.scope, device)
                if not isinstance(test, bool):
                    break
                given = given.body if test else given.orelse
            elif isinstance(given, ast.Name) and (bound := _only_value(self.draft, given.id, self.frame.scope)):
                given = bound[0]
        found = _DTYPES.get(self.draft.roles.full_name(given))
        if found is None:
            raise NotKnown(f"the type `{ast.unparse(given)[:40]}` is not known before the script runs")
        return found

    def active(self, switch: Switch | None, device: str, scope: Scope) -> Known:
        """Whether it works on the device."""
        if switch is None:
            return False
        where = switch.device
        if not where:
            known = self.value(switch.given["device"], scope, device) if "device" in switch.given else None
            if not isinstance(known, str):
                raise NotKnown("its device is not known before the script runs")
            where = known
        tests = list(switch.tests)
        if "enabled" in switch.given:
            tests.append((switch.given["enabled"], True))
        if where.partition(":")[0] != device:
            return False
        open_: list[ast.expr] = []
        for test, wanted in tests:
            value = self.value(test, scope, device)
            if isinstance(value, bool):
                if value is not wanted:
                    return False
            elif not wanted:
                raise NotKnown(f"`{ast.unparse(test)[:40]}` switches it off")
            else:
                open_.append(test)
        if len(open_) > 1:
            raise NotKnown("several conditions switch it")
        return open_[0] if open_ else True

    def at_entry(self, node: ast.expr) -> str:
        if text := at_entry(self.draft, node, self.frame):
            return text
        raise NotKnown(f"`{ast.unparse(node)[:40]}` cannot be told where the Trainer is made")

    def scaler_text(self, node: ast.expr) -> str:
        """The scaler's switch as the entry point reads it; it is made before the loop, at the entry or above."""
        entry = self.draft.nest.entry
        if self.made_in is entry.scope or isinstance(self.made_in, ast.Module):
            return at_entry(self.draft, node, entry)
        return ""

    def value(self, node: ast.expr, scope: Scope, device: str, depth: int = 0) -> object:
        """What an expression gives when the training runs on a device; None when that depends on something else."""
        if depth > _DEPTH:
            return None
        roles = self.draft.roles
        match node:
            case ast.Constant(value=bool() | str() as value):
                return value
            case ast.Call(func=function, args=[], keywords=[]):
                return device == "cuda" if roles.full_name(function) == "torch.cuda.is_available" else None
            case ast.Call(func=ast.Name(id="str"), args=[inner]):
                return self.value(inner, scope, device, depth + 1)
            case ast.Call(func=function, args=[inner]) if roles.full_name(function) == "torch.device":
                return self.value(inner, scope, device, depth + 1) or device
            case ast.Attribute(value=owner, attr="type") if roles.of(owner, scope) is Role.DEVICE:
                known = self.value(owner, scope, device, depth + 1)
                return known.partition(":")[0] if isinstance(known, str) else device
            case ast.Name(id=name):
                bound = _only_value(self.draft, name, scope)
                return self.value(bound[0], bound[1], device, depth + 1) if bound is not None else None
            case ast.IfExp(test=test, body=body, orelse=orelse):
                chosen = self.value(test, scope, device, depth + 1)
                if isinstance(chosen, bool):
                    return self.value(body if chosen else orelse, scope, device, depth + 1)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                known = self.value(operand, scope, device, depth + 1)
                return not known if isinstance(known, bool) else None
            case ast.BoolOp(op=op, values=values):
                known_values = [self.value(v, scope, device, depth + 1) for v in values]
                decides = isinstance(op, ast.Or)
                if decides in known_values:
                    return decides
                return (not decides) if all(v is (not decides) for v in known_values) else None
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                one, other = self.value(left, scope, device, depth + 1), self.value(right, scope, device, depth + 1)
                if isinstance(one, str) and isinstance(other, str):
                    match op:
                        case ast.Eq():
                            return one == other
                        case ast.NotEq():
                            return one != other
                        case ast.In():
                            return one in other
        return None


def _joined(draft: Draft, reader: _Reader, on: dict[str, _On], accelerator: str, autocast: Switch | None) -> str:
    cpu, cuda = on["cpu"], on["cuda"]
    if cpu == cuda or accelerator == '"cpu"':
        return "" if cpu == _On(_FULL) else cpu.text
    if accelerator in ('"gpu"', '"cuda"'):
        return "" if cuda == _On(_FULL) else cuda.text
    test = _cuda_test(draft, reader, accelerator, autocast)
    if cpu.condition and cpu.condition == cuda.condition:
        return f"({cuda.lowered} if {test} else {cpu.lowered}) if {cpu.condition} else {_FULL}"
    if cuda.condition and cpu == _On(_FULL):
        return f"{cuda.lowered} if {_and(cuda.condition)} and {_and(test)} else {_FULL}"
    parts = [f"({one.text})" if one.condition else one.text for one in (cuda, cpu)]
    return f"{parts[0]} if {test} else {parts[1]}"


def _and(text: str) -> str:
    plain = isinstance(ast.parse(text, mode="eval").body, ast.Name | ast.Attribute | ast.Call | ast.Compare)
    return text if plain else f"({text})"


def _cuda_test(draft: Draft, reader: _Reader, accelerator: str, autocast: Switch | None) -> str:
    """The condition under which the Trainer runs on CUDA, in the script's own words where it has some."""
    for test, wanted in autocast.tests if autocast is not None else ():
        if wanted and (text := _means_cuda(draft, reader, test)):
            return text
    if autocast is not None and "enabled" in autocast.given:
        if text := _means_cuda(draft, reader, autocast.given["enabled"]):
            return text
    if text := cuda_test(accelerator):
        return text
    raise NotKnown("autocast means another thing on another device")


def _means_cuda(draft: Draft, reader: _Reader, test: ast.expr) -> str:
    if not isinstance(test, ast.Name | ast.Attribute):
        return ""
    values = [reader.value(test, reader.frame.scope, device) for device in ("cpu", "cuda")]
    return at_entry(draft, test, reader.frame) if values == [False, True] else ""


def _given(call: ast.Call, names: tuple[str, ...], **other_names: str) -> dict[str, ast.expr]:
    """A call's arguments by name; one under "" that cannot be told."""
    given: dict[str, ast.expr] = {}
    for place, argument in enumerate(call.args):
        given[names[place] if place < len(names) and not isinstance(argument, ast.Starred) else ""] = argument
    for keyword in call.keywords:
        name = keyword.arg or ""
        given[other_names.get(name, name)] = keyword.value
    return given


def _only_value(draft: Draft, name: str, scope: Scope) -> tuple[ast.expr, Scope] | None:
    """What a name is always bound to, and where; through the one argument of a parameter."""
    key = draft.roles.key(scope, name)
    if key is None or draft.roles.rebound_unseen(key):
        return None
    bindings = draft.roles.bindings(key)
    if len(bindings) == 1 and bindings[0].index is None:
        return bindings[0].value, key[0]
    if not bindings and not isinstance(key[0], ast.Module):
        given = draft.roles.arguments(key[0], name)
        texts = {ast.unparse(argument) for _scope, argument in given}
        if len(texts) == 1:
            caller, argument = given[0]
            return argument, caller
    return None


def _is_null(draft: Draft, node: ast.expr) -> bool:
    full = draft.roles.full_name(node.func) if isinstance(node, ast.Call) and not node.args else ""
    return full in ("contextlib.nullcontext", "contextlib.suppress", "contextlib.ExitStack")
