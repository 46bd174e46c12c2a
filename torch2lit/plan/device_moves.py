"""Where the script puts its model: the moves that say so, each as the entry point would write it."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass

from ..recover.device_values import NONE, NUMBER, OBJECT, TEXT, UNKNOWN, DeviceValue, device_value
from ..recover.names import parameter_names
from ..recover.roles import Key, Role
from ..recover.state_names import is_attribute, is_whole
from ..recover.syntax import Scope, dotted, walk
from .afterwards import statements_after
from .draft import Draft
from .moved import moved_functions

_ASKS = {
    "torch.cuda.is_available",
    "torch.cuda.device_count",
    "torch.cuda.current_device",
    "torch.backends.mps.is_available",
    "torch.backends.mps.is_built",
    "torch.xpu.is_available",
    "torch.accelerator.is_available",
    "torch.accelerator.current_accelerator",
    "torch.device",
    "str",
    "int",
    "len",
    "bool",
    "getattr",
    "hasattr",
}
_PURE = (
    ast.Name,
    ast.Attribute,
    ast.Constant,
    ast.IfExp,
    ast.Compare,
    ast.BoolOp,
    ast.UnaryOp,
    ast.BinOp,
    ast.JoinedStr,
    ast.FormattedValue,
    ast.Subscript,
    ast.Call,
    ast.keyword,
    ast.expr_context,
    ast.boolop,
    ast.operator,
    ast.unaryop,
    ast.cmpop,
    ast.List,
    ast.Tuple,
)
_DEEP = 8


@dataclass(frozen=True, slots=True)
class Device:
    """A device as the entry point writes it: its text, its expression, what it may be, and when the move is made.

    ``node`` is None for ``.cuda()``, which takes the current GPU. Under a false ``condition`` nothing moves.
    """

    text: str
    node: ast.expr | None
    scope: Scope
    value: DeviceValue
    condition: str = ""


class DeviceMoves:
    """The moves of one program."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.source, self.roles = draft.source, draft.roles
        self.entry = draft.nest.entry.scope

    def of_models(self) -> list[ast.Call]:
        """The moves of models that stand before the loop, or in functions."""
        after = self._after()
        return [
            c
            for c in self.source.calls
            if id(c) not in after and self._is_move(c) and self._moves_model(c) and not self._back(c)
        ]

    def of_data(self) -> list[ast.Call]:
        """All other moves, and tensors that are made on a device: those of the loop when it has some."""
        after = self._after()
        found = [c for c in self.source.calls if id(c) not in after and (self._is_move(c) or self._is_made_on(c))]
        inside = {id(n) for n in walk(self.draft.nest.outermost)}
        for function in [*moved_functions(self.draft), *(f.scope for f in self.draft.nest.entered)]:
            if function is not self.entry:
                inside |= {id(n) for n in walk(function)}
        return [c for c in found if id(c) in inside] or found

    def _after(self) -> set[int]:
        return {id(n) for s in statements_after(self.draft) for n in walk(s)} - {
            id(n) for n in walk(self.draft.nest.outermost)
        }

    def _is_move(self, call: ast.Call) -> bool:
        if not isinstance(call.func, ast.Attribute):
            return False
        if call.func.attr == "cuda":
            return self.roles.full_name(call.func.value) != "torch"
        if call.func.attr != "to":
            return False
        if (target := _target(call)) is None:
            return False
        if isinstance(target, ast.Name) and self._moves_model(call):
            return self.roles.full_name(target) == target.id  # a number type is torch's
        return self._is_device(target, self.source.scope_of(call))

    def _is_made_on(self, call: ast.Call) -> bool:
        """Whether ``torch.zeros(..., device=device)`` makes something elsewhere than on the processor."""
        target = next((k.value for k in call.keywords if k.arg == "device"), None)
        if target is None or not self.roles.full_name(call.func).startswith("torch."):
            return False
        return self._is_device(target, self.source.scope_of(call))

    def _is_device(self, node: ast.expr, scope: Scope) -> bool:
        """Whether an expression names a device that the script chose, and not one that another tensor is on."""
        full = self.roles.full_name(node)
        if full.startswith("torch.") and isinstance(node, ast.Attribute):
            return False
        if isinstance(node, ast.Attribute) and node.attr == "device":
            root = ast.unparse(node.value).partition(".")[0]
            if self.roles.role(scope, root) not in (Role.CONFIG, None) or isinstance(node.value, ast.Call):
                return False
            if isinstance(node.value, ast.Name) and self._may_be_tensor(node.value, scope):
                return False
        value = device_value(self.roles, node, scope)
        if value.known:
            return value.only_type != "cpu" or not isinstance(node, ast.Constant)
        words = ast.unparse(node).lower()
        return self.roles.of(node, scope) is Role.DEVICE or any(w in words for w in ("device", "gpu", "cuda"))

    def _may_be_tensor(self, node: ast.Name, scope: Scope) -> bool:
        """Whether ``x.device`` may be where a tensor is: nobody stores a device there, and no options are parsed."""
        text = f"{node.id}.device"
        stored = any(
            isinstance(t, ast.Attribute) and t.attr == "device" and ast.unparse(t) == text
            for s in self.source.all(ast.Assign)
            for t in s.targets
        )
        if stored or self.roles.role(scope, node.id) is Role.CONFIG:
            return False
        key = self.roles.key(scope, node.id)
        made = [b.value for b in self.roles.bindings(key)] if key else []
        option = any(isinstance(m, ast.Call) and dotted(m.func).endswith(("parse_args", "Namespace")) for m in made)
        words = ("arg", "opt", "cfg", "conf", "param", "hp", "setting", "flag")
        return not option and not any(w in node.id.lower() for w in words)

    def _moves_model(self, call: ast.Call) -> bool:
        assert isinstance(call.func, ast.Attribute)
        return self.roles.of(call.func.value, self.source.scope_of(call)) is Role.MODEL

    def _back(self, call: ast.Call) -> bool:
        """Whether a model only goes back to the processor, for a file or an export."""
        target = _target(call)
        return isinstance(target, ast.Constant) and target.value == "cpu"

    # ---- as the entry point writes it

    def device(self, call: ast.Call) -> Device | None:
        """The device of a move as the entry point would write it; None when it cannot say."""
        scope = self.source.scope_of(call)
        condition = self._condition(call, scope)
        if condition is None:
            return None
        target = _target(call)
        if target is None:
            current = DeviceValue(frozenset({TEXT}), frozenset({"cuda"}), frozenset({""}))
            return Device('"cuda"', None, scope, current, condition)
        found = self.at_entry(target, scope)
        if found is None:
            return None
        text, node, where = found
        value = device_value(self.roles, target, scope)
        if isinstance(call.func, ast.Attribute) and call.func.attr == "cuda":
            if not value.known and not (value.forms <= {NUMBER, OBJECT, TEXT, UNKNOWN}):
                return None
            if UNKNOWN in value.forms or NONE in value.forms:
                return None
            value = DeviceValue(value.forms, frozenset({"cuda"}), value.numbers)
        return Device(text, node, where, value, condition)

    def _condition(self, call: ast.Call, scope: Scope) -> str | None:
        """The tests under which a move is made, "" for none and None for what cannot be said."""
        tests: list[str] = []
        node: ast.AST = call
        around = {id(n) for n in self.source.ancestors(self.draft.nest.outermost)}
        for ancestor in self.source.ancestors(call):
            if ancestor is scope:
                break
            if id(ancestor) not in around:
                if isinstance(ancestor, ast.Try | ast.Match | ast.Lambda | ast.Assert | ast.BoolOp):
                    return None
                if isinstance(ancestor, ast.If | ast.IfExp) and node is not ancestor.test:
                    body = ancestor.body if isinstance(ancestor.body, list) else [ancestor.body]
                    if node not in body:
                        return None
                    found = self.at_entry(ancestor.test, scope)
                    if found is None:
                        return None
                    loose = isinstance(ancestor.test, ast.BoolOp) and isinstance(ancestor.test.op, ast.Or)
                    tests.insert(0, f"({found[0]})" if loose else found[0])
            node = ancestor
        if len(tests) > 1:
            return " and ".join(dict.fromkeys(tests))
        return tests[0].removeprefix("(").removesuffix(")") if tests and tests[0].startswith("(") else "".join(tests)

    def at_entry(self, node: ast.expr, scope: Scope, depth: int = 0) -> tuple[str, ast.expr, Scope] | None:
        """An expression that only asks, as it reads at the entry point; None when it cannot be read there."""
        if depth > _DEEP or not self._only_asks(node):
            return None
        names = {n.id: n for n in walk(node) if isinstance(n, ast.Name)}
        if all(self._is_read_at_entry(n, scope) for n in names):
            text = self.source.segment(node) if hasattr(node, "lineno") else ast.unparse(node)
            return (ast.unparse(node) if "\n" in text else text), node, scope
        root: ast.expr = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if not isinstance(root, ast.Name) or is_whole(root.id):
            return None
        key = self.roles.key(scope, root.id)
        if key is None or isinstance(key[0], ast.Module) or self.roles.rebound_unseen(key):
            return None
        if node is root and (attribute := self._kept_as(key)) is not None:
            return attribute.id, attribute, self.source.tree
        bindings = self.roles.bindings(key)
        if root.id in parameter_names(key[0]):
            if bindings:
                return None
            given = self.roles.arguments(key[0], root.id)
            answers = [self._through(node, root, argument, where, depth) for where, argument in given]
            if not answers or None in answers or len({a[0] for a in answers if a is not None}) != 1:
                return None
            return answers[0]
        if len(bindings) == 1 and bindings[0].index is None:
            return self._through(node, root, bindings[0].value, key[0], depth)
        return None

    def _kept_as(self, key: Key) -> ast.Name | None:
        """The attribute that is bound to a method's own variable, and to nothing else."""
        for attribute in sorted(n for n in self.roles.locals(self.source.tree) if is_attribute(n)):
            bindings = self.roles.bindings((self.source.tree, attribute))
            values = [b.value for b in bindings]
            if len(values) == 1 and isinstance(value := values[0], ast.Name):
                if self.roles.key(self.source.scope_of(value), value.id) == key:
                    return ast.Name(attribute, ast.Load())
        return None

    def _through(
        self, node: ast.expr, root: ast.expr, value: ast.expr, scope: Scope, depth: int
    ) -> tuple[str, ast.expr, Scope] | None:
        """An expression with its first name replaced by what it stands for."""
        found = self.at_entry(value, scope, depth + 1)
        if found is None or node is root:
            return found
        if not isinstance(found[1], ast.Name | ast.Attribute):
            return None
        text = ast.unparse(node)
        text = found[0] + text[len(ast.unparse(root)) :]
        return text, ast.parse(text, mode="eval").body, found[2]

    def _only_asks(self, node: ast.expr) -> bool:
        return all(
            isinstance(n, _PURE) and (not isinstance(n, ast.Call) or self.roles.full_name(n.func) in _ASKS)
            for n in walk(node)
        )

    def _is_read_at_entry(self, name: str, scope: Scope) -> bool:
        """Whether a name means at the entry point, before the loop, what it means in a scope."""
        key = self.roles.key(scope, name)
        if key is None:
            return hasattr(builtins, name) and self.roles.key(self.entry, name) is None
        if self.roles.key(self.entry, name) != key or is_whole(name):
            return False
        loop = self.draft.nest.outermost
        if any(n.id == name and not isinstance(n.ctx, ast.Load) for n in walk(loop) if isinstance(n, ast.Name)):
            return False  # a count of batches is another number in each of them
        before = name in self.roles.origins
        for binding in self.roles.bindings(key):
            inside = any(a is loop for a in self.source.ancestors(binding.statement)) or binding.statement is loop
            if inside:
                return False
            before = (
                before
                or binding.statement.lineno < loop.lineno
                or self.source.scope_of(binding.statement) is not key[0]
            )
        if not isinstance(key[0], ast.Module) and name in parameter_names(key[0]):
            return True
        bound_elsewhere = not self.roles.bindings(key)
        later = isinstance(key[0], ast.Module) and not isinstance(self.entry, ast.Module)
        return before or bound_elsewhere or later


def _target(call: ast.Call) -> ast.expr | None:
    """What a move names as its device."""
    named = next((k.value for k in call.keywords if k.arg == "device"), None)
    return named if named is not None else next(iter(call.args), None)
