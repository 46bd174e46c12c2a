"""The optimizers of a file: where each is there, whose parameters it holds, and whether Fabric may wrap it."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from ...recover.holders import Holder
from ...recover.roles import Role
from ...recover.syntax import Scope, dotted, walk, walk_scope
from .compiled import compiled_with
from .ground import Ground


@dataclass
class Optimizer:
    """One optimizer as it is built: its statements, and the statement after which it is there."""

    holder: Holder
    statements: list[ast.Assign]
    made: ast.stmt
    calls: list[ast.Call]
    models: list[Holder] = field(default_factory=list)
    problem: str = ""


class Optimizers:
    """Finds them."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.source, self.roles, self.holders = ground.source, ground.roles, ground.holders

    def find(self) -> list[Optimizer]:
        """All of them in source order."""
        made: dict[Holder, list[ast.Assign]] = {}
        for statement in sorted(self.source.all(ast.Assign), key=lambda s: (s.lineno, s.col_offset)):
            scope = self.source.scope_of(statement)
            values = (statement.value, *statement.targets)
            if (
                self.ground.left_alone(statement)
                or len(statement.targets) != 1
                or not any(self.roles.of(v, scope) is Role.OPTIMIZER for v in values)
            ):
                continue
            holder = self.holders.of(statement.targets[0])
            if holder is not None and isinstance(statement.value, ast.Call):
                made.setdefault(holder, []).append(statement)
        found: list[Optimizer] = []
        for holder, statements in made.items():
            for group, at in self._groups(holder, statements):
                calls = [s.value for s in group if isinstance(s.value, ast.Call)]
                one = Optimizer(holder, group, at, calls)
                for call in calls:
                    for model in self._models_in(call):
                        if model not in one.models:
                            one.models.append(model)
                one.problem = self._problem(one)
                found.append(one)
        return sorted(found, key=lambda o: (o.made.lineno, o.made.col_offset))

    def _groups(self, holder: Holder, statements: list[ast.Assign]) -> list[tuple[list[ast.Assign], ast.stmt]]:
        """Statements that build one optimizer in the branches of an `if` stand for one; each other is its own."""
        if len(statements) > 1:
            above = [a for a in self.source.ancestors(statements[0]) if isinstance(a, ast.If)]
            for outer in reversed(above):
                inside = [s for s in statements if outer in self.source.ancestors(s)]
                if len(inside) > 1 and not self._elif(outer) and _always_binds(outer, inside):
                    if len(inside) == sum(outer in self.source.ancestors(n) for n in self.holders.stores(holder)):
                        rest = [s for s in statements if s not in inside]
                        return [(inside, outer), *(self._groups(holder, rest) if rest else [])]
        return [([s], s) for s in statements]

    def _elif(self, node: ast.If) -> bool:
        parent = self.source.parents[node]
        return isinstance(parent, ast.If) and parent.orelse == [node]

    def _problem(self, one: Optimizer) -> str:
        """Why an optimizer stays as it is; "" when it can be set up."""
        name = self.ground.text(one.holder)
        if name in self.ground.avoid:
            return "a Trainer of the file holds it"
        if any(self.source.scope_of(s) is not one.holder.owner for s in one.statements if not one.holder.is_attribute):
            return f"`{name}` is bound from another function"
        if not all(self._is_torch_optimizer(c, self.source.scope_of(c)) for c in one.calls):
            return f"`{ast.unparse(one.calls[0].func)[:60]}` is no optimizer of torch's own"
        if one.holder.name in self.holders.shadowed or self.ground.shares_lines(one.made):
            return f"`{name}` means several things"
        if (reason := self.ground.other_files_problem(one.holder)) != "":
            return reason
        if one.holder.is_attribute and (copied := self._copy_of_self()) is not None:
            return f"line {copied.lineno} copies the object that holds `{name}`"
        odd = self.ground.uses.odd("optimizer", one.holder)
        if odd and (compiled := compiled_with(self.source, self.roles, self.holders, one.holder)):
            return compiled
        if odd:
            return f"`{self.ground.shown(odd[0])}` in line {odd[0].lineno} needs the bare optimizer"
        return ""

    def _copy_of_self(self) -> ast.Call | None:
        """A call that copies an object with all that it holds: the copy of a wrapped optimizer would step by Fabric, too."""
        for call in self.source.calls:
            if dotted(call.func).rpartition(".")[2] == "deepcopy" and call.args and isinstance(call.args[0], ast.Name):
                if call.args[0].id == "self":
                    return call
        return None

    def _is_torch_optimizer(self, call: ast.Call, scope: Scope, depth: int = 0) -> bool:
        full = self.roles.full_name(call.func)
        if full.startswith("torch.optim.") and "lr_scheduler" not in full and "swa_utils" not in full:
            return True
        match call.func:
            case ast.Call(func=ast.Name(id="getattr"), args=[module, *_]):
                return self.roles.full_name(module) == "torch.optim"
            case ast.Subscript(value=ast.Attribute(value=module, attr="__dict__")):
                return self.roles.full_name(module) == "torch.optim"
        function = self.source.function(full) if "." not in full else self._own_method(call)
        if function is None or depth > 4 or function.decorator_list:
            return False
        returned = [n for n in walk_scope(function.body) if isinstance(n, ast.Return)]
        return bool(returned) and all(
            r.value is not None and self._returns_torch_optimizer(r.value, function, depth + 1) for r in returned
        )

    def _own_method(self, call: ast.Call) -> ast.FunctionDef | None:
        """The method of the same class that is called on ``self``, when no other class can have its own."""
        match call.func:
            case ast.Attribute(value=ast.Name() as value, attr=name):
                owner = self.holders.class_of_self(value)
                if owner is not None and self.ground.uses.is_plain_class(owner):
                    return self.holders.method(owner, name)
        return None

    def _returns_torch_optimizer(self, value: ast.expr, scope: Scope, depth: int) -> bool:
        if isinstance(value, ast.Call):
            return self._is_torch_optimizer(value, scope, depth)
        if isinstance(value, ast.Name) and (key := self.roles.key(scope, value.id)) and key[0] is scope:
            bindings = self.roles.bindings(key)
            holder = Holder(*key)
            return (
                len(bindings) == len(self.holders.stores(holder)) > 0
                and not self.holders.is_parameter(holder)
                and all(
                    b.index is None
                    and isinstance(b.value, ast.Call)
                    and self._is_torch_optimizer(b.value, scope, depth)
                    for b in bindings
                )
            )
        return False

    def _models_in(self, call: ast.Call) -> list[Holder]:
        """The models whose parameters an optimizer gets, in the order in which they are named."""
        found: list[Holder] = []
        scope = self.source.scope_of(call)
        todo: list[ast.AST] = [*call.args, *call.keywords]
        followed: set[tuple[Scope, str]] = set()
        while todo:
            for node in walk(todo.pop(0)):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in ("parameters", "named_parameters")
                ):
                    owner = self._kept_as(self._root(node.func.value), call)
                    if owner is not None and owner not in found:
                        found.append(owner)
                elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                    key = self.roles.key(scope, node.id)
                    if key is None or key in followed or self.roles.role_of(key) is Role.MODEL:
                        continue
                    followed.add(key)
                    todo += [b.value for b in self.roles.bindings(key) if b.index in (None, -1)]
        return found

    def _root(self, node: ast.expr) -> Holder | None:
        """The model of whose part these are the parameters: ``net`` for ``net.encoder``."""
        while True:
            if isinstance(node, ast.Name):
                return self.holders.of(node) if self.holders.class_of_self(node) is None else None
            if isinstance(node, ast.Attribute):
                if (holder := self.holders.of(node)) is not None:
                    return holder
                node = node.value
            else:
                return None

    def _kept_as(self, model: Holder | None, call: ast.Call) -> Holder | None:
        """The attribute under which a method keeps a model that it got or made; else the model itself."""
        scope = self.source.scope_of(call)
        if model is None or model.is_attribute or model.owner is not scope:
            return model
        kept = []
        for node in self.holders.reads(model):
            statement = self.source.parents[node]
            if isinstance(statement, ast.Assign) and statement.value is node and self.source.scope_of(node) is scope:
                kept += [h for t in statement.targets if (h := self.holders.of(t)) is not None and h.is_attribute]
        return kept[0] if len(kept) == 1 else model


def _always_binds(node: ast.If, statements: list[ast.Assign]) -> bool:
    """Whether every way through an `if` passes one of the statements, or leaves."""
    for block in (node.body, node.orelse):
        if not block:
            return False
        if any(s in statements for s in block) or isinstance(block[-1], ast.Raise | ast.Return):
            continue
        if len(block) == 1 and isinstance(block[0], ast.If) and _always_binds(block[0], statements):
            continue
        return False
    return True
