"""Finds loaders that only the training loop runs over and whose DistributedSampler is the one that Lightning would give them.

loader = DataLoader(data, 8, sampler=sampler)     DataLoader(data, 8, shuffle=True)
sampler.set_epoch(epoch)                          the Trainer says so itself
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..recover.loops import DATA_LOADERS, Iterable, loop_names
from ..recover.nest import Nest
from ..recover.roles import Key, Roles, bound_argument
from ..recover.state_names import is_attribute, plain
from ..recover.syntax import Source

SAMPLERS = {"torch.utils.data.DistributedSampler", "torch.utils.data.distributed.DistributedSampler"}
_COUNTS = {"torch.distributed.get_world_size", "torch.distributed.distributed_c10d.get_world_size"}
_RANKS = {"torch.distributed.get_rank", "torch.distributed.distributed_c10d.get_rank"}
_READ = ("dataset", "batch_size")
_BLOCKS = (
    ast.If,
    ast.For,
    ast.While,
    ast.Try,
    ast.With,
    ast.IfExp,
    ast.BoolOp,
    ast.Lambda,
    ast.comprehension,
    ast.Match,
)
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Sharded:
    """A loader whose sampler may go: its call, the statement that makes the sampler, and those that tell it the epoch."""

    loader: ast.Call
    sampler: ast.keyword
    shuffle: ast.keyword | None
    made: ast.Assign | None
    told: tuple[ast.Expr, ...]
    trains: bool


class _Elsewhere(Exception):
    """The loader, or its sampler, is used in a way that another sampler would not serve."""


def sharded_loaders(source: Source, roles: Roles, nest: Nest) -> list[Sharded]:
    """All such loaders of a nest, the one that it trains on among them; empty when that one needs its own sampler."""
    found: list[Sharded] = []
    for call in source.calls:
        if roles.full_name(call.func) in SAMPLERS:
            try:
                found.append(_Search(source, roles, nest).of_sampler(call))
            except _Elsewhere:
                continue
    return found if [s.trains for s in found].count(True) == 1 else []


class _Search:
    def __init__(self, source: Source, roles: Roles, nest: Nest) -> None:
        self.source = source
        self.roles = roles
        self.nest = nest
        self.loops: list[ast.For] = []
        self.told: list[ast.Expr] = []

    def of_sampler(self, call: ast.Call) -> Sharded:
        given = {k.arg: k.value for k in call.keywords}
        if len(call.args) != 1 or not given.keys() <= {"num_replicas", "rank", "shuffle"}:
            raise _Elsewhere
        for name, functions, variable in (("num_replicas", _COUNTS, "WORLD_SIZE"), ("rank", _RANKS, "RANK")):
            if name in given and not self._is_told(given[name], functions, variable, 0):
                raise _Elsewhere
        shuffles = given.get("shuffle", ast.Constant(value=True))
        if not isinstance(shuffles, ast.Constant) or not isinstance(shuffles.value, bool):
            raise _Elsewhere
        parent, made = self.source.parents[call], None
        if isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Name) and len(parent.targets) == 1:
            made = parent
            keyword = self._follow_sampler(parent.targets[0])
        elif isinstance(parent, ast.keyword):
            keyword = parent
        else:
            raise _Elsewhere
        loader = self.source.parents[keyword]
        if keyword.arg != "sampler" or not isinstance(loader, ast.Call):
            raise _Elsewhere
        shuffle = self._check_loader(loader, call.args[0])
        if made is not None and (self._conditions(made) or not self._is_fixed(call.args[0])):
            raise _Elsewhere
        if self._conditions(self.source.statement_of(loader)):
            raise _Elsewhere
        self._flows(loader, 0)
        trains = self.nest.batches is not None and self.loops == [self.nest.batches.node]
        if len(self.loops) != 1 or trains != shuffles.value or trains != bool(self.told):
            raise _Elsewhere
        if not all(self._tells_epoch(statement) for statement in self.told):
            raise _Elsewhere
        return Sharded(loader, keyword, shuffle, made, tuple(self.told), trains)

    def _is_fixed(self, node: ast.expr) -> bool:
        """Whether a name holds one value from the first to the last."""
        key = self.roles.key(self.source.scope_of(node), node.id) if isinstance(node, ast.Name) else None
        return key is not None and len(self._stores(key)) <= 1

    def _conditions(self, statement: ast.AST) -> list[ast.AST]:
        """What stands around a statement in its function."""
        scope = self.source.scope_of(statement)
        found: list[ast.AST] = []
        for ancestor in self.source.ancestors(statement):
            if ancestor is scope:
                break
            if not (isinstance(ancestor, ast.If) and "__name__" in ast.unparse(ancestor.test)):
                found.append(ancestor)
        return found

    def _is_told(self, node: ast.expr, functions: set[str], variable: str, depth: int) -> bool:
        """Whether a value is that of the whole group, as it is by default."""
        match node:
            case ast.Constant(value=None):
                return True
            case ast.Call(args=[], keywords=[]):
                return self.roles.full_name(node.func) in functions
            case ast.Call(func=ast.Name(id="int"), args=[ast.Subscript(value=value, slice=ast.Constant(value=name))]):
                return name == variable and self.roles.full_name(value) == "os.environ"
            case ast.Name(id=name) if depth < _DEEPEST:
                key = self.roles.key(self.source.scope_of(node), name)
                if key is None or self._is_rebound(key) or len(self._stores(key)) > 1:
                    return False
                bindings = self.roles.bindings(key)
                values = [b.value for b in bindings if b.index is None]
                if not bindings and not self._stores(key):
                    values = self._given(key)
                return len(values) == 1 and self._is_told(values[0], functions, variable, depth + 1)
        return False

    def _check_loader(self, loader: ast.Call, dataset: ast.expr) -> ast.keyword | None:
        """The loader's ``shuffle``, when it is torch's own and runs over the sampler's data."""
        given = {k.arg: k for k in loader.keywords}
        own = loader.args[0] if loader.args else given["dataset"].value if "dataset" in given else None
        if self.roles.full_name(loader.func) not in DATA_LOADERS or own is None or len(loader.args) > 2:
            raise _Elsewhere
        if (
            any(isinstance(a, ast.Starred) for a in loader.args)
            or None in given
            or ast.unparse(own) != ast.unparse(dataset)
        ):
            raise _Elsewhere
        if not isinstance(own, ast.Name | ast.Attribute) or given.keys() & {"batch_sampler", "generator"}:
            raise _Elsewhere
        shuffle = given.get("shuffle")
        if shuffle is not None and not (isinstance(shuffle.value, ast.Constant) and shuffle.value.value is False):
            raise _Elsewhere
        return shuffle

    def _follow_sampler(self, target: ast.Name) -> ast.keyword:
        """The one argument that a variable of a sampler is; what tells it the epoch is kept in mind."""
        keywords: list[ast.keyword] = []
        for node in self._reads(target):
            match parent := self.source.parents[node]:
                case ast.keyword():
                    keywords.append(parent)
                case ast.Attribute(attr="set_epoch"):
                    self._tell(parent)
                case _:
                    raise _Elsewhere
        if len(keywords) != 1:
            raise _Elsewhere
        return keywords[0]

    def _tell(self, attribute: ast.Attribute) -> None:
        call = self.source.parents[attribute]
        statement = self.source.parents[call]
        if not isinstance(call, ast.Call) or call.func is not attribute or not isinstance(statement, ast.Expr):
            raise _Elsewhere
        self.told.append(statement)

    def _stores(self, key: Key) -> list[ast.Name]:
        stores = [n for n in self.source.all(ast.Name) if n.id == key[1] and not isinstance(n.ctx, ast.Load)]
        return [n for n in stores if self.roles.key(self.source.scope_of(n), n.id) == key]

    def _reads(self, target: ast.Name) -> list[ast.Name]:
        """All that read a variable which one statement alone gives a value."""
        key = self.roles.key(self.source.scope_of(target), target.id)
        if key is None or self._is_rebound(key) or self._stores(key) != [target]:
            raise _Elsewhere
        return self._reads_of(key)

    def _is_rebound(self, key: Key) -> bool:
        """Whether other code may give the name a value, or, for an attribute, read it."""
        view, name = self.source.view, plain(key[1])
        if not is_attribute(key[1]):
            return self.roles.rebound_unseen(key)
        if view is None or not view.is_made_here or view.is_made_elsewhere or view.bound_outside is None:
            return True
        named = any(n.attr == name for n in self.source.all(ast.Attribute))  # of an object that may be this one
        return named or name in view.bound_outside

    def _reads_of(self, key: Key) -> list[ast.Name]:
        reads = [n for n in self.source.all(ast.Name) if n.id == key[1] and isinstance(n.ctx, ast.Load)]
        return [n for n in reads if self.roles.key(self.source.scope_of(n), n.id) == key]

    # ---- where the loader goes

    def _flows(self, node: ast.expr, depth: int) -> None:
        """Follow a value that is the loader."""
        if depth > _DEEPEST:
            raise _Elsewhere
        parent = self.source.parents[node]
        match parent:
            case ast.Assign(targets=[ast.Name() as target], value=value) if value is node:
                self._follow(self._reads(target), depth)
            case ast.Return():
                self._returned(parent, None, depth)
            case ast.Tuple(elts=elements):
                outer = self.source.parents[parent]
                if not isinstance(outer, ast.Return):
                    raise _Elsewhere
                self._returned(outer, elements.index(node), depth)
            case ast.Call() if node in parent.args:
                self._passed(parent, node, depth)
            case ast.keyword():
                call = self.source.parents[parent]
                assert isinstance(call, ast.Call)
                self._passed(call, node, depth)
            case _:
                raise _Elsewhere

    def _follow(self, reads: list[ast.Name], depth: int) -> None:
        for node in reads:
            parent = self.source.parents[node]
            loop = next((a for a in self.source.ancestors(node) if isinstance(a, ast.For | ast.FunctionDef)), None)
            if isinstance(loop, ast.For) and self._iterates(loop, node):
                if not self._is_in_training(loop):
                    raise _Elsewhere
                self.loops.append(loop)
                continue
            match parent:
                case ast.Attribute(attr="sampler") if self._is_told_epoch(parent):
                    self._tell(self.source.parents[parent])  # type: ignore[arg-type]
                case ast.Attribute(attr=attribute) if attribute in _READ and self._is_in_training(node):
                    pass
                case ast.Call(func=ast.Name(id="len")) if self._is_asked_of_trainer(node):
                    pass
                case _:
                    self._flows(node, depth + 1)

    def _is_asked_of_trainer(self, node: ast.Name) -> bool:
        """Whether a hook would read the Trainer's loader here: it may not be that of a module or of an object."""
        scope = self.source.scope_of(node)
        key = self.roles.key(scope, node.id)
        own = key is not None and key[0] is scope and not isinstance(scope, ast.Module)
        return own and self._is_in_training(node)

    def _iterates(self, loop: ast.For, node: ast.Name) -> bool:
        """Whether a loop runs over it, perhaps counted or behind a progress bar."""
        at: ast.AST = node
        while at is not loop.iter:
            parent = self.source.parents[at]
            call = isinstance(parent, ast.Call) and parent.args[:1] == [at]
            if not call or ast.unparse(parent.func).rpartition(".")[2] not in ("enumerate", "tqdm"):  # type: ignore[attr-defined]
                return False
            at = parent
        return True

    def _is_told_epoch(self, attribute: ast.Attribute) -> bool:
        parent = self.source.parents[attribute]
        return isinstance(parent, ast.Attribute) and parent.attr == "set_epoch"

    def _calls_of(self, function: ast.AST) -> list[ast.Call]:
        """The calls of one of the file's functions; raises when it may be called by others."""
        name = getattr(function, "name", "")
        mentions = [n for n in self.source.all(ast.Name) if n.id == name and isinstance(n.ctx, ast.Load)]
        calls = [p for n in mentions if isinstance(p := self.source.parents[n], ast.Call) and p.func is n]
        if not name or len(calls) != len(mentions) or self.source.function(name) is not function:
            raise _Elsewhere
        return calls

    def _given(self, key: Key) -> list[ast.expr]:
        if isinstance(key[0], ast.Module):
            return []
        try:
            calls = self._calls_of(key[0])
        except _Elsewhere:
            return []
        given = [bound_argument(key[0], call, key[1]) for call in calls]
        return [g for g in given if g is not None] if len(given) == 1 else []

    def _returned(self, statement: ast.Return, index: int | None, depth: int) -> None:
        function = self.source.scope_of(statement)
        returns = [n for n in self.source.all(ast.Return) if self.source.scope_of(n) is function]
        calls = self._calls_of(function)
        if len(returns) != 1 or len(calls) != 1:
            raise _Elsewhere
        parent = self.source.parents[calls[0]]
        if index is None:
            self._flows(calls[0], depth + 1)
            return
        match parent:
            case ast.Assign(targets=[ast.Tuple(elts=targets)]) if not any(isinstance(t, ast.Starred) for t in targets):
                target = targets[index] if index < len(targets) else None
                if isinstance(target, ast.Name):
                    self._follow(self._reads(target), depth + 1)
                    return
        raise _Elsewhere

    def _passed(self, call: ast.Call, node: ast.expr, depth: int) -> None:
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        function = self.source.function(name) if name else None
        if function is None or len(self._calls_of(function)) != 1:
            raise _Elsewhere
        arguments = function.args
        names = [a.arg for a in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]]
        taken = [n for n in names if bound_argument(function, call, n) is node]
        if len(taken) != 1 or self._stores((function, taken[0])):
            raise _Elsewhere
        self._follow(self._reads_of((function, taken[0])), depth + 1)

    # ---- when it is used

    def _is_in_training(self, node: ast.AST, depth: int = 0) -> bool:
        """Whether a node runs in the training loop alone."""
        if any(a is self.nest.outermost for a in self.source.ancestors(node)):
            return True
        scope = self.source.scope_of(node)
        if scope is self.nest.entry.scope or isinstance(scope, ast.Module) or depth > _DEEPEST:
            return False
        calls = self._calls_of(scope)
        return len(calls) == 1 and self._is_in_training(calls[0], depth + 1)

    def _tells_epoch(self, statement: ast.Expr) -> bool:
        """Whether a statement tells the sampler, before every epoch's first batch, the number that the Trainer counts."""
        loop, batches, inner = self.nest.epochs, self.nest.batches, self.nest.inner
        if loop is None or batches is None or loop.kind is not Iterable.RANGE or not self._counts_from_zero(loop.base):
            return False
        scope = self.source.scope_of(statement)
        if scope is self.source.scope_of(batches.node):
            first: ast.AST | None = batches.node
        else:
            first = inner.statement if scope is self.nest.entry.scope and inner.caller is self.nest.entry else None
        if first is None or statement.lineno >= getattr(first, "lineno", 0):
            return False
        for ancestor in self.source.ancestors(statement):
            if ancestor in (scope, loop.node):
                break
            if isinstance(ancestor, _BLOCKS):
                return False
        match statement.value:
            case ast.Call(args=[ast.Name() as epoch], keywords=[]):
                return self._is_counter(epoch, loop_names(loop), 0)
        return False

    def _counts_from_zero(self, base: ast.expr) -> bool:
        match base:
            case ast.Call(func=ast.Name(id="range"), args=[_] | [ast.Constant(value=0), _]):
                return self.roles.key(self.nest.entry.scope, "range") is None
        return False

    def _is_counter(self, node: ast.expr, counters: list[str] | set[str], depth: int) -> bool:
        if not isinstance(node, ast.Name) or depth > _DEEPEST:
            return False
        scope = self.source.scope_of(node)
        key = self.roles.key(scope, node.id)
        if key is None:
            return False
        if key[0] is self.nest.entry.scope:
            return node.id in counters and len(self._stores(key)) == 1
        given = self._given(key) if not self._stores(key) else []
        return len(given) == 1 and self._is_counter(given[0], counters, depth + 1)
