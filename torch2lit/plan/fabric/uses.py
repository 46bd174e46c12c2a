"""Which uses of a value stay the same when Fabric's thin wrapper stands in its place.

A use that is not known to be the same is odd. What Fabric's wrappers hand on, and what not, is read in
``lightning.fabric.wrappers``: attributes that `torch.nn.Module` has itself are answered by the wrapper, all others by
the user's module.
"""

from __future__ import annotations

import ast
import re
from typing import Literal

from ...recover.circles import ends_in_a_circle
from ...recover.holders import Holder, Holders
from ...recover.loops import asks_for_itself
from ...recover.names import parameter_names
from ...recover.roles import Role, Roles, bound_argument
from ...recover.syntax import Source, dotted

Kind = Literal["model", "optimizer", "loader"]

_HANDED_ON = {"parameters", "state_dict", "load_state_dict", "zero_grad", "buffers"}
_ITSELF = {"train", "eval", "to", "cuda", "cpu", "float", "double", "half", "bfloat16", "requires_grad_"}
MODULE_NAMES = {
    "T_destination", "add_module", "apply", "bfloat16", "buffers", "call_super_init", "children", "compile", "cpu", "cuda",
    "double", "dump_patches", "eval", "extra_repr", "float", "forward", "get_buffer", "get_extra_state", "get_parameter",
    "get_submodule", "half", "ipu", "load_state_dict", "modules", "mtia", "named_buffers", "named_children",
    "named_modules", "named_parameters", "parameters", "register_backward_hook", "register_buffer",
    "register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook",
    "register_full_backward_pre_hook", "register_load_state_dict_post_hook", "register_load_state_dict_pre_hook",
    "register_module", "register_parameter", "register_state_dict_post_hook", "register_state_dict_pre_hook",
    "requires_grad_", "set_extra_state", "set_submodule", "share_memory", "state_dict", "to", "to_empty", "train",
    "training", "type", "xpu", "zero_grad", "device", "dtype", "module", "mark_forward_method",
}  # fmt: skip
_OVERRIDABLE = (_HANDED_ON | _ITSELF | {"__call__", "__getattr__", "__setattr__"}) - {"state_dict", "load_state_dict"}
_HOOKED = re.compile(r"register_(?:full_)?(?:forward|backward)|(?:weight|spectral)_norm|\bprune\b")
"""Calling the wrapper's ``forward`` runs hooks, too, and calling the module's own does not."""
_OPTIMIZER_CALLS = {"zero_grad", "state_dict", "load_state_dict", "add_param_group"}
_LOADER_FACTS = {"dataset", "batch_size", "num_workers", "drop_last"}


class Uses:
    """Answers whether a value's uses stay the same behind Fabric's wrapper."""

    def __init__(self, source: Source, roles: Roles, holders: Holders) -> None:
        self.source = source
        self.roles = roles
        self.holders = holders
        self.unwrapping: set[Holder] = set()
        """Parameters that are to be set up in their own function, so that they have to come raw."""
        self._even: dict[tuple[Kind, Holder], bool] = {}

    def odd(self, kind: Kind, holder: Holder) -> list[ast.expr]:
        """The reads that may differ; for an attribute also those from outside of its class."""
        nodes: list[ast.expr] = list(self.holders.reads(holder))
        if holder.is_attribute:
            nodes += self.holders.from_outside(holder)
        return [n for n in nodes if not self.same(kind, n)]

    def same(self, kind: Kind, node: ast.expr) -> bool:
        """Whether one use stays the same."""
        parent = self.source.parents[node]
        match parent:
            case ast.Compare(ops=[ast.Is() | ast.IsNot()], comparators=[ast.Constant(value=None)]):
                return True
            case ast.Assign(value=value, targets=targets) if value is node:
                return all(self._flows(kind, node, t) for t in targets)
            case ast.Call(func=func) if func is not node:
                return self._passed(kind, node, parent)
            case ast.keyword(value=value) if value is node:
                call = self.source.parents[parent]
                return isinstance(call, ast.Call) and self._passed(kind, node, call)
        if kind == "model":
            return self._same_model(node, parent)
        if kind == "optimizer":
            return self._same_optimizer(node, parent)
        return self._same_loader(node, parent)

    def _flows(self, kind: Kind, node: ast.expr, target: ast.expr) -> bool:
        holder = self.holders.of(target)
        if holder is None or holder.name in self.holders.shadowed:
            return False
        if kind == "model" and holder.is_attribute and not self.is_plain_class(holder.owner):
            return False
        if holder == self.holders.of(node):
            return True
        return self._all_same(kind, holder)

    def _all_same(self, kind: Kind, holder: Holder) -> bool:
        place = (kind, holder)
        if place not in self._even:
            self._even[place] = True  # a cycle adds nothing
            known = holder not in self.unwrapping and holder.name not in self.holders.shadowed
            self._even[place] = known and not self.odd(kind, holder)
        return self._even[place]

    @ends_in_a_circle(False)
    def is_plain_class(self, owner: ast.AST) -> bool:
        """Whether a class builds on nothing but other plain classes of the file, so that it is no module."""
        if not isinstance(owner, ast.ClassDef):
            return False
        for base in owner.bases:
            name = dotted(base)
            if name in ("object", "ABC", "abc.ABC"):
                continue
            definition = self.source.classes.get(name)
            if definition is None or definition is owner or not self.is_plain_class(definition):
                return False
        return not any(k.arg is None for k in owner.keywords)

    def _passed(self, kind: Kind, node: ast.expr, call: ast.Call) -> bool:
        if kind == "optimizer" and self._known_optimizer_call(node, call):
            return True
        if kind == "loader" and self._iterated(node, call):
            return True
        function = self._called(call)
        if function is None:
            return False
        method = isinstance(self.source.parents.get(function), ast.ClassDef)
        shown = call
        if method:
            shown = ast.Call(func=call.func, args=[ast.Name("self", ast.Load()), *call.args], keywords=call.keywords)
        taken = [p for p in parameter_names(function) if bound_argument(function, shown, p) is node]
        return len(taken) == 1 and self._all_same(kind, Holder(function, taken[0]))

    def _called(self, call: ast.Call) -> ast.FunctionDef | None:
        match call.func:
            case ast.Name(id=name):
                key = self.roles.key(self.source.scope_of(call), name)
                if key is None or self.roles.bindings(key):
                    return None
                if (function := self.source.function(name)) is not None:
                    return function if not function.decorator_list or no_grad_only(function) else None
                owner = self.source.classes.get(name)
                if owner is not None and self.is_plain_class(owner) and not owner.decorator_list:
                    return self.holders.method(owner, "__init__")
            case ast.Attribute(value=ast.Name() as value, attr=name):
                owner = self.holders.class_of_self(value)
                method = self.holders.method(owner, name) if owner is not None else None
                if method is not None and (not method.decorator_list or no_grad_only(method)):
                    return method
        return None

    # ---- models

    def _same_model(self, node: ast.expr, parent: ast.AST) -> bool:
        if isinstance(parent, ast.Call):
            return not self._overrides("__call__")
        if not isinstance(parent, ast.Attribute):
            return False
        name, above = parent.attr, self.source.parents[parent]
        called = isinstance(above, ast.Call) and above.func is parent
        if name in MODULE_NAMES or name.startswith("_"):
            if not called or self._overrides(name):
                return False
            if name in _HANDED_ON or (name == "forward" and not _HOOKED.search(self.source.text)):
                return True
            assert isinstance(above, ast.Call)
            return name in _ITSELF and (isinstance(self.source.parents[above], ast.Expr) or self._back(node, above))
        return not isinstance(parent.ctx, ast.Del)

    def _back(self, node: ast.expr, call: ast.Call) -> bool:
        """Whether what a method such as ``to`` returns is the same object, used in the same ways."""
        parent = self.source.parents[call]
        holder = self.holders.of(node)
        if isinstance(parent, ast.Assign) and all(self.holders.of(t) == holder for t in parent.targets):
            return holder is not None
        return self.same("model", call)

    def _overrides(self, name: str) -> bool:
        """Whether a class of the file answers a call itself that the wrapper does not hand on to it."""
        if name not in _OVERRIDABLE:
            return False
        for owner in self.source.classes.values():
            for statement in owner.body:
                if isinstance(statement, ast.FunctionDef) and statement.name == name and not self.is_plain_class(owner):
                    plain_train = name == "train" and len(parameter_names(statement)) == 2 and statement.args.defaults
                    if not plain_train:
                        return True
        return False

    # ---- optimizers

    def _same_optimizer(self, node: ast.expr, parent: ast.AST) -> bool:
        if not isinstance(parent, ast.Attribute) or not isinstance(parent.ctx, ast.Load):
            return False
        above = self.source.parents[parent]
        called = isinstance(above, ast.Call) and above.func is parent
        if parent.attr == "step" and isinstance(above, ast.Call) and called:
            given = [*above.args, *(k for k in above.keywords if k.arg != "closure")]
            return len(above.args) + len(above.keywords) <= 1 and len(given) == len(above.args) and not any(
                isinstance(a, ast.Starred) for a in above.args
            )  # fmt: skip
        if parent.attr in _OPTIMIZER_CALLS:
            return called
        if parent.attr == "state":
            return isinstance(above, ast.Subscript) and isinstance(above.ctx, ast.Load)
        return parent.attr in ("param_groups", "defaults")

    def _known_optimizer_call(self, node: ast.expr, call: ast.Call) -> bool:
        full = self.roles.full_name(call.func)
        if full.startswith(("torch.optim.lr_scheduler.", "transformers.get_")):
            return True
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("step", "unscale_"):
            scaler = self.roles.of(call.func.value, self.source.scope_of(call)) is Role.SCALER
            return scaler and "fused" not in self.source.text
        return False

    # ---- loaders

    def _same_loader(self, node: ast.expr, parent: ast.AST) -> bool:
        if isinstance(parent, ast.For | ast.comprehension):
            return self._starts_at_once(parent, node)
        return isinstance(parent, ast.Attribute) and isinstance(parent.ctx, ast.Load) and parent.attr in _LOADER_FACTS

    def _iterated(self, node: ast.expr, call: ast.Call) -> bool:
        name, above = dotted(call.func), self.source.parents[call]
        if not call.args or call.args[0] is not node:
            return False
        if name == "len":
            return True
        if name == "iter":
            return isinstance(above, ast.Call) and dotted(above.func) == "next"
        if name.rpartition(".")[2] in ("enumerate", "tqdm") and not asks_for_itself(call, self.roles):
            if isinstance(above, ast.For | ast.comprehension):
                return self._starts_at_once(above, call)
            return isinstance(above, ast.Call) and self._iterated(call, above) and dotted(above.func) != "len"
        return False

    def _starts_at_once(self, loop: ast.For | ast.comprehension, node: ast.expr) -> bool:
        """Whether the first batch is asked for as soon as there is an iterator: Fabric's makes its own that late."""
        return loop.iter is node and not isinstance(self.source.parents[loop], ast.GeneratorExp)


def no_grad_only(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function's decorators do nothing but switch gradients."""
    return all(
        dotted(d.func if isinstance(d, ast.Call) else d).rpartition(".")[2]
        in ("no_grad", "inference_mode", "enable_grad")
        for d in function.decorator_list
    )
