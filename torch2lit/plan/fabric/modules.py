"""Which values surely are modules that Fabric may wrap."""

from __future__ import annotations

import ast

from ...recover.holders import Holder
from ...recover.roles import Role, bound_argument
from ...recover.syntax import dotted, walk_scope
from .ground import SELF_RETURNING, Ground


class Modules:
    """Answers what makes a module, followed through the functions of the file."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.source, self.roles, self.holders = ground.source, ground.roles, ground.holders
        self.neighbours = ground.neighbours

    def is_module(self, value: ast.expr, holder: Holder, depth: int = 0) -> bool:
        """Whether an expression surely makes a module, or hands the holder's own value on."""
        if depth > 6:
            return False
        if self.holders.of(value) == holder:
            return True
        if isinstance(value, ast.IfExp):
            return self.is_module(value.body, holder, depth) and self.is_module(value.orelse, holder, depth)
        inner = self.holders.of(value)
        if inner is not None and holder != inner:
            return self._hands_module(inner, holder, depth)
        if not isinstance(value, ast.Call):
            return False
        if isinstance(value.func, ast.Attribute) and value.func.attr in SELF_RETURNING:
            return self.is_module(value.func.value, holder, depth + 1)
        full = self.roles.full_name(value.func)
        last = full.rpartition(".")[2]
        if last in ("DataParallel", "DistributedDataParallel", "DDP", "FullyShardedDataParallel", "compile", "script"):
            return False
        if last == "deepcopy" and value.args:
            inner = self.holders.of(value.args[0])
            return inner is not None and any(self._bound_to_module(inner, depth))
        scope = self.source.scope_of(value)
        if full.startswith(("torchvision.models.", "timm.create_model")):
            return True
        if isinstance(value.func, ast.Subscript) and "torchvision.models" in self.roles.full_name(value.func.value):
            return True
        if self.source.classes.get(last) is not None or full.startswith("torch.nn."):
            return self.roles.of(value, scope) is Role.MODEL
        function = self.source.function(full) if "." not in full else None
        if function is not None:
            returned = [n.value for n in walk_scope(function.body) if isinstance(n, ast.Return) and n.value]
            return bool(returned) and not function.decorator_list and all(
                self._returns_module(r, holder, depth + 1) for r in returned
            )  # fmt: skip
        if self._is_module_class(full):
            return True
        return self.treated_as_module(holder)

    def _is_module_class(self, full: str) -> bool:
        """Whether a name is a class of another project file that builds on `torch.nn.Module` directly."""
        found = self.neighbours.definition(full)
        return (
            found is not None
            and isinstance(found.node, ast.ClassDef)
            and any(
                ast.unparse(b) in ("nn.Module", "torch.nn.Module", "nn.Sequential", "Module") for b in found.node.bases
            )
        )

    def _returns_module(self, value: ast.expr, holder: Holder, depth: int) -> bool:
        inner = self.holders.of(value)
        if inner is not None:
            return bool(found := self._bound_to_module(inner, depth)) and all(found)
        return self.is_module(value, holder, depth)

    def _bound_to_module(self, holder: Holder, depth: int) -> list[bool]:
        if self.holders.is_parameter(holder):
            return [self.treated_as_module(holder) or self.gets_modules(holder, depth + 1)]
        found = []
        for store in self.holders.stores(holder):
            value = self.ground.value_of(store)
            found.append(value is not None and self.is_module(value, holder, depth + 1))
        return found

    def _hands_module(self, inner: Holder, holder: Holder, depth: int) -> bool:
        """Whether a variable of which the holder gets its value surely holds a module."""
        if not self.holders.is_parameter(inner):
            return bool(found := self._bound_to_module(inner, depth)) and all(found)
        if self.holders.stores(inner):
            return False
        return self.treated_as_module(holder, inner) or self.gets_modules(inner, depth)

    def gets_modules(self, parameter: Holder, depth: int) -> bool:
        """Whether all calls in the file pass a module for a parameter."""
        function = parameter.owner
        assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        owner = self.source.parents[function]
        name = owner.name if isinstance(owner, ast.ClassDef) and function.name == "__init__" else function.name
        if isinstance(owner, ast.ClassDef) and function.name != "__init__":
            return False
        found = []
        for call in self.source.calls_to(name):
            shown = call
            if isinstance(owner, ast.ClassDef):
                shown = ast.Call(call.func, [ast.Name("self", ast.Load()), *call.args], call.keywords)
            argument = bound_argument(function, shown, parameter.name)
            given = self.holders.of(argument) if argument is not None else None
            if argument is None or depth > 6:
                return False
            found.append(
                self._hands_module(given, given, depth + 1)
                if given is not None
                else self.is_module(argument, parameter, depth + 1)
            )
        return bool(found) and all(found)

    def treated_as_module(self, *holders: Holder) -> bool:
        """Whether a value is called, switched and asked for parameters as only modules are."""
        seen = set()
        for node in [n for holder in holders for n in self.holders.reads(holder)]:
            parent = self.source.parents[node]
            if isinstance(parent, ast.Call) and parent.func is node:
                seen.add("()")
            elif isinstance(parent, ast.Attribute):
                seen.add(parent.attr)
        return {"()", "parameters"} <= seen and bool(
            seen & {"train", "eval", "state_dict", "load_state_dict", "to", "cuda", "zero_grad"}
        )

    def class_of(self, holder: Holder) -> ast.ClassDef | None:
        """The class of the file of which a model surely is an instance."""
        found: set[ast.ClassDef | None] = set()
        for store in self.holders.stores(holder):
            value = self.ground.value_of(store)
            while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
                if value.func.attr not in SELF_RETURNING:
                    break
                value = value.func.value
            if value is not None and self.holders.of(value) == holder:
                continue
            found.add(self.source.classes.get(dotted(value.func)) if isinstance(value, ast.Call) else None)
        return found.pop() if len(found) == 1 and not self.holders.is_parameter(holder) else None

    def forward_methods(self, model: Holder) -> list[str]:
        """Methods beside ``forward`` that the script calls on the model, and that run its layers."""
        owner = self.class_of(model)
        if owner is None:
            return []
        found: list[str] = []
        for node in self.holders.reads(model):
            above = self.source.parents[node]
            if isinstance(above, ast.Attribute) and above.value is node:
                call = self.source.parents[above]
                method = self.holders.method(owner, above.attr)
                if (
                    isinstance(call, ast.Call)
                    and call.func is above
                    and method is not None
                    and above.attr not in found
                    and not method.decorator_list
                    and above.attr != "forward"
                    and self._runs_layers(method)
                ):
                    found.append(above.attr)
        return sorted(found)

    def _runs_layers(self, method: ast.FunctionDef) -> bool:
        for node in walk_scope(method.body):
            if isinstance(node, ast.Call):
                match node.func:
                    case ast.Name() as name if self.holders.class_of_self(name) is not None:
                        return True
                    case ast.Attribute(value=ast.Name() as name) if self.holders.class_of_self(name) is not None:
                        return True
        return False
