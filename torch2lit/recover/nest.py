"""From the step sites up through loops and calls to the nest: epoch loop, batch loop, step site."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable as Many
from dataclasses import dataclass, field

from ..findings import Finding, finding
from .hand_updates import hand_updates
from .held_steps import held_class, held_step, may_hold_steps, steps_inside
from .loops import Iterable, Loop, describe_any
from .names import parameter_names
from .roles import Role, Roles, bound_argument, spread_argument
from .run_by_lightning import only_hooks_run
from .stepping import STEP_METHODS, optimizer_step
from .syntax import Scope, Source, dotted, remembered, walk, walk_scope
from .whole_steps import may_stay_whole

_LIGHTNING_BASES = ("LightningModule", "LightningDataModule")


@dataclass(eq=False)
class Frame:
    """One running of a scope: the entry scope, or a function as it is called from another frame.

    ``arguments`` gives for each parameter the caller's expression.
    """

    scope: Scope
    caller: Frame | None = None
    call: ast.Call | None = None
    statement: ast.stmt | None = None
    arguments: dict[str, ast.expr] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The function's name, "" for a module."""
        return "" if isinstance(self.scope, ast.Module) else self.scope.name


@dataclass(eq=False)
class Nest:
    """The loops of one training program, outermost frame first.

    ``epochs`` is the loop that the Trainer takes over, None when a function runs over its loader once;
    ``batches`` the loop inside of it, None for a program that steps once per turn of a single loop.
    ``sites`` are the calls that step an optimizer, or, ``by_hand``, what updates the parameters in their place.
    """

    entry: Frame
    inner: Frame
    epochs: Loop | None
    batches: Loop | None
    step_frame: Frame
    backwards: list[ast.Call]
    sites: list[ast.expr]
    by_hand: bool = False
    clearing: list[Frame] = field(default_factory=list)
    """Functions that the batch calls to clear gradients, and that do nothing else."""
    otherwise: Nest | None = None
    """The same training without its epoch loop: the function that holds the batch loop trains each time it is called."""

    @property
    def between(self) -> list[Frame]:
        """The functions through which the epoch loop calls the one that holds the batch loop, outermost first."""
        found: list[Frame] = []
        frame = self.inner.caller
        while frame is not None and frame is not self.entry and self.inner is not self.entry:
            found.insert(0, frame)
            frame = frame.caller
        return found

    @property
    def entered(self) -> list[Frame]:
        """The functions whose bodies the hooks may hold; the entry's own scope where it calls none."""
        return [*self.between, self.inner, self.step_frame, *self.clearing]

    @property
    def steps(self) -> list[ast.Call]:
        """The calls that step an optimizer; none when the script updates its parameters itself."""
        return [] if self.by_hand else [site for site in self.sites if isinstance(site, ast.Call)]

    @property
    def outermost(self) -> ast.For | ast.While:
        """The statement that becomes the Trainer call."""
        loop = self.epochs or self.batches
        assert loop is not None
        return loop.node


@dataclass
class Recovered:
    """What the step sites of a file lead to."""

    nests: list[Nest]
    findings: list[Finding]


def counted_epochs(nest: Nest) -> ast.For | None:
    """The plain loop over a range by which a name counts the epochs, where each runs over batches; None for any other one."""
    epochs = nest.epochs
    if epochs is None or nest.batches is None or epochs.kind is not Iterable.RANGE or epochs.bar:
        return None
    loop = epochs.node
    plain = isinstance(loop, ast.For) and not loop.orelse and isinstance(loop.target, ast.Name)
    return loop if plain and isinstance(loop, ast.For) else None


def step_calls(scope: Scope, roles: Roles) -> tuple[list[ast.Call], list[ast.Call]]:
    """The ``backward()`` calls and the optimizer's ``step()`` calls in one scope, in source order."""
    backwards: list[ast.Call] = []
    steps: list[ast.Call] = []
    inside: list[ast.Call] = []
    perhaps: list[ast.Call] = []
    for node in walk_scope(scope.body):
        if not isinstance(node, ast.Call):
            continue
        held = held_step(roles, node, scope)
        backwards += [node] if held[0] else []
        steps += [node] if held[1] else []
        if not isinstance(node.func, ast.Attribute) or any(held):
            continue
        if node.func.attr in ("backward", "manual_backward"):
            backwards.append(node)
        elif node.func.attr in STEP_METHODS and not _is_unpacked(node, roles):
            certain = optimizer_step(roles, node, scope)
            if certain:
                steps.append(node)
            elif certain is None:
                perhaps.append(node)
            elif steps_inside(roles, node, scope):
                inside.append(node)
    steps += _alone(roles.source, scope, perhaps, steps)
    steps = steps or (inside if backwards else [])
    return sorted(backwards, key=_position), sorted(steps, key=_position)


def _alone(source: Source, scope: Scope, perhaps: list[ast.Call], steps: list[ast.Call]) -> list[ast.Call]:
    """The steps of unknown objects in loops in which no known optimizer steps: something has to."""
    taken = {_outermost(source, call, scope) for call in steps}
    return [call for call in perhaps if _outermost(source, call, scope) not in taken]


def _outermost(source: Source, call: ast.Call, scope: Scope) -> ast.AST | None:
    return next(iter(enclosing_loops(source, call, scope)), None)


def _is_unpacked(call: ast.Call, roles: Roles) -> bool:
    """Whether what the call gives is taken apart, as of an environment's ``step``: an optimizer gives a loss or nothing."""
    parent = roles.source.parents.get(call)
    return isinstance(parent, ast.Assign) and any(isinstance(t, ast.Tuple) for t in parent.targets)


@remembered
def _handed(scope: ast.AST) -> frozenset[str]:
    """The names that a scope hands to something's ``step``; asked for every function in it, so looked for once."""
    return frozenset(
        argument.id
        for node in walk_scope(scope.body)  # type: ignore[attr-defined]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "step"
        for argument in [*node.args, *(k.value for k in node.keywords)]
        if isinstance(argument, ast.Name)
    )


def _closures(source: Source, scope: Scope) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions defined in a scope that are handed to an optimizer's ``step``."""
    handed = _handed(scope)
    return [f for f in source.functions if f.name in handed and source.scope_of(f) is scope] if handed else []


def _is_closure(source: Source, scope: Scope) -> bool:
    return not isinstance(scope, ast.Module) and scope.name in _handed(source.scope_of(scope))


def _in_closures(source: Source, scope: Scope, steps: list[ast.Call]) -> list[ast.Call]:
    """The ``backward()`` calls in closures that the scope's own steps run."""
    if not any(call.args or call.keywords for call in steps):
        return []
    return [
        node
        for function in _closures(source, scope)
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "backward"
    ]


def _position(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset


def recover_nests(source: Source, roles: Roles) -> Recovered:
    """Find every nest of a file. A step site that cannot be followed to its loops leaves a finding of severity refused."""
    result = Recovered([], [])
    scopes: list[Scope] = [source.tree, *source.functions]
    lonely: list[tuple[Scope, Finding]] = []
    stepped = False
    held: set[tuple[ast.ClassDef, str]] | None = None
    step_elsewhere = functools.cache(functools.partial(_steps_elsewhere, source, roles))
    for scope in scopes:
        if _is_closure(source, scope):
            continue
        backwards, steps = step_calls(scope, roles)
        backwards += _in_closures(source, scope, steps)
        if not backwards:
            continue
        if (
            _inside_lightning(source, scope)
            or only_hooks_run(source, scope)
            or any(b.func.attr == "manual_backward" for b in backwards if isinstance(b.func, ast.Attribute))
        ):
            continue
        if not steps:
            if not isinstance(scope, ast.Module) and (owner := source.in_class(scope)) is not None:
                if step_elsewhere(owner):
                    line = backwards[0].lineno
                    result.findings.append(
                        finding(
                            "loop-in-class",
                            line,
                            f"the training step is in methods of class `{owner.name}`",
                            about=owner.name,
                        )
                    )
                continue
            lonely.append((scope, _no_step(backwards[0])))
            continue
        if _never_trains(source, roles, scope, [*backwards, *steps]):
            continue
        stepped = True
        owner = source.in_class(scope) if not isinstance(scope, ast.Module) else None
        if owner is not None and held is None:
            held = _held(source, roles)
        if owner is not None and (owner, getattr(scope, "name", "")) in (held or ()):
            continue
        if owner is not None:
            line = steps[0].lineno
            result.findings.append(
                finding(
                    "loop-in-class",
                    line,
                    f"the training step is in a method of class `{owner.name}`",
                    end_line=line,
                    about=owner.name,
                )
            )
            continue
        found = _climb(source, roles, Frame(scope), backwards, [*steps], result.findings)
        if isinstance(found, Finding):
            if not _rests_beside_lightning(source, scope):
                result.findings.append(found)
        else:
            result.nests.extend(found)
    if not stepped and not result.findings:
        _find_hand_updates(source, roles, [scope for scope, _told in lonely], result)
    raw = [scope for scope in scopes if lonely and not _inside_lightning(source, scope)]
    if stepped or any(step_calls(scope, roles)[1] for scope in raw):
        result.findings.extend(told for scope, told in lonely if not _is_part_of(result.nests, scope))
    return result


def _find_hand_updates(source: Source, roles: Roles, scopes: list[Scope], result: Recovered) -> None:
    """The nests of a file without optimizers that updates its parameters itself."""
    if any(ast.unparse(b).endswith(_LIGHTNING_BASES) for c in source.classes.values() for b in c.bases):
        return  # it trains already, and what is left is no training
    for scope in scopes:
        if not (updates := hand_updates(scope, roles)):
            continue
        backwards, _none = step_calls(scope, roles)
        found = _climb(source, roles, Frame(scope), backwards, updates, result.findings)
        if not isinstance(found, Finding):
            for nest in found:
                nest.by_hand = True
            result.nests.extend(found)


def _is_part_of(nests: list[Nest], scope: Scope) -> bool:
    """Whether a nest calls the function, as an attack on the inputs: then its backward pass stays where it is."""
    if isinstance(scope, ast.Module):
        return False
    parts: list[ast.AST] = []
    for nest in nests:
        parts += [nest.outermost, nest.inner.scope, nest.step_frame.scope]
    called = {n.func.id for p in parts if not isinstance(p, ast.Module) for n in walk(p)
              if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}  # fmt: skip
    return scope.name in called


def _held(source: Source, roles: Roles) -> set[tuple[ast.ClassDef, str]]:
    """The methods that a step site outside of their class runs."""
    found: set[tuple[ast.ClassDef, str]] = set()
    for call in source.calls if may_hold_steps(roles) else []:
        scope = source.scope_of(call)
        owner = held_class(roles, call.func.value if isinstance(call.func, ast.Attribute) else call.func, scope)
        holders = [owner] if owner is not None and any(held_step(roles, call, scope)) else []
        module = source.classes.get(dotted(call.func))
        if module is not None and any(ast.unparse(b).endswith(_LIGHTNING_BASES) for b in module.bases):
            holders += [c for a in call.args if (c := held_class(roles, a, scope)) is not None]
        for holder in holders:
            if source.in_class(call) is not holder:
                found |= {(holder, s.name) for s in holder.body if isinstance(s, ast.FunctionDef)}
    return found


def _steps_elsewhere(source: Source, roles: Roles, owner: ast.ClassDef) -> bool:
    """Whether a method of the class makes the optimizer step that feeds on another method's backward."""
    methods = [s for s in owner.body if isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef)]
    bases = [ast.unparse(b) for b in owner.bases]
    if any(b.endswith((*_LIGHTNING_BASES, "TestCase")) for b in bases):
        return False
    return any(step_calls(m, roles)[1] for m in methods)


def _no_step(backward: ast.Call) -> Finding:
    return finding(
        "no-optimizer-step",
        backward.lineno,
        f"`{ast.unparse(backward)[:60]}` has no optimizer step beside it in its function",
    )


def _inside_lightning(source: Source, scope: Scope) -> bool:
    if isinstance(scope, ast.Module):
        return False
    owner = source.in_class(scope)
    return owner is not None and any(ast.unparse(b).endswith(_LIGHTNING_BASES) for b in owner.bases)


def enclosing_loops(source: Source, node: ast.AST, scope: Scope) -> list[ast.For | ast.While]:
    """The loops of the scope around a node, outermost first."""
    found: list[ast.For | ast.While] = []
    for ancestor in source.ancestors(node):
        if ancestor is scope or isinstance(ancestor, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            break
        if isinstance(ancestor, ast.For | ast.While):
            found.append(ancestor)
    return found[::-1]


def _common_loops(source: Source, nodes: Many[ast.AST], scope: Scope) -> list[ast.For | ast.While]:
    chains = [enclosing_loops(source, node, scope) for node in nodes]
    common: list[ast.For | ast.While] = []
    for level in zip(*chains, strict=False):
        if all(loop is level[0] for loop in level):
            common.append(level[0])
        else:
            break
    return common


def _climb(
    source: Source,
    roles: Roles,
    frame: Frame,
    backwards: list[ast.Call],
    steps: list[ast.expr],
    problems: list[Finding],
) -> list[Nest] | Finding:
    """The nests whose innermost frame is this one; ``problems`` gets what stands against others beside them."""
    groups: dict[ast.AST | None, tuple[list[ast.Call], list[ast.expr]]] = {}

    def group(site: ast.expr) -> tuple[list[ast.Call], list[ast.expr]]:
        anchor = site if source.scope_of(site) is frame.scope else steps[0]  # a closure runs where its step stands
        loops = enclosing_loops(source, anchor, frame.scope)
        return groups.setdefault(loops[0] if loops else None, ([], []))

    for backward in backwards:
        group(backward)[0].append(backward)
    for site in steps:
        group(site)[1].append(site)
    nests: list[Nest] = []
    found_problems: list[Finding] = []
    for _top, (own_backwards, own_steps) in groups.items():
        if not own_backwards or not own_steps:
            continue
        own = [c for c in [*own_backwards, *own_steps] if source.scope_of(c) is frame.scope]
        loops = _common_loops(source, own, frame.scope)
        found = _from_loops(source, roles, frame, loops, own_backwards, own_steps)
        if isinstance(found, Finding):
            found_problems.append(found)
        else:
            nests.extend(found)
    if found_problems and not nests:
        return found_problems[0]
    problems += found_problems
    if not nests:
        return finding("step-outside-loop", steps[0].lineno, "backward and step are not in the same loop")
    return nests


def _from_loops(
    source: Source,
    roles: Roles,
    frame: Frame,
    loops: list[ast.For | ast.While],
    backwards: list[ast.Call],
    steps: list[ast.expr],
) -> list[Nest] | Finding:
    described = [describe_any(loop, frame.scope, roles) for loop in loops]
    batch_at = next((i for i, loop in enumerate(described) if loop.kind is Iterable.LOADER), None)
    if batch_at is None and len(described) >= 2:
        batch_at = _nested_without_loader(source, described, frame, roles)
    if batch_at is not None and batch_at > 0:
        above = described[:batch_at]
        epochs = next((loop for loop in reversed(above) if loop.kind in (Iterable.RANGE, Iterable.TURNS)), above[-1])
        return [Nest(frame, frame, epochs, described[batch_at], frame, backwards, steps)]
    callers = [] if _makes_optimizer(frame, steps, roles) else _callers(source, frame, backwards, steps)
    if batch_at == 0 or (len(described) == 1 and callers and any(c[1] for c in callers)):
        batches = described[batch_at or 0]
        return _with_epochs_in_caller(source, roles, frame, batches, callers, backwards, steps)
    if described:
        return [Nest(frame, frame, described[-1], None, frame, backwards, steps)]
    return _step_function(source, roles, frame, callers, backwards, steps)


def _nested_without_loader(source: Source, described: list[Loop], frame: Frame, roles: Roles) -> int | None:
    """Which of several loops over ranges or unknown things is the batch loop.

    A loop that builds the model or the optimizer is no epoch loop: it repeats whole trainings.
    """
    for index in range(1, len(described)):
        parent = described[index - 1]
        if not _builds_training(parent.node, frame.scope, roles):
            return index
    return None


def _makes_optimizer(frame: Frame, steps: list[ast.expr], roles: Roles) -> bool:
    """Whether a function makes the optimizer that it uses: then a loop around its call repeats whole trainings."""
    if isinstance(frame.scope, ast.Module):
        return False
    names = {n.id for call in steps for n in ast.walk(call) if isinstance(n, ast.Name)}
    return any(
        roles.key(frame.scope, name) == (frame.scope, name)
        and not _is_given(frame.scope, name, roles)
        and roles.role_of((frame.scope, name)) is Role.OPTIMIZER
        and any(isinstance(b.value, ast.Call) for b in roles.bindings((frame.scope, name)))
        for name in sorted(names)
    )


def _is_given(function: Scope, name: str, roles: Roles) -> bool:
    """Whether a name is a parameter for which some call passes a value: what the function binds to it only takes its place."""
    if isinstance(function, ast.Module) or name not in parameter_names(function):
        return False
    given = [argument for _scope, argument in roles.arguments(function, name)]
    return any(not isinstance(argument, ast.Constant) for argument in given)


def _builds_training(loop: ast.For | ast.While, scope: Scope, roles: Roles) -> bool:
    for node in loop.body:
        if isinstance(node, ast.Assign) and roles.of(node.value, scope) in (Role.MODEL, Role.OPTIMIZER):
            if isinstance(node.value, ast.Call) and not isinstance(node.value.func, ast.Attribute):
                return True
            if isinstance(node.value, ast.Call) and dotted(node.value.func).rpartition(".")[2][:1].isupper():
                return True
    return False


def _rests_beside_lightning(source: Source, scope: Scope) -> bool:
    """Whether nothing calls a function of a file that trains by Lightning already: a rest, or a tool for others."""
    if isinstance(scope, ast.Module) or source.calls_to(scope.name):
        return False
    return any(ast.unparse(b).endswith("LightningModule") for c in source.classes.values() for b in c.bases)


def _never_trains(source: Source, roles: Roles, scope: Scope, training: list[ast.expr]) -> bool:
    """Whether a function has training in it, but no call of it lets it train."""
    if isinstance(scope, ast.Module):
        return False
    calls = source.calls_to(scope.name)
    if calls and all(_only_looks(source, scope, call, training) for call in calls):
        return True
    if not isinstance(scope, ast.FunctionDef) or not any(isinstance(n, ast.If) for n in walk_scope(scope.body)):
        return False
    from .project_text import other_text
    from .switches import Switches

    path = roles.neighbours.path if roles.neighbours is not None else ""
    return Switches(source, roles, functools.partial(other_text, path)).never_trains(scope, training)


def _only_looks(source: Source, function: Scope, call: ast.Call, training: list[ast.expr]) -> bool:
    """Whether a call passes None or False for a parameter under whose test all backward and step calls stand."""
    if isinstance(function, ast.Module):
        return False
    written = {n.id for n in walk_scope(function.body) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for name in parameter_names(function):
        argument = bound_argument(function, call, name) if name not in written else None
        if isinstance(argument, ast.Constant) and (argument.value is None or argument.value is False):
            if all(_is_kept_from(source, inner, name, argument.value) for inner in training):
                return True
    return False


def _is_kept_from(source: Source, call: ast.expr, name: str, value: object) -> bool:
    """Whether a call stands under `if name:` or `if name is not None:` that the value does not pass."""
    inner: ast.AST = call
    for ancestor in source.ancestors(call):
        if isinstance(ancestor, ast.If) and inner in ancestor.body:
            match ancestor.test:
                case ast.Name(id=tested) if tested == name:
                    return True
                case ast.Compare(left=ast.Name(id=tested), ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]):
                    if tested == name and value is None:
                        return True
        inner = ancestor
    return False


def _callers(
    source: Source, frame: Frame, backwards: list[ast.Call], steps: list[ast.expr]
) -> list[tuple[ast.Call, list[ast.For | ast.While]]]:
    """The calls of the frame's function that may come to its step, and the loops around each."""
    if isinstance(frame.scope, ast.Module):
        return []
    found = []
    for call in source.calls_to(frame.scope.name):
        scope = source.scope_of(call)
        if scope is not frame.scope and not _only_looks(source, frame.scope, call, [*backwards, *steps]):
            found.append((call, enclosing_loops(source, call, scope)))
    return found


def _enter(source: Source, frame: Frame, call: ast.Call) -> tuple[Frame, Frame] | Finding:
    """The caller's frame and the callee's frame below it."""
    function = frame.scope
    assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
    if problem := inline_problem(source, function, call):
        return finding("function-not-inlined", call.lineno, f"`{function.name}` cannot be moved into hooks: {problem}")
    caller = Frame(source.scope_of(call))
    arguments = {
        name: argument
        for name in parameter_names(function)
        if (argument := bound_argument(function, call, name)) is not None
    }
    return caller, Frame(function, caller, call, source.statement_of(call), arguments)


def inline_problem(
    source: Source, function: ast.FunctionDef | ast.AsyncFunctionDef, call: ast.Call, early: ast.Return | None = None
) -> str:
    """Why a function's body cannot stand in place of the call; "" when it can, but for an ``early`` return."""
    if isinstance(function, ast.AsyncFunctionDef):
        return "it is a coroutine"
    if function.args.vararg or function.args.kwarg:
        return "it takes any number of arguments"
    for decorator in function.decorator_list:
        if not _switches_gradients(source, decorator.func if isinstance(decorator, ast.Call) else decorator):
            return f"it is decorated with `{ast.unparse(decorator)}`"
    defaults = [*function.args.defaults, *function.args.kw_defaults]
    spread = spread_argument(function, call)
    for name in parameter_names(function):
        if spread is not None and name in spread[0]:
            continue
        argument = bound_argument(function, call, name)
        if argument is None:
            return f"the value of parameter `{name}` is not known"
        if argument in defaults and not isinstance(argument, ast.Constant | ast.Name | ast.Attribute | ast.UnaryOp):
            return f"the default of parameter `{name}` is made once, when the function is defined"
    for node in walk_scope(function.body):
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return "it is a generator"
        if isinstance(node, ast.Name) and node.id in ("locals", "exec", "eval"):
            return f"it uses `{node.id}`"
    last = last_statement(function.body)
    for node in walk_scope(function.body):
        if isinstance(node, ast.Return) and node is not last and node is not early:
            return f"it returns early in line {node.lineno}"
    return ""


def _switches_gradients(source: Source, decorator: ast.expr) -> bool:
    """Whether a decorator is torch's own for gradients, by whatever name torch is imported."""
    name = dotted(decorator)
    root, _, rest = name.partition(".")
    imported = (alias for node in source.all(ast.Import) for alias in node.names)
    is_torch = any(alias.name == "torch" and alias.asname == root for alias in imported)
    return name in _NO_GRAD or (is_torch and f"torch.{rest}" in _NO_GRAD)


_NO_GRAD = {"torch.no_grad", "no_grad", "torch.inference_mode", "inference_mode", "torch.enable_grad"}


def last_statement(body: list[ast.stmt]) -> ast.stmt:
    """The last statement of a block, looking into `with` blocks, which end where their body ends."""
    last = body[-1]
    while isinstance(last, ast.With):
        last = last.body[-1]
    return last


def _with_epochs_in_caller(
    source: Source,
    roles: Roles,
    frame: Frame,
    batches: Loop,
    callers: list[tuple[ast.Call, list[ast.For | ast.While]]],
    backwards: list[ast.Call],
    steps: list[ast.expr],
) -> list[Nest] | Finding:
    looped = [(call, loops) for call, loops in callers if loops]
    if not looped:
        whole = isinstance(frame.scope, ast.Module) or _makes_optimizer(frame, steps, roles)
        if whole or callers or _callers(source, frame, backwards, steps):
            alone = Nest(frame, frame, None, batches, frame, backwards, steps)
            through = _through_a_function(source, roles, frame, batches, callers, backwards, steps)
            if through is None:
                return [alone]
            through.otherwise = alone
            return [through]
        assert not isinstance(frame.scope, ast.Module)
        return finding(
            "no-entry-point",
            frame.scope.lineno,
            f"`{frame.name}` runs over batches, but nothing in this file calls it",
        )
    nests: list[Nest] = []
    for call, loops in looped:
        epochs = loops[-1]
        entered = _enter(source, frame, call)
        if isinstance(entered, Finding):
            return entered
        caller, callee = entered
        nests.append(Nest(caller, callee, describe_any(epochs, caller.scope, roles), batches, callee, backwards, steps))
    return nests


def _through_a_function(
    source: Source,
    roles: Roles,
    frame: Frame,
    batches: Loop,
    callers: list[tuple[ast.Call, list[ast.For | ast.While]]],
    backwards: list[ast.Call],
    steps: list[ast.expr],
) -> Nest | None:
    """The nest of a batch loop whose function one other function calls, in plain sight of an epoch loop that calls that one."""
    if len(callers) != 1 or isinstance(entered := _enter(source, frame, callers[0][0]), Finding):
        return None
    caller, callee = entered
    if isinstance(caller.scope, ast.Module) or _makes_optimizer(caller, steps, roles):
        return None
    above = source.calls_to(caller.scope.name)
    if len(above) != 1 or isinstance(entered := _enter(source, caller, above[0]), Finding):
        return None
    entry, between = entered
    loops = enclosing_loops(source, above[0], entry.scope)
    if not loops or between.statement not in loops[-1].body or callee.statement not in caller.scope.body:
        return None
    callee.caller = between
    epochs = describe_any(loops[-1], entry.scope, roles)
    return Nest(entry, callee, epochs, batches, callee, backwards, steps)


def _step_function(
    source: Source,
    roles: Roles,
    frame: Frame,
    callers: list[tuple[ast.Call, list[ast.For | ast.While]]],
    backwards: list[ast.Call],
    steps: list[ast.expr],
) -> list[Nest] | Finding:
    """A function without a loop that does one step: its caller's loops are the nest."""
    looped = [(call, loops) for call, loops in callers if loops]
    if not looped:
        line, uncalled = steps[0].lineno, "" if callers else frame.name
        called = f"`{uncalled}` takes one optimizer step, but nothing in this file calls it"
        text = called if uncalled.isidentifier() else "the optimizer step is not inside a loop"
        return finding("step-outside-loop", line, text, about=uncalled)
    nests: list[Nest] = []
    for call, loops in looped:
        entered = _enter(source, frame, call)
        if isinstance(entered, Finding):
            if len(callers) > 1 or not may_stay_whole(source, frame.scope):
                return entered
            whole = _from_loops(source, roles, Frame(source.scope_of(call)), loops, [call], [call])
            if isinstance(whole, Finding) or any(nest.batches is None for nest in whole):
                return entered
            return whole
        caller, callee = entered
        above = _from_loops(source, roles, caller, loops, [call], [call])
        if isinstance(above, Finding):
            return above
        for nest in above:
            if nest.inner is not caller and nest.inner.scope is caller.scope:
                callee.caller = nest.inner
            nests.append(Nest(nest.entry, nest.inner, nest.epochs, nest.batches, callee, backwards, steps))
    return nests
