"""Follows the wrapped model through the file: every use must mean the same without the wrapper."""

from __future__ import annotations

import ast

from ..recover.items import grad_mode
from ..recover.names import parameter_names
from ..recover.nest import Nest
from ..recover.opposites import opposite
from ..recover.project_text import SETTINGS
from ..recover.roles import Key, Roles, bound_argument
from ..recover.state_names import WHOLE, is_attribute, plain
from ..recover.syntax import Scope, Source, dotted
from .arms import apart, holding, parts_of
from .callers import runs_behind
from .elsewhere import trains_when_made
from .hindrances import Hindrance, Hindrances, Unfoldable, unfoldable
from .moments import Moment, Timeline, skipped_at
from .quiet_reads import LISTS, reads_values
from .through import asks_for_wrapper, is_load, is_state, only_gives
from .wrap import WRAPPERS, Wrap

_SAME_CALLS = {"parameters", "train", "eval", "zero_grad", "to", "cuda", "cpu"}
_CHAINED = {"train", "eval", "to", "cuda", "cpu"}
"""Methods that answer the wrapper itself."""
_BARE_CALLS = _SAME_CALLS | {
    "state_dict",
    "load_state_dict",
    "named_parameters",
    "modules",
    "named_modules",
    "children",
    "named_children",
    "buffers",
    "named_buffers",
}
_LOOKS = {"id", "type"}
_AVERAGED = (
    "gradients of several batches are averaged at once",
    "run one backward pass per step, and give the Trainer its accumulation",
)
_OF_WRAPPER = {
    "no_sync": _AVERAGED,
    "require_backward_grad_sync": _AVERAGED,
    "join": (
        "processes with fewer batches wait for the others (`join`), which Lightning's do not",
        "give every process as many batches, as DistributedSampler does",
    ),
}
"""What only the wrapper has: why it stays, and what to change."""
_BEFORE = frozenset([Moment.BEFORE])
_RANKS = ("rank", "main_process", "is_master", "is_main", "master")


class Uses:
    """All uses of the wrapper and of the model in it that come after the wrapping."""

    def __init__(self, source: Source, roles: Roles, wrap: Wrap, nest: Nest, hindrances: Hindrances) -> None:
        self.hindrances = hindrances
        self.nest = nest
        self.source = source
        self.roles = roles
        self.wrap = wrap
        self.wrapped: set[Key] = set()
        self.bare: set[Key] = set()
        self.forwards: list[ast.Call] = []
        self.bare_forwards: list[ast.Call] = []
        self.unwrapped: list[ast.Attribute] = []
        """The reads of ``.module``."""
        self.other_value = False
        """The variable of the wrapper has another value where the model is not wrapped."""
        self.states: list[ast.Call] = []
        """The calls of ``state_dict`` and ``load_state_dict`` through the wrapper."""
        self.choices: list[ast.IfExp] = []
        """Choices of the model, whether it is wrapped or not."""
        self.timeline: Timeline | None = None
        """For a model that a method wraps and another one trains."""
        self.called = wrap.key[0] is not nest.entry.scope
        """The loop stands in a function that is called behind the wrapping."""
        if self._is_state or self.called:
            self.timeline = Timeline(source, wrap.statement, nest.outermost)

    @property
    def _is_state(self) -> bool:
        """Whether the wrapper is an attribute of the object that is seen plainly."""
        return self.source.view is not None and is_attribute(self.wrap.key[1])

    def follow(self) -> None:
        """Look at every use; those that would mean something else are noted."""
        if self._is_state:
            self._follow_state()
            return
        scope, name = self.wrap.key
        for binding in self.roles.bindings(self.wrap.key):
            again = isinstance(binding.value, ast.Call) and self.roles.full_name(binding.value.func) in WRAPPERS
            never = all(apart(self.source, s, binding.statement) for s in self.wrap.statements)
            self.other_value |= never
            if binding.statement.lineno > self.wrap.statement.lineno and not again and not never:
                self.hindrances.add(_bound_anew(binding.statement, name))
        inner = self.wrap.inner
        held = self.roles.key(scope, inner.id) if isinstance(inner, ast.Name) else None
        self._follow(self.wrap.key, bare=False, after=self.wrap.statement.end_lineno or 0)
        if held is not None:
            if held != self.wrap.key:
                self._follow(held, bare=True, after=self.wrap.statement.end_lineno or 0)
            for alias in self._aliases(held):
                self._follow(alias, bare=True, after=self.wrap.statement.end_lineno or 0)
        self._check_unwrapped()
        if not self.forwards and not self.hindrances.found:
            raise unfoldable(
                self.wrap.statement.lineno, f"`{name}` is never called", "train by calling the wrapped model"
            )

    def _check_unwrapped(self) -> None:
        """What is read by `.module` must be this wrapper's where the variable may hold another one, such as DataParallel."""
        for read in self.unwrapped if self.other_value else ():
            if not self.wrap.tests <= holding(self.source, read):
                reason = f"`{ast.unparse(read)}` is of another wrapper where the model is not wrapped in this one"
                self.hindrances.add(Hindrance(read.lineno, reason, f"ask for `{self.wrap.test}` around it"))

    def _follow_state(self) -> None:
        """The same for a wrapper that is an attribute: whatever has the object may use it."""
        name = self.wrap.key[1]
        scope = self.source.scope_of(self.wrap.statement)
        with self.hindrances:
            self._check_object(plain(name))
        for statement in self.source.all(ast.Assign):
            for target in statement.targets:
                stored = [n for n in ast.walk(target) if isinstance(n, ast.Name) and n.id == name]
                if stored and statement is not self.wrap.statement and self._moments(statement) != _BEFORE:
                    self.hindrances.add(_bound_anew(statement, plain(name)))
        self._follow(self.wrap.key, bare=False, after=0)
        for held in self._held_by(scope):
            if held != self.wrap.key:
                self._follow(held, bare=True, after=0)
        if not self.forwards and not self.hindrances.found:
            raise unfoldable(
                self.wrap.statement.lineno,
                f"`self.{plain(name)}` is never called",
                "train by calling the wrapped model",
            )

    def _check_object(self, attribute: str) -> None:
        """Nothing but what the view shows has the object, and so the wrapper."""
        view, line = self.source.view, self.wrap.statement.lineno
        assert view is not None
        handed = next((n for n in self.source.all(ast.Name) if n.id == WHOLE and isinstance(n.ctx, ast.Load)), None)
        if handed is not None:
            raise unfoldable(
                handed.lineno,
                "other code gets the object that holds the wrapper",
                "hand on what the code needs instead of `self`",
            )
        for node in self.source.all(ast.Attribute):
            if node.attr == attribute and not (isinstance(node.value, ast.Name) and node.value.id in SETTINGS):
                raise unfoldable(
                    node.lineno, f"`{ast.unparse(node)}` may be the wrapper", "give other attributes another name"
                )
        bound = view.bound_outside
        made = view.is_made_here and not view.is_made_elsewhere
        if not made and not view.is_made_here and attribute not in view.mentioned_elsewhere:
            made = trains_when_made(view, view.method(self.nest.entry.scope))
        if not made or bound is None or attribute in bound:
            raise unfoldable(
                line,
                f"another file may use the wrapper in `{attribute}`",
                "make the object and call its training method in this file, once",
            )

    def _held_by(self, scope: Scope) -> list[Key]:
        """All names that hold the model in the wrapper: where it comes from, and what else was given it."""
        first = self._root(self.wrap.inner, scope)
        found = [first] if first is not None else []
        for key in found:
            values = [(key[0], b.value) for b in self.roles.bindings(key)
                      if b.index is None and b.statement is not self.wrap.statement]  # fmt: skip
            values += self.roles.arguments(*key)
            new = [self._root(value, where) for where, value in values]
            for node in self.source.all(ast.Assign):
                where = self.source.scope_of(node)
                early = key != self.wrap.key or self._moments(node) == _BEFORE
                if early and self._root(node.value, where) == key:
                    new += [self.roles.key(where, t.id) for t in node.targets if isinstance(t, ast.Name)]
            found += [k for k in dict.fromkeys(new) if k is not None and k not in found]
        return found

    def _root(self, node: ast.expr, scope: Scope) -> Key | None:
        """The variable whose value an expression gives, perhaps after it was moved."""
        match node:
            case ast.Name(id=name):
                return self.roles.key(scope, name)
            case ast.Call(func=ast.Attribute(value=value, attr=attribute)) if attribute in _CHAINED:
                return self._root(value, scope)
        return None

    def _moments(self, node: ast.AST) -> frozenset[Moment]:
        assert self.timeline is not None
        return self.timeline.of(node)

    def with_gradients(self) -> list[ast.Call]:
        """The calls of the model in other functions than the one that wraps it, outside of every `no_grad` that is seen."""
        found = []
        for call in [*self.forwards, *self.bare_forwards]:
            scope = self.source.scope_of(call)
            around = list(self.source.ancestors(call))
            contexts = [i.context_expr for a in around if isinstance(a, ast.With) for i in a.items]
            contexts += scope.decorator_list if isinstance(scope, ast.FunctionDef) else []
            free = any(grad_mode(context) in ("no_grad", "inference_mode") for context in contexts)
            if scope is not self.wrap.key[0] and not free:
                found.append(call)
        return found

    def holds_already(self, name: str) -> bool:
        """Whether a variable was given the model before it was wrapped, in the function that wraps it."""
        scope = self.wrap.key[0]
        values = [b for b in self.roles.bindings((scope, name)) if b.statement.lineno < self.wrap.statement.lineno]
        held = [
            b for b in values if b.index is None and isinstance(b.value, ast.Name) and b.value.id == self.wrap.key[1]
        ]
        chained = set(self.source.ancestors(self.nest.outermost))
        surely = [b for b in held if self.source.parents[b.statement] in chained]
        last = max((b.statement.lineno for b in values), default=0)
        rebound = [b for b in self.roles.bindings(self.wrap.key) if b.statement is not self.wrap.statement]
        return bool(surely) and surely[-1].statement.lineno == last > max(
            (b.statement.lineno for b in rebound), default=0
        )

    def _aliases(self, held: Key) -> list[Key]:
        """Other names that the model got before it was wrapped."""
        found: list[Key] = []
        for node in self.source.all(ast.Assign):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=value)):
                    scope = self.source.scope_of(node)
                    alias = self.roles.key(scope, name)
                    if alias and self.roles.key(scope, value) == held and alias not in (held, self.wrap.key):
                        found.append(alias)
        return found

    def _follow(self, key: Key, bare: bool, after: int) -> None:
        known = self.bare if bare else self.wrapped
        if key in known:
            return
        if key in (self.wrapped if bare else self.bare):
            raise unfoldable(
                self.wrap.statement.lineno,
                f"`{key[1]}` is the wrapper in one place and the model in another",
                "give the wrapper a name of its own",
            )
        known.add(key)
        for node in self.source.all(ast.Name):
            if node.id != key[1] or not isinstance(node.ctx, ast.Load):
                continue
            scope = self.source.scope_of(node)
            if self.roles.key(scope, node.id) != key or self._never_meets(node, scope is key[0] and after > 0):
                continue
            if self.timeline is not None:
                moments = self._moments(node)
                if moments == _BEFORE:
                    continue
                if Moment.BEFORE in moments and not bare:
                    raise unfoldable(
                        node.lineno,
                        f"`{plain(key[1])}` is used here before it is wrapped as well as after",
                        "wrap before the first use",
                    )
            if not bare and self._is_unwrapping(node):
                continue
            with self.hindrances:
                self._use(node, bare or self._in_other_branch(node))

    def _never_meets(self, node: ast.AST, in_order: bool) -> bool:
        """Whether a node only runs where the model is not wrapped, or before it is; ``in_order``: in the function that wraps it."""
        line = getattr(node, "lineno", 0)
        return all(
            (in_order and line <= (s.end_lineno or 0)) or apart(self.source, s, node) for s in self.wrap.statements
        )

    def _is_unwrapping(self, node: ast.Name) -> bool:
        """Whether ``hasattr(model, "module")`` asks for the wrapper here, or this is for a model without one, and both are the same."""
        below: ast.AST = node
        for choice in self.source.ancestors(node):
            if isinstance(choice, ast.If | ast.IfExp):
                if asks_for_wrapper(self.roles, choice.test, name := node.id, WRAPPERS):
                    body, orelse = choice.body, choice.orelse
                    bodies = body if isinstance(body, list) else [body]
                    others = orelse if isinstance(orelse, list) else [orelse]
                    text = "\n".join(map(ast.unparse, bodies)).replace(f"{name}.module", name)
                    same = text == "\n".join(map(ast.unparse, others))
                    if same and (given := only_gives(choice, name)) is not None and given not in self.choices:
                        self.choices.append(given)
                    return same and (any(below is n for n in [choice.test, *others]))
            below = choice
        return False

    def _in_other_branch(self, node: ast.AST) -> bool:
        """Whether it stands where the script does not wrap the model."""
        below = node
        for ancestor in self.source.ancestors(node) if self.wrap.tests else ():
            if isinstance(ancestor, ast.If | ast.IfExp):
                arms = [(ancestor.test, ancestor.orelse), (opposite(ancestor.test), ancestor.body)]
                for test, arm in arms:
                    inside = arm is below or (isinstance(arm, list) and below in arm)
                    if inside and parts_of(test) <= self.wrap.tests:
                        return True
            below = ancestor
        return False

    def _use(self, node: ast.expr, bare: bool) -> None:
        parent = self.source.parents[node]
        match parent:
            case ast.Attribute(attr="module") if not bare:
                self.unwrapped.append(parent)
                self._use(parent, bare=True)
            case ast.Attribute():
                self._attribute(node, parent, bare)
            case ast.IfExp(body=body, orelse=orelse) if bare and node in (body, orelse):
                self._use(parent, bare)
            case ast.Call(func=func) if func is node:
                self._not_before_training(node)
                (self.bare_forwards if bare else self.forwards).append(parent)
            case ast.Call():
                self._passed(node, parent, bare)
            case ast.keyword():
                call = self.source.parents[parent]
                if not isinstance(call, ast.Call):
                    raise self._odd(node)
                self._passed(node, call, bare)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is node:
                self._named(node, name, bare)
            case ast.Compare(ops=[ast.Is() | ast.IsNot()], comparators=[ast.Constant(value=None)]):
                pass
            case _:
                raise self._odd(node)

    def _attribute(self, node: ast.expr, parent: ast.Attribute, bare: bool) -> None:
        call = self.source.parents[parent]
        if parent.attr == "training" and isinstance(parent.ctx, ast.Load):
            return
        if bare and isinstance(call, ast.Attribute) and parent.attr not in _BARE_CALLS:
            self._attribute(node, call, bare)  # of a part of the model
            return
        if parent.attr in _OF_WRAPPER and not bare:
            raise unfoldable(node.lineno, *_OF_WRAPPER[parent.attr])
        called = isinstance(call, ast.Call) and call.func is parent
        if isinstance(call, ast.Call) and called and not bare and self._keeps_keys(call, parent.attr):
            self.states.append(call)
            bare = True
        if not called or parent.attr not in (_BARE_CALLS if bare else _SAME_CALLS):
            if bare and self._is_over(node) and isinstance(parent.ctx, ast.Load):
                return
            raise self._other_thing(parent, bare)
        if parent.attr == "load_state_dict" and self._on_one_rank(node):
            raise unfoldable(
                node.lineno,
                "the model is loaded in some of the processes only",
                "load in every process, before the model is wrapped",
            )
        reads = (
            reads_values(self.source, self.roles, call) if parent.attr in LISTS and isinstance(call, ast.Call) else None
        )
        if (reads is None and parent.attr not in (*_SAME_CALLS, "load_state_dict")) or reads:
            self._not_before_training(node)
        if parent.attr in _CHAINED and not isinstance(self.source.parents[call], ast.Expr):
            assert isinstance(call, ast.Call)
            self._use(call, bare)

    def _keeps_keys(self, call: ast.Call, method: str) -> bool:
        """Whether a state that is read or loaded through the wrapper is the bare model's with other keys."""
        if self.wrap.tests or any(isinstance(a, ast.JoinedStr) for a in self.source.ancestors(call)):
            return False
        return (method == "state_dict" and is_state(call)) or (
            method == "load_state_dict" and is_load(self.source, call)
        )

    def _is_over(self, node: ast.expr) -> bool:
        """Whether the training is over, so that no wrapper is around the model: it has what it has without one."""
        return self.source.view is None and runs_behind(self.source, node, self.nest.outermost)

    def _other_thing(self, attribute: ast.Attribute, bare: bool) -> Unfoldable:
        """What is said of an attribute that may be another thing, or compute in another way, without the wrapper."""
        text = ast.unparse(attribute)
        if bare:
            reason = (
                f"`{text}` may compute with the model while it trains, and Lightning has its own wrapper around it then"
            )
            return unfoldable(
                attribute.lineno, reason, "use it before the model is wrapped or when the training is over"
            )
        remedy = "name the bare model here, `model.module`; saved keys then have no `module.` in front"
        return unfoldable(attribute.lineno, f"`{text}` may be another thing without the wrapper", remedy)

    def _not_before_training(self, node: ast.expr) -> None:
        """The values of the model must not be read before Lightning has made them the same everywhere."""
        if self.timeline is not None:
            before = Moment.BETWEEN in self._moments(node)
        else:
            scope, loop = self.wrap.key[0], self.nest.outermost
            before = self.source.scope_of(node) is scope and (
                node.lineno < loop.lineno or skipped_at(self.source, loop, node, scope)
            )
        if before:
            raise unfoldable(
                node.lineno,
                "the model's values are read between the wrapping and the training",
                "read, copy or evaluate the model before it is wrapped",
            )

    def _on_one_rank(self, node: ast.AST) -> bool:
        tests = [ast.unparse(a.test) for a in self.source.ancestors(node) if isinstance(a, ast.If)]
        return any(word in test for test in tests for word in _RANKS)

    def _named(self, node: ast.expr, name: str, bare: bool) -> None:
        scope = self.source.scope_of(node)
        key = self.roles.key(scope, name)
        own = key in self.bare if bare else key in self.wrapped
        if key is None or (not own and not self._only_this(key, scope)):
            raise self._odd(node)
        self._follow(key, bare, 0)

    def _only_this(self, key: Key, scope: Scope) -> bool:
        """Whether a name never holds anything but the model."""
        for binding in self.roles.bindings(key):
            value = binding.value
            for part in [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]:
                root = ast.unparse(part).removesuffix(".module")
                same = root.isidentifier() and self.roles.key(scope, root) in self.wrapped | self.bare
                if binding.index is not None or not same:
                    return False
        return key[0] is scope

    def _passed(self, node: ast.expr, call: ast.Call, bare: bool) -> None:
        name = dotted(call.func)
        if name in _LOOKS or self.roles.full_name(call.func) in WRAPPERS:
            return  # a second wrapping is told of as such
        function = self.source.function(name) if name.isidentifier() else None
        if function is None or not self.called or self._is_state:  # else each use in the function has its own moment
            self._not_before_training(node)
        key = self.roles.key(self.source.scope_of(call), name)
        if function is None or key is None or self.roles.bindings(key):
            raise unfoldable(
                node.lineno,
                f"the model is handed to `{name or ast.unparse(call.func)}`",
                "hand `model.module` to code of this file, or do it before the model is wrapped",
            )
        taken = [p for p in parameter_names(function) if bound_argument(function, call, p) is node]
        if len(taken) != 1 or not all(_is_itself(b.value, taken[0]) for b in self.roles.bindings((function, taken[0]))):
            raise self._odd(node)
        for scope, argument in self.roles.arguments(function, taken[0]):
            self._same_status(argument, scope, bare)
        self._follow((function, taken[0]), bare, 0)

    def _same_status(self, argument: ast.expr, scope: Scope, bare: bool) -> None:
        """Every call of the function must hand it the same, the wrapper or the model in it."""
        text = dotted(argument)
        root, unwrapped = text.removesuffix(".module"), text.endswith(".module")
        key = self.roles.key(scope, root) if root.isidentifier() else None
        inside_bare = unwrapped or key in self.bare
        if key is None or key not in self.wrapped | self.bare or inside_bare != bare:
            raise unfoldable(
                argument.lineno,
                f"a function gets `{ast.unparse(argument)}` in one place and another model elsewhere",
                "hand the function the same one everywhere",
            )

    def _odd(self, node: ast.expr) -> Unfoldable:
        return unfoldable(
            node.lineno,
            f"`{ast.unparse(self.source.parents[node])[:50]}` may need the wrapper",
            "name the bare model here, `model.module`",
        )


def _bound_anew(statement: ast.stmt, name: str) -> Hindrance:
    """The name of the wrapper has another value later on."""
    reason = f"`{name}` gets another value after it is wrapped"
    return Hindrance(statement.lineno, reason, "give the new value another name")


def _is_itself(value: ast.expr, name: str) -> bool:
    """Whether ``model = model.eval()`` gives a name what it has."""
    match value:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=called), attr=attribute)):
            return called == name and attribute in _CHAINED
    return False
