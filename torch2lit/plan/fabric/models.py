"""Where a model is set up, and which of its uses have to name the user's own module then."""

from __future__ import annotations

import ast
import re

from ...recover.holders import Holder
from ...recover.nest import enclosing_loops
from ...recover.syntax import Scope, blocks, walk, walk_scope
from .compiled import compiled_with
from .ground import SELF_RETURNING, Ground
from .modules import Modules
from .optimizers import Optimizer
from .uses import no_grad_only

_TRANSFORMS = re.compile(r"\b(?:torch\.func|functorch|vmap|jacrev|jacfwd|functional_call)\b")
_LEAVES = (ast.Break, ast.Continue, ast.Return)
_HOUSEKEEPING = {
    "parameters", "state_dict", "load_state_dict", "zero_grad", "train", "eval", "to", "cuda", "cpu", "float", "double",
    "half", "bfloat16", "requires_grad_", "buffers",
}  # fmt: skip


class ModelSetup:
    """Where a model is set up, and which of its uses have to name the user's own module then."""

    def __init__(self, ground: Ground, modules: Modules, model: Holder, first: Optimizer, *, joint: bool) -> None:
        self.ground, self.modules = ground, modules
        self.source, self.holders = ground.source, ground.holders
        self.model = model
        self.joint = joint
        self.several = len(self.holders.stores(first.holder)) > 1
        self.statement: ast.stmt = first.made
        self.before = not joint
        self.unwrapped: list[ast.expr] = []
        self.bindings: list[ast.stmt] = []
        self.problem = self._look()

    def _look(self) -> str:
        ground, model = self.ground, self.model
        name = ground.text(model)
        if name in ground.avoid:
            return "a Trainer of the file holds it"
        if _TRANSFORMS.search(self.source.text):
            return "function transforms may run over it"
        if any(_is_container(c) for c in self.source.classes.values()):
            return "it may return a container of a class that Fabric cannot copy"
        if model.name in self.holders.shadowed:
            return "its name means several things"
        if any(ground.left_alone(n) for n in self.holders.reads(model)):
            return "a skip comment asks for it"
        if model.is_attribute and not ground.uses.is_plain_class(model.owner):
            return f"`{model.owner.name}` may be a module itself" if isinstance(model.owner, ast.ClassDef) else ""
        if reason := self._bound():
            return reason
        if reason := self._place():
            return reason
        if reason := ground.other_files_problem(model):
            return reason
        return self._judge_uses()

    def _bound(self) -> str:
        ground, model = self.ground, self.model
        reads = [self.source.parents[n] for n in self.holders.reads(model)]
        if any(isinstance(p, ast.Attribute) and p.attr == "module" for p in reads):
            return "the script wraps and unwraps it itself"
        parameter = self.holders.is_parameter(model)
        stores = self.holders.stores(model)
        if not stores and not parameter:
            return "it is not made in this file"
        for store in stores:
            value = ground.value_of(store)
            if value is None:
                return f"line {store.lineno} binds it together with others"
            if not self.modules.is_module(value, model):
                return f"`{ast.unparse(value)[:60]}` is not known to be a plain module"
            if method := self._own_method(value):
                return f"its `{method}` is the script's own, and may give another network"
            if not self._preserves(value):
                self.bindings.append(self.source.statement_of(store))
        if parameter and self.bindings:
            return "it is bound again"
        if parameter and not self.modules.treated_as_module(model) and not self.modules.gets_modules(model, 0):
            return "it is not known to be a module"
        if not parameter and not self.bindings:
            return "it is not made in this file"
        return ""

    def _preserves(self, value: ast.expr) -> bool:
        while (
            isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in SELF_RETURNING
        ):
            value = value.func.value
        return self.holders.of(value) == self.model

    def _own_method(self, value: ast.expr) -> str:
        """The method of the model, of a name that stands for the model itself elsewhere, that a class of the file defines; "" for none."""
        classes = [c for c in self.source.classes.values() if c.bases]
        own = {s.name for c in classes for s in c.body if isinstance(s, ast.FunctionDef)}
        while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            if value.func.attr in SELF_RETURNING & own:
                return value.func.attr
            value = value.func.value
        return ""

    def _scope(self, node: ast.AST) -> Scope:
        return self.source.scope_of(node)

    def _loops(self, node: ast.AST) -> list[ast.For | ast.While]:
        return enclosing_loops(self.source, node, self._scope(node))

    def _place(self) -> str:
        """Find the statement at which the model is set up: once for each time that it is made."""
        anchors: list[ast.stmt] = self.bindings
        home = self.model.owner if self.holders.is_parameter(self.model) else self._scope(anchors[0])
        if any(self._scope(b) is not home for b in anchors):
            return "several functions make it"
        if not self.model.is_attribute and home is not self.model.owner:
            return "another function makes it"
        made = self.statement
        same = self._scope(made) is home and all(self._loops(b) == self._loops(made) for b in anchors)
        if self.joint:
            fits = same and all(b.lineno < made.lineno for b in anchors) and (anchors or not self._loops(made))
            if not fits or (self.several and not self._all_above(made)):
                return "the optimizer is made elsewhere"
            return ""
        node: ast.AST = made
        while self._scope(made) is home and node is not home:
            if isinstance(node, ast.stmt) and self._all_above(node) and not self.ground.starts_shared_line(node):
                self.statement = node
                return ""
            node = self.source.parents[node]
        if len(anchors) != 1 or self.ground.shares_lines(anchors[-1]):
            return "it is made in several places" if anchors else "the optimizer is made elsewhere"
        self.statement, self.before = anchors[-1], False
        return ""

    def _all_above(self, statement: ast.stmt) -> bool:
        """Whether a statement stands behind all that make the model, in their own block or below it, and runs as often."""
        if not self.bindings:
            return isinstance(self.source.parents[statement], ast.FunctionDef | ast.AsyncFunctionDef)
        block = self._block(statement)
        inside = [self._in_block(b, block) for b in self.bindings]
        return all(i is not None and i < block.index(statement) for i in inside) and all(
            self._loops(b) == self._loops(statement) for b in self.bindings
        )

    def _judge_uses(self) -> str:
        ground, model = self.ground, self.model
        odd = ground.uses.odd("model", model)
        drives = [n for n in self.holders.reads(model) if n not in odd and not self._is_housekeeping(n)]
        if not drives:
            compiled = compiled_with(self.source, ground.roles, self.holders, model)
            return compiled or "nothing but the script's own calls of other functions runs it"
        for node in odd:
            state = self._state(node)
            if state == "unknown" or (state == "wrapped" and isinstance(self.source.parents[node], ast.Delete)):
                return f"`{ground.shown(node)}` in line {node.lineno} needs the bare module"
            if state == "wrapped":
                self.unwrapped.append(node)
        return ""

    def _is_housekeeping(self, node: ast.expr) -> bool:
        parent = self.source.parents[node]
        return isinstance(parent, ast.Compare) or (isinstance(parent, ast.Attribute) and parent.attr in _HOUSEKEEPING)

    def _state(self, node: ast.expr) -> str:
        """What a read of the model meets: the module itself (raw), the wrapper, or not known."""
        block = self._block(self.statement)
        index = block.index(self.statement)
        reach = index - 1 if self.before else index
        scope = self._scope(node)
        same_home = scope is self._scope(self.statement)
        if not same_home:
            return "wrapped" if self._runs_after(node) and self._surely_set_up(block, reach) else "unknown"
        top = self._in_block(node, block)
        line = self.statement.lineno if self.before else (self.statement.end_lineno or 0) + 1
        if node.lineno < line and self._runs_later(node):
            return "unknown"
        if node.lineno < line:
            common = [a for a in self._loops(node) if a in self._loops(self.statement)]
            made_here = all(b.lineno <= node.lineno for b in self.bindings)
            return "raw" if made_here or not common else "unknown"
        if top is not None and not self._leaves_between(block, reach):
            return "wrapped"
        return "wrapped" if self._surely_set_up(block, reach) else "unknown"

    def _runs_later(self, node: ast.AST) -> bool:
        """Whether the read stands in code that is only written down here: a lambda or a generator."""
        for ancestor in self.source.ancestors(node):
            if isinstance(ancestor, ast.stmt):
                return False
            if isinstance(ancestor, ast.Lambda | ast.GeneratorExp):
                return True
        return False

    def _surely_set_up(self, block: list[ast.stmt], reach: int) -> bool:
        """Whether the model is set up wherever it is bound once the block has been passed."""
        if not self.bindings:
            return isinstance(self.source.parents[self.statement], ast.FunctionDef)
        inside = [self._in_block(b, block) for b in self.bindings]
        return all(i is not None and i <= reach for i in inside) and not self._leaves_between(block, reach)

    def _leaves_between(self, block: list[ast.stmt], reach: int) -> bool:
        first = min((i for b in self.bindings if (i := self._in_block(b, block)) is not None), default=0)
        return any(isinstance(n, _LEAVES) for s in block[first : reach + 1] for n in walk_scope(s))

    def _block(self, statement: ast.stmt) -> list[ast.stmt]:
        return next(b for b in blocks(self.source.parents[statement]) if statement in b)

    def _in_block(self, node: ast.AST, block: list[ast.stmt]) -> int | None:
        chain = [node, *self.source.ancestors(node)]
        return next((i for i, s in enumerate(block) if s in chain), None)

    def _runs_after(self, node: ast.expr) -> bool:
        """Whether the function that holds the read can only run when the model is set up."""
        if self.model.is_attribute:
            return self._method_after(node)
        function = self._scope(node)
        if isinstance(function, ast.Module) or self.source.in_class(function) is not None:
            return False
        return self._called_after(function, set())

    def _called_after(self, function: ast.FunctionDef | ast.AsyncFunctionDef, seen: set[ast.AST]) -> bool:
        if function in seen:
            return True
        seen.add(function)
        if function.decorator_list and not no_grad_only(function):
            return False
        if self.source.in_class(function) is not None:
            return False
        if sum(f.name == function.name for f in self.source.functions) != 1:
            return False
        home, names = self._scope(self.statement), [n for n in self.source.all(ast.Name) if n.id == function.name]
        for name in names:
            scope = self._scope(name)
            if scope is home:
                if name.lineno <= (self.statement.end_lineno or 0):
                    return False
            elif scope is function:
                continue
            elif isinstance(scope, ast.Module) or not self._called_after(scope, seen):
                return False
        return bool(names)

    def _method_after(self, node: ast.expr) -> bool:
        owner = self.model.owner
        assert isinstance(owner, ast.ClassDef)
        init = self._scope(self.statement)
        method = self._scope(node)
        if isinstance(init, ast.Module) or init.name != "__init__" or self.source.parents.get(init) is not owner:
            return False
        outer: ast.AST = method
        while self.source.parents.get(outer) is not owner:
            if isinstance(outer, ast.Module) or outer not in self.source.parents:
                return False
            outer = self.source.parents[outer]
        if not isinstance(outer, ast.FunctionDef) or any(
            ast.unparse(base).rpartition(".")[2] == owner.name
            for other in self.source.classes.values()
            for base in other.bases
        ):
            return False
        early = self._reached(init, self.statement.end_lineno or 0, owner)
        return outer.name not in early

    def _reached(self, init: ast.AST, line: int, owner: ast.ClassDef) -> set[str]:
        """The methods that may run before the constructor has set the model up."""
        found: set[str] = set()
        todo = [n for n in walk(init) if isinstance(n, ast.Attribute) and n.lineno <= line]
        while todo:
            node = todo.pop()
            if isinstance(node.value, ast.Name) and self.holders.class_of_self(node.value) is owner:
                method = self.holders.method(owner, node.attr)
                if method is not None and node.attr not in found:
                    found.add(node.attr)
                    todo += [n for n in walk(method) if isinstance(n, ast.Attribute)]
        return found


def _is_container(owner: ast.ClassDef) -> bool:
    """Whether a class is a container that is made in a way of its own: Fabric rebuilds the containers that a model returns."""
    if any("frozen=True" in ast.unparse(d) for d in owner.decorator_list):
        return True
    made = any(isinstance(s, ast.FunctionDef) and s.name in ("__init__", "__new__") for s in owner.body)
    return made and any(ast.unparse(b).rpartition(".")[2] in _CONTAINERS for b in owner.bases)


_CONTAINERS = {"dict", "list", "tuple", "OrderedDict", "UserDict", "UserList", "defaultdict"}
