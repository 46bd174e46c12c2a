"""Which functions train or evaluate as a parameter says, and the calls that say so."""

from __future__ import annotations

import ast
import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from .known import AN_OBJECT, Facts, Known, known, truth
from .makings import Value, sources
from .names import parameter_names
from .own_classes import own_class
from .roles import Role, Roles, bound_argument
from .syntax import Source, blocks, dotted, walk, walk_scope

_ENDS = (ast.Return, ast.Raise, ast.Continue, ast.Break)
_TRAINS = {"backward", "manual_backward"}
_BY_TEXT = frozenset(
    {
        "getattr", "setattr", "hasattr", "delattr", "__getattribute__", "globals", "locals", "vars", "eval", "exec",
        "methodcaller", "attrgetter", "patch", "modules", "import_module", "__dict__", "__all__",
    }
)  # fmt: skip
"""What finds a function or a method by the text of its name, or lets others do so."""


@dataclass
class Special:
    """A function as some of its calls run it: with ``facts`` known of its parameters and of names that depend on them."""

    function: ast.FunctionDef
    facts: dict[str, Known]
    parameters: frozenset[str]
    trains: bool
    switches: Switches
    calls: list[ast.Call] = field(default_factory=list)
    name: str = ""
    result: str = ""
    """A name for what the function gives, "" when no call asks for it or none is free."""

    def lasts(self, node: ast.expr) -> bool:
        """Whether an expression is the same thing as long as the function runs: a constant, a name or an attribute."""
        return self.switches.lasts(node, self.function)

    def is_model(self, node: ast.expr) -> bool:
        """Whether an expression of the function gives a module."""
        return self.switches.is_model(node, self.function)

    @property
    def needless(self) -> frozenset[int]:
        """The lines of the `with` blocks that switch gradients on where they are on."""
        if not self.trains or not all(self.switches.records(call) for call in self.calls):
            return frozenset()
        return needless_switches(self.switches.source, self.function, self.facts)

    def switches_on(self, item: ast.withitem) -> bool:
        """Whether a part of a `with` does nothing but to switch gradients on."""
        return switches_on(item, self.facts)


def switched_to(node: ast.expr, facts: Facts) -> bool | None:
    """What ``torch.set_grad_enabled(...)`` switches gradients to, as far as that is known."""
    if not isinstance(node, ast.Call) or len(node.args) != 1 or node.keywords:
        return None
    if dotted(node.func).rpartition(".")[2] != "set_grad_enabled":
        return None
    value = known(node.args[0], facts)
    return value.value if value is not None and isinstance(value.value, bool) else None


def switches_on(item: ast.withitem, facts: Facts) -> bool:
    """Whether a part of a `with` does nothing but to switch gradients on."""
    return item.optional_vars is None and switched_to(item.context_expr, facts) is True


def needless_switches(source: Source, inside: ast.AST, facts: Facts) -> frozenset[int]:
    """The lines of the `with` blocks in a function or loop, around which gradients are recorded, that switch them on where they are on."""
    found = [n for n in walk(inside) if isinstance(n, ast.With) and any(switches_on(i, facts) for i in n.items)]
    return frozenset(n.lineno for n in found if not _switches_gradients(source.ancestors(n)))


@dataclass
class Switched:
    """A function of which every special running is known. ``whole``: nothing but these calls uses it."""

    function: ast.FunctionDef
    specials: list[Special]
    whole: bool


class Switches:
    """The switched functions of one file. ``others`` reads the text of the project's other files, when that is asked for."""

    def __init__(self, source: Source, roles: Roles, others: Callable[[], str]) -> None:
        self.source = source
        self.roles = roles
        self.others = others
        names: Counter[str] = Counter(f.name for f in source.functions)
        self.by_name = {f.name: f for f in source.functions if names[f.name] == 1 and isinstance(f, ast.FunctionDef)}
        self.bound = {n.id for n in source.all(ast.Name) if not isinstance(n.ctx, ast.Load)}
        self.bound |= {a.arg for a in source.all(ast.arg)}

    def find(self) -> list[Switched]:
        """Those of which at least one call surely trains, outermost first."""
        found = []
        for function in self.by_name.values():
            if self._is_plain(function) and self.trains(function):
                switched = self._switched(function)
                if switched is not None:
                    found.append(switched)
        return sorted(found, key=lambda s: s.function.lineno)

    # ---- functions and their calls

    def _is_plain(self, function: ast.FunctionDef) -> bool:
        parent = self.source.parents[function]
        if function.decorator_list or function.args.vararg or function.args.kwarg:
            return False
        if isinstance(parent, ast.ClassDef):
            return bool(function.args.args) and not function.name.endswith("__")
        if self.source.in_class(function) is None and isinstance(parent, ast.Module):
            return function.name not in self.bound
        return isinstance(parent, ast.FunctionDef) and function.name not in self.bound

    def owner(self, function: ast.FunctionDef) -> ast.ClassDef | None:
        """The class whose method the function is."""
        parent = self.source.parents[function]
        return parent if isinstance(parent, ast.ClassDef) else None

    def called(self, call: ast.Call) -> ast.FunctionDef | None:
        """The function of the file that a call surely runs."""
        match call.func:
            case ast.Name(id=name):
                function = self.by_name.get(name)
                known_here = function is not None and self.owner(function) is None and self._is_plain(function)
                return function if known_here else None
            case ast.Attribute(value=receiver, attr=name):
                function = self.by_name.get(name)
                owner = self.owner(function) if function is not None else None
                if function is None or owner is None or not self._is_plain(function):
                    return None
                return function if self._is_object_of(receiver, owner, call) else None
        return None

    def _is_object_of(self, receiver: ast.expr, owner: ast.ClassDef, call: ast.Call) -> bool:
        if not isinstance(receiver, ast.Name):
            return False
        scope = self.source.scope_of(call)
        while isinstance(scope, ast.FunctionDef):
            parent = self.source.parents[scope]
            if isinstance(parent, ast.ClassDef):
                first = [*scope.args.posonlyargs, *scope.args.args][:1]
                if first and first[0].arg == receiver.id:
                    bound = [n for n in walk(scope) if isinstance(n, ast.Name) and n.id == receiver.id]
                    return parent is owner and all(isinstance(n.ctx, ast.Load) for n in bound)
                break
            scope = self.source.scope_of(scope)
        return own_class(self.roles, receiver, self.source.scope_of(call)) is owner

    def argument(self, function: ast.FunctionDef, call: ast.Call, parameter: str) -> ast.expr | None:
        """What a call of the function passes for a parameter."""
        if self.owner(function) is not None:
            assert isinstance(call.func, ast.Attribute)
            call = ast.Call(call.func, [call.func.value, *call.args], call.keywords)
        return bound_argument(function, call, parameter)

    def trains(self, function: ast.FunctionDef, above: tuple[ast.FunctionDef, ...] = ()) -> bool:
        """Whether a backward pass stands in the function or in one that it calls."""
        return any(self._is_training(n, (*above, function)) for n in walk(function))

    def _is_training(self, node: ast.AST, above: tuple[ast.FunctionDef, ...] = ()) -> bool:
        if not isinstance(node, ast.Call):
            return False
        if isinstance(node.func, ast.Attribute) and node.func.attr in _TRAINS:
            return True
        function = self.called(node)
        return function is not None and function not in above and self.trains(function, above)

    # ---- what is known

    def facts(self, function: ast.FunctionDef, call: ast.Call, around: Facts) -> dict[str, Known]:
        """What is known in the function when the call runs it, with ``around`` known where the call stands."""
        found: dict[str, Known] = {}
        bound = bindings(function)
        defaults = [*function.args.defaults, *function.args.kw_defaults]
        names = parameter_names(function)[1:] if self.owner(function) is not None else parameter_names(function)
        for name in names:
            argument = self.argument(function, call, name)
            if argument is None or bound[name] != 1:
                continue
            if argument in defaults and not isinstance(argument, ast.Constant):
                continue
            value = known(argument, around)
            if value is None and self._is_optimizer(argument, call):
                value = AN_OBJECT
            if value is not None:
                found[name] = value
        return self._with_locals(function, found)

    def _with_locals(self, function: ast.FunctionDef, parameters: Facts) -> dict[str, Known]:
        """What is known of the function's own names, too, which depend on its parameters."""
        found, bound = dict(parameters), bindings(function)
        for statement in function.body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if bound[name] == 1:
                    if not isinstance(value, ast.Constant) and (result := known(value, found)) is not None:
                        found[name] = result
        return found

    def _is_optimizer(self, argument: ast.expr, call: ast.Call) -> bool:
        if not isinstance(argument, ast.Name | ast.Attribute):
            return False
        parts = sources(Value(argument, self.source.scope_of(call), self.roles))
        return bool(parts) and all(
            isinstance(p.node, ast.Call) and p.roles.full_name(p.node.func).startswith("torch.optim.") for p in parts
        )

    def alive(self, function: ast.FunctionDef, facts: Facts) -> Iterator[tuple[ast.AST, bool]]:
        """Every node that runs yet when the facts hold, and whether a test that they decide led to it."""
        yield from self._alive(function.body, facts, False)

    def _alive(self, body: list[ast.stmt], facts: Facts, decided: bool) -> Iterator[tuple[ast.AST, bool]]:
        for statement in body:
            held = truth(statement.test, facts) if isinstance(statement, ast.If) else None
            if held is not None:
                assert isinstance(statement, ast.If)
                branch = statement.body if held else statement.orelse
                yield from self._alive(branch, facts, True)
                if branch and isinstance(branch[-1], _ENDS):
                    return
                continue
            inner = list(blocks(statement))
            if not inner or isinstance(statement, ast.FunctionDef | ast.ClassDef):
                yield from ((node, decided) for node in walk(statement))
            else:
                held_below = {id(n) for block in inner for s in block for n in walk(s)}
                yield from ((node, decided) for node in walk_scope(statement) if id(node) not in held_below)
                for block in inner:
                    yield from self._alive(block, facts, decided)
            if isinstance(statement, _ENDS):
                return

    def running(self, function: ast.FunctionDef, facts: Facts, above: tuple[ast.AST, ...] = ()) -> tuple[bool, bool]:
        """Whether the function trains when the facts hold, and whether they decide that or what stands around it."""
        alive = list(self.alive(function, facts))
        ids = {id(node) for node, _decided in alive}
        trains = False
        switched = any(
            self._is_training(node) for node in walk(function) if isinstance(node, ast.Call) and id(node) not in ids
        )
        for node, decided in alive:
            if not self._is_training(node):
                continue
            assert isinstance(node, ast.Call)
            inner = self.called(node)
            if inner is None or inner in above or inner is function:
                trains, switched = True, switched or decided
                continue
            through = self.running(inner, self.facts(inner, node, facts), (*above, function))
            trains = trains or through[0]
            passed = through[1] and not self.running(inner, self.facts(inner, node, {}), (*above, function))[1]
            switched = switched or passed or (decided and through[0])
        return trains, switched

    # ---- how a function is run

    def never_trains(self, function: ast.FunctionDef, training: list[ast.expr]) -> bool:
        """Whether calls run the function, and none of them comes to the training in it."""
        if not self._is_plain(function) or not self._calls(function):
            return False
        runs = self.runs(function)
        dead = [{id(n) for n, _decided in self.alive(function, facts)}.isdisjoint(map(id, training)) for facts in runs]
        return all(dead) and not self._used_otherwise(function, self._calls(function))

    def _calls(self, function: ast.FunctionDef) -> list[ast.Call]:
        """The calls that may run the function: for a method those of its name, whatever has it."""
        if self.owner(function) is None:
            return [call for call in self.source.calls if self.called(call) is function]
        return [c for c in self.source.calls if isinstance(c.func, ast.Attribute) and c.func.attr == function.name]

    def runs(self, function: ast.FunctionDef, below: tuple[ast.AST, ...] = ()) -> list[Facts]:
        """What is known each time that the function may be run; nothing is known in a run that the file does not show."""
        calls = self._calls(function)
        if not calls or function in below or self._used_otherwise(function, calls):
            return [{}]
        found: list[Facts] = []
        for call in calls:
            scope = self.source.scope_of(call)
            around: list[Facts] = [{}]
            if isinstance(scope, ast.FunctionDef) and self._is_plain(scope):
                around = self.runs(scope, (*below, function))
                around = [f for f in around if id(call) in {id(n) for n, _decided in self.alive(scope, f)}]
            found += [self.facts(function, call, facts) for facts in around]
        return found

    # ---- one function

    def _switched(self, function: ast.FunctionDef) -> Switched | None:
        specials: list[Special] = []
        if self.owner(function) is not None and self._is_named_elsewhere(function):
            return None  # a class there may have another method of this name
        for call in self.source.calls:
            if self.called(call) is not function:
                continue
            if function in self.source.ancestors(call):
                return None
            facts = self.facts(function, call, {})
            trains, switched = self.running(function, facts)
            if not switched and not (trains and self._in_a_loop(call) and self._returns_early(function)):
                continue
            if trains and self._without_gradients(call):
                return None
            facts = self._needed(function, facts, trains) if switched else {}
            same = next((s for s in specials if repr(s.facts) == repr(facts)), None)
            if same is None:
                same = Special(function, facts, frozenset(parameter_names(function)) & set(facts), trains, self)
                specials.append(same)
            same.calls.append(call)
        if not any(s.trains for s in specials):
            return None
        for special in specials:
            special.result = self._result(special)
        calls = [c for s in specials for c in s.calls]
        return Switched(function, specials, not self._used_otherwise(function, calls))

    def _in_a_loop(self, call: ast.Call) -> bool:
        """Whether a call runs in a loop of its own function: one that runs once need not stand in a hook."""
        for ancestor in self.source.ancestors(call):
            if isinstance(ancestor, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                return False
            if isinstance(ancestor, ast.For | ast.While):
                return True
        return False

    def _returns_early(self, function: ast.FunctionDef) -> bool:
        """Whether a `return` ends a branch of the function, and none stands in a loop or another block."""
        found = [n for n in walk_scope(function.body) if isinstance(n, ast.Return)]
        if all(node is function.body[-1] for node in found):
            return False
        return all(_ends_a_branch(self.source, node, function) for node in found)

    def _result(self, special: Special) -> str:
        """The name to which the function gives what it returns."""
        parents = [self.source.parents[call] for call in special.calls]
        if all(isinstance(parent, ast.Expr) for parent in parents):
            return ""
        names = {n.id for n in walk(special.function) if isinstance(n, ast.Name)}
        names |= set(parameter_names(special.function))
        targets = [t.id for p in parents if isinstance(p, ast.Assign) for t in p.targets if isinstance(t, ast.Name)]
        return next((name for name in (*targets[:1], "result", "returned") if name not in names), "result_")

    def _needed(self, function: ast.FunctionDef, facts: dict[str, Known], trains: bool) -> dict[str, Known]:
        """The facts without those that decide nothing: numbers and texts that are just passed stay as they are."""
        names = parameter_names(function)
        kept = {n: f for n, f in facts.items() if n in names}
        whole = self._decided(function, facts)
        for name in list(kept):
            less = {n: f for n, f in kept.items() if n != name}
            known_then = self._with_locals(function, less)
            if self._decided(function, known_then) == whole and self.running(function, known_then) == (trains, True):
                kept = less
        return self._with_locals(function, kept)

    def lasts(self, node: ast.expr, function: ast.FunctionDef) -> bool:
        """Whether nothing that may run while the function does binds the expression anew."""
        match node:
            case ast.Constant(value=str() | bool() | int() | None):
                return True
            case ast.Name(id=name):
                if name in parameter_names(function):
                    return bindings(function)[name] == 1
                bound = [n for n in self.source.all(ast.Name) if n.id == name and not isinstance(n.ctx, ast.Load)]
                return len(bound) == 1 and not any(a.arg == name for a in self.source.all(ast.arg))
            case ast.Attribute(value=ast.Name(id=receiver), attr=name):
                placed = [
                    a for a in self.source.all(ast.Attribute) if a.attr == name and not isinstance(a.ctx, ast.Load)
                ]
                plain = bool(placed) and all(f.name != name for f in self.source.functions)
                return (
                    plain
                    and receiver == self._own_object(function)
                    and all(getattr(self.source.scope_of(a), "name", "") == "__init__" for a in placed)
                )
        return False

    def _own_object(self, function: ast.FunctionDef) -> str:
        """What the method that the function is, or stands in, calls its object; "" when it is no method."""
        around = [function, *self.source.ancestors(function)]
        method = next((a for a in around if isinstance(self.source.parents.get(a), ast.ClassDef)), None)
        if not isinstance(method, ast.FunctionDef) or not method.args.args:
            return ""
        name = method.args.args[0].arg
        return name if bindings(method)[name] == 1 else ""

    def is_model(self, node: ast.expr, function: ast.FunctionDef) -> bool:
        """Whether the expression is made as a module, wherever that is seen."""
        if self.roles.of(node, function) is Role.MODEL:
            return True
        owner = self.owner(function)
        match node:
            case ast.Attribute(value=ast.Name(id=receiver), attr=name) if owner is not None:
                first = function.args.args[0].arg
                made = [
                    s.value
                    for s in walk(owner)
                    if isinstance(s, ast.Assign)
                    and any(isinstance(t, ast.Attribute) and t.attr == name for t in s.targets)
                ]
                return receiver == first and any(
                    self.roles.of(value, self.source.scope_of(value)) is Role.MODEL for value in made
                )
        return False

    def records(self, node: ast.AST, above: tuple[ast.AST, ...] = ()) -> bool:
        """Whether gradients are surely recorded when a node of the file runs."""
        if any(isinstance(s.value, ast.Call) and _names_gradients(s.value) for s in self.source.all(ast.Expr)):
            return False
        around = list(self.source.ancestors(node))
        if _switches_gradients(around):
            return False
        function = next((a for a in around if isinstance(a, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)), None)
        if function is None:
            return True
        if function in above:
            return True
        if isinstance(function, ast.Lambda):
            return False
        name = function.name
        calls = [c for c in self.source.calls if dotted(c.func).rpartition(".")[2] == name]
        return bool(calls) and all(self.records(call, (*above, function)) for call in calls)

    def _without_gradients(self, node: ast.AST, below: tuple[ast.AST, ...] = ()) -> bool:
        """Whether a block or a decorator around the node, or around a call that leads to it, switches gradients."""
        around = list(self.source.ancestors(node))
        if _switches_gradients(around):
            return True
        function = next((a for a in around if isinstance(a, ast.FunctionDef)), None)
        if function is None or function in below:
            return False
        return any(self._without_gradients(call, (*below, function)) for call in self._calls(function))

    def _decided(self, function: ast.FunctionDef, facts: Facts) -> list[tuple[int, int, bool]]:
        tests = (n for n in walk(function) if isinstance(n, ast.If | ast.IfExp))
        found = ((t.lineno, t.col_offset, truth(t.test, facts)) for t in tests)
        return [(line, column, held) for line, column, held in found if held is not None]

    def _used_otherwise(self, function: ast.FunctionDef, calls: list[ast.Call]) -> bool:
        """Whether anything but these calls uses the function, here or in the project's other files."""
        own = {id(call.func) for call in calls}
        name = function.name
        is_method = self.owner(function) is not None
        uses = [n for n in self.source.all(ast.Attribute) if n.attr == name] if is_method else []
        names = [n for n in self.source.all(ast.Name) if n.id == name] if not is_method else []
        if any(id(use) not in own for use in (*uses, *names)):
            return True
        if self._reads_names and any(c.value == name for c in self.source.all(ast.Constant)):
            return True
        return self._is_named_elsewhere(function)

    @functools.cached_property
    def _reads_names(self) -> bool:
        """Whether the file has what finds a function by a text: elsewhere "train" is only the name of a mode."""
        words = {n.id for n in self.source.all(ast.Name)} | {n.attr for n in self.source.all(ast.Attribute)}
        imported = {a.name for i in self.source.all(ast.ImportFrom) for a in i.names}
        return not _BY_TEXT.isdisjoint(words | imported) or any("fire" in word.lower() for word in words | imported)

    def _is_named_elsewhere(self, function: ast.FunctionDef) -> bool:
        return re.search(rf"\b{re.escape(function.name)}\b", self.others()) is not None


def bindings(tree: ast.AST) -> Counter[str]:
    """How often each name is bound in the function, its parameters and whatever is nested in it included."""
    found: Counter[str] = Counter()
    for node in walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                found[name] += 1
            case ast.arg(arg=name):
                found[name] += 1
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) if node is not tree:
                found[name] += 1
            case (
                ast.ExceptHandler(name=str() as name)
                | ast.MatchAs(name=str() as name)
                | ast.MatchStar(name=str() as name)
            ):
                found[name] += 1
            case ast.alias(name=name, asname=asname):
                found[(asname or name).split(".")[0]] += 1
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                found.update(dict.fromkeys(names, 2))
    return found


def _ends_a_branch(source: Source, node: ast.Return, function: ast.FunctionDef) -> bool:
    for ancestor in source.ancestors(node):
        if not isinstance(ancestor, ast.If):
            return ancestor is function
    return False


def _switches_gradients(around: Iterable[ast.AST]) -> bool:
    """Whether something around a node, up to its file, may switch gradients."""
    for node in around:
        if isinstance(node, ast.With) and any(_names_gradients(i.context_expr) for i in node.items):
            return True
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(map(_names_gradients, node.decorator_list)):
            return True
    return False


def _names_gradients(node: ast.expr) -> bool:
    name = dotted(node.func if isinstance(node, ast.Call) else node).rpartition(".")[2]
    return name in ("no_grad", "inference_mode", "set_grad_enabled", "enable_grad")
