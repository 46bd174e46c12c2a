"""Finds the one statement that wraps the model, and what it asks of the wrapper."""

from __future__ import annotations

import ast
from collections.abc import Container
from dataclasses import dataclass

from ..recover.nest import Nest
from ..recover.opposites import opposite
from ..recover.roles import Key, Roles
from ..recover.state_names import is_attribute
from ..recover.syntax import Source, dotted, walk
from .arms import in_one_test, meets, raises
from .callers import wraps_before
from .compiled import compiled_with_wrapper
from .hindrances import Hindrance, Hindrances, unfoldable
from .own_device import is_own_device

WRAPPERS = {
    "torch.nn.parallel.DistributedDataParallel",
    "torch.nn.parallel.distributed.DistributedDataParallel",
}
_DEVICE = {"device_ids", "output_device"}
_PASSED_ON = {"broadcast_buffers", "bucket_cap_mb", "gradient_as_bucket_view", "static_graph", "find_unused_parameters"}
_OWN_DEVICE = "let each process take the GPU of its number on the machine, and choose GPUs by CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True, slots=True)
class Wrap:
    """``wrapped = DDP(inner, ...)``."""

    call: ast.Call
    statement: ast.Assign
    key: Key
    branch: ast.If | None
    """The innermost `if` around it that does not stand around the loop as well."""
    test: str
    """The condition under which it is wrapped, as source; "" for always."""
    tests: frozenset[str]
    """The parts of that condition: where one does not hold, the model is not wrapped."""
    strategy: str
    names: frozenset[str]
    twin: ast.Assign | None = None
    """The same in the other arm of ``choice``, which names other devices alone."""
    choice: ast.If | None = None

    @property
    def statements(self) -> list[ast.Assign]:
        """All that wrap the model."""
        return [self.statement] if self.twin is None else [self.statement, self.twin]

    @property
    def calls(self) -> list[ast.Call]:
        """All calls that make the wrapper."""
        return [s.value for s in self.statements if isinstance(s.value, ast.Call)]

    @property
    def inner(self) -> ast.expr:
        """What is wrapped."""
        return self.call.args[0]


def find_wrap(
    source: Source, roles: Roles, nest: Nest, wanted: Container[str], hindrances: Hindrances, joined: bool = False
) -> Wrap | None:
    """The wrapping of the nest's model; None when the file has none. Raises Unfoldable when it cannot be looked at any further.

    ``joined``: a process may train on any device.
    """
    calls = [c for c in source.calls if roles.full_name(c.func) in WRAPPERS]
    if not calls:
        return None
    call = calls[0]
    statement = source.parents[call]
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]):
            pass
        case _:
            raise unfoldable(
                call.lineno, "the wrapper is no plain variable", "give the wrapped model a variable of its own"
            )
    scope = source.scope_of(statement)
    twin, choice = _twin(source, statement, calls)
    if len(calls) > 1 and choice is None:
        hindrances.add(_several(calls))
    if (after := compiled_with_wrapper(source, roles, statement)) is not None:
        hindrances.add(after)
    key = roles.key(scope, name)
    if key is None or len(call.args) != 1 or isinstance(call.args[0], ast.Starred):
        raise unfoldable(call.lineno, "the wrapper has other arguments", "give the wrapper the model and keywords only")
    in_method = source.view is not None and is_attribute(name) and source.view.method(scope) == "__init__"
    beside = wraps_before(source, statement, nest, wanted)
    if not (beside or in_method):
        hindrances.add(
            Hindrance(
                call.lineno,
                "the model is not wrapped in the function of the training loop",
                "wrap it in the function that runs the epochs, or in one that calls that function once",
            )
        )
    if not joined:
        with hindrances:
            _check_devices(source, roles)
    names, tests, strategy = frozenset[str](), list[tuple[ast.If, ast.expr]](), ""
    with hindrances:
        names = _names_of_wrapper(source, roles, calls)
    with hindrances:
        tests = _tests(source, nest, choice or statement) if len(calls) == 1 or choice is not None else []
    with hindrances:
        strategy, *others = [_strategy(source, roles, one, joined) for one in calls]
        if choice is not None and others != [strategy]:
            hindrances.add(_several(calls))
    branch = tests[0][0] if tests else None
    parts = [t for _, t in tests]
    told = frozenset(map(ast.unparse, parts))
    return Wrap(call, statement, key, branch, in_one_test(parts), told, strategy, names, twin, choice)


def _twin(source: Source, first: ast.Assign, calls: list[ast.Call]) -> tuple[ast.Assign | None, ast.If | None]:
    """The statement that wraps the same model under the same name in the other arm of an `if`, and that `if`."""
    other = source.parents[calls[1]] if len(calls) == 2 and source.view is None else None
    if not isinstance(other, ast.Assign) or other.value is not calls[1] or len(calls[1].args) != 1:
        return None, None
    same = ast.unparse(first.targets[0]) == ast.unparse(other.targets[0]) and len(other.targets) == 1
    choice = meets(source, first, [other])
    if choice is None or not same or _moved(calls[0].args[0]) != _moved(calls[1].args[0]):
        return None, None
    return other, choice


def _check_devices(source: Source, roles: Roles) -> None:
    """A process may train on no other device than that of its number, which is Lightning's."""
    for call in source.calls:
        if roles.full_name(call.func) == "torch.cuda.set_device" and call.args:
            if not is_own_device(source, roles, call.args[0]):
                raise unfoldable(call.lineno, f"`{ast.unparse(call)}` may choose another GPU", _OWN_DEVICE)


def _moved(node: ast.expr) -> str:
    """What is wrapped, wherever it is put, as source."""
    match node:
        case ast.Call(func=ast.Attribute(value=value, attr="to" | "cuda")):
            return _moved(value)
    return ast.unparse(node)


def _several(calls: list[ast.Call]) -> Hindrance:
    """What several wrappers are: of several models, or of one that is wrapped in this way or in that."""
    line = calls[1].lineno
    wrapped = {_moved(c.args[0]) if c.args else "" for c in calls}
    ways = sorted({", ".join(ast.unparse(k) for k in c.keywords) or "no more arguments" for c in calls})
    if len(wrapped) > 1 or "" in wrapped:
        remedy = "put them into one module with one `forward`, and wrap that"
        return Hindrance(line, "several models are wrapped", remedy)
    name = wrapped.pop()
    if len(ways) > 1:
        several = f"`{name}` is wrapped in several ways ({'; or '.join(ways)}), and the strategy would be one"
        return Hindrance(line, several, "wrap it in one line for every device: `device_ids` may be None")
    return Hindrance(line, f"`{name}` is wrapped in several places", "wrap it in one place")


def _names_of_wrapper(source: Source, roles: Roles, calls: list[ast.Call]) -> frozenset[str]:
    """The imported names of the wrapper's class; it may be mentioned once, where the model is wrapped."""
    names = frozenset(n for n, origin in roles.origins.items() if origin in WRAPPERS)
    inside = {id(n) for call in calls for n in walk(call.func)}
    for node in walk(source.tree):
        mention = isinstance(node, ast.Name) and node.id in names
        mention = mention or (isinstance(node, ast.Attribute) and node.attr == "DistributedDataParallel")
        if mention and id(node) not in inside and not _is_asked(source.parents[node]):
            raise unfoldable(
                getattr(node, "lineno", 0),
                "the script asks for the wrapper's class",
                "ask no `isinstance` of the wrapper's class; use `hasattr(model, 'module')`",
            )
    return names


def _is_asked(parent: ast.AST) -> bool:
    """Whether a class is named to ask if something is one: whatever may be the wrapper is followed there."""
    return isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and parent.func.id == "isinstance"


def _tests(source: Source, nest: Nest, statement: ast.stmt) -> list[tuple[ast.If, ast.expr]]:
    """Every `if` around the wrapping, the innermost first, with what holds where it wraps, but for those around the loop.

    One whose other arm surely raises is none: what follows only runs where the model is wrapped.
    """
    around = set(source.ancestors(nest.outermost))
    own = [a for a in source.ancestors(statement) if a not in around]
    scope = source.scope_of(statement)
    elsewhere = scope in own
    if elsewhere:
        own = own[: own.index(scope)]
    found, below, passed = list[tuple[ast.If, ast.expr]](), statement, 0
    for branch in own:
        if not isinstance(branch, ast.If) or not _is_flag(source, branch.test, branch):
            break
        inside = below in branch.body
        if not raises(branch.orelse if inside else branch.body):
            found.append((branch, branch.test if inside else opposite(branch.test)))
        passed += 1
        below = branch
    named = [n for branch, _ in found for n in walk(branch.test) if isinstance(n, ast.Name)]
    if passed == len(own) and (not elsewhere or all(is_attribute(n.id) for n in named)):
        return found
    raise unfoldable(
        statement.lineno,
        "the model is wrapped under a condition that is no plain flag",
        "wrap under a plain flag, such as `if args.distributed:`, or always",
    )


def _is_flag(source: Source, test: ast.expr, branch: ast.If) -> bool:
    """Whether a condition is as true where the Trainer is made as it is here."""
    match test:
        case ast.Constant():
            return True
        case ast.Name() | ast.Attribute():
            return bool(dotted(test)) and not _is_set_after(source, test, branch)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _is_flag(source, operand, branch)
        case ast.BoolOp(values=values):
            return all(_is_flag(source, v, branch) for v in values)
        case ast.Compare(left=left, comparators=[right]):
            return _is_flag(source, left, branch) and _is_flag(source, right, branch)
        case ast.Call(args=[], keywords=[]):
            return dotted(test.func).rpartition(".")[2] in ("is_initialized", "is_available")
    return False


def _is_set_after(source: Source, test: ast.expr, branch: ast.If) -> bool:
    """Whether the flag may have another value when the Trainer is made."""
    name = dotted(test).rpartition(".")[2]
    scope = source.scope_of(branch)
    anywhere = is_attribute(name)  # of the object, which other methods may change as well
    for node in walk(source.tree if anywhere else scope):
        stores = isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del)
        if not stores or dotted(node).rpartition(".")[2] != name:
            continue
        if getattr(node, "lineno", 0) > branch.lineno or source.scope_of(node) is not scope:
            return True
    return False


def _strategy(source: Source, roles: Roles, call: ast.Call, joined: bool) -> str:
    """The Trainer's strategy that wraps as the script does, with ``{lightning}`` for Lightning's name."""
    passed: list[str] = []
    for keyword in call.keywords:
        if keyword.arg in _DEVICE:
            if not joined and not is_own_device(source, roles, keyword.value):
                raise unfoldable(
                    call.lineno,
                    f"`{keyword.arg}` may name another device than Lightning's",
                    _OWN_DEVICE,
                )
        elif keyword.arg in _PASSED_ON and isinstance(keyword.value, ast.Constant):
            passed.append(f"{keyword.arg}={keyword.value.value!r}")
        else:
            raise unfoldable(
                call.lineno,
                f"`{keyword.arg or '**'}` of the wrapper is not known before the script runs",
                "write the argument's value here as a constant, or leave it out",
            )
    passed = [p for p in passed if p != "find_unused_parameters=False"]
    if not passed:
        return '"ddp"'
    if passed == ["find_unused_parameters=True"]:
        return '"ddp_find_unused_parameters_true"'
    return f"{{lightning}}.pytorch.strategies.DDPStrategy({', '.join(passed)})"
