"""Whether the evaluation in an epoch can be Lightning's validation, and what must be mirrored for it."""

from __future__ import annotations

import ast
from dataclasses import replace

from ..recover.items import Guard, Item, grad_mode, names_in, parts
from ..recover.loops import Iterable
from ..recover.names import parameter_names
from ..recover.phases import Validation, find_validation, hidden_evaluation
from ..recover.roles import Key, Role
from ..recover.state_names import is_attribute, is_whole
from ..recover.syntax import Scope, walk, walk_scope
from ..recover.variables import Variable
from .afterwards import statements_after
from .breaks import remove_break, validation_break
from .changes import changed_names
from .draft import (
    BATCH_END,
    EPOCH_END,
    EPOCH_START,
    VALIDATION_END,
    VALIDATION_START,
    VALIDATION_STEP,
    Draft,
    Removal,
)
from .entry_names import entry_text, written_in_loop
from .lengths import first_change
from .mode_dependent import mode_dependent
from .modes import first_evaluated, mode_calls
from .own_loaders import own_loader
from .recorded import graph_is_seen
from .samplers import sampler_with_epoch
from .several_loaders import join_following, unite
from .steps import controls, open_controls
from .train_data import constructions, is_still_loader, owns_generator
from .validation_epochs import epochs_obstacle, guard_of, is_every_epoch, tell_epochs


def place_after(draft: Draft) -> None:
    """Give everything after the batch loop its hook."""
    after = draft.epoch.after
    found = find_validation(draft.source, draft.roles, draft.nest, after)
    if found is not None and draft.module_that_trains:
        why = f"class `{draft.module_that_trains}` is a module, and Lightning would switch all of it"
        draft.note("validation-kept", found.loop.node, f"the evaluation loop stays as it is: {why}")
    elif found is not None:
        if is_every_epoch(draft, found):
            found.every = None
        join_following(draft, found)
        united = unite(draft, found) if found.others else _unite(draft, found)
        reason = _obstacle(draft, found)
        if not reason:
            _place(draft, found)
            return
        if united:
            draft.united = [i for i in draft.united if i not in united]
        draft.note("validation-kept", found.loop.node, f"the evaluation loop stays as it is: {reason}")
    elif (call := hidden_evaluation(draft.source, draft.roles, after)) is not None:
        draft.note(
            "validation-kept",
            call,
            f"the evaluation loop stays as it is: `{ast.unparse(call.func)}` is not called in a plain statement of the epoch",
        )
    draft.hooks[EPOCH_END] = list(after)


def _unite(draft: Draft, found: Validation) -> list[Item]:
    """Bring names of the validation's function and of the epoch together; give back the items that fall away."""
    dropped: list[Item] = []
    found.before = draft.variables.unite_binds(found.before)
    for item in list(found.trailing):
        if draft.variables.unite_result(item):
            dropped.append(item)
    found.trailing = [i for i in found.trailing if i not in dropped]
    draft.united.extend(dropped)
    return dropped


def _obstacle(draft: Draft, found: Validation) -> str:
    """Why this evaluation cannot be Lightning's validation; "" when it can."""
    if found.loop.kind is not Iterable.LOADER:
        return "it does not run over a loader"
    if draft.epoch.leaving:
        return "a `break` at a batch's top ends the epoch, and Lightning does not validate then"
    if found.loop.asks_twice:
        return "the progress bar of `tqdm.auto` starts the loader once more, which draws a random number"
    if draft.effects.asks_grad_mode():
        return "the script asks whether gradients are recorded, and in Lightning's validation they never are"
    if _other_evaluations(draft, found):
        return "its function is used in another place too"
    if reason := next(filter(None, (_loader_obstacle(draft, found, one) for one in found.all)), ""):
        return reason
    if found.others and (draft.group is not None or draft.options.several_processes):
        return "its function runs over several loaders"
    if reason := graph_is_seen(draft, found):
        return reason
    if _changes_earlier(draft, found):
        return "its statement has read before the call what the evaluation changes"
    limited = validation_break(draft, found.body, found.loop)
    if limited and found.others:
        return "`break` leaves the loop"
    taken = {id(n) for n in walk(limited[0])} if limited else set()
    for item in found.body:
        for control in open_controls(draft, item.node):
            if id(control) not in taken and not isinstance(control, ast.Continue):
                return f"`{type(control).__name__.lower()}` leaves the loop"
        if draft.effects_of(item).gradients:
            return "it touches gradients"
    for item in [*found.leading, *found.before]:
        if item.kind == "statement" and controls(item.node):
            return "control flow stands before it"
        effects = draft.effects_of(item)
        if effects.rng and not is_still_loader(draft, found.loop.base, found.frame):
            return f"line {item.node.lineno} before it may draw random numbers or run the model"
        if effects.gradients:
            return f"line {item.node.lineno} before it touches gradients"
        if _switches_gradients(item):
            return "gradients are switched by hand"
    return epochs_obstacle(draft, found, limited is not None)


def _loader_obstacle(draft: Draft, found: Validation, one: Validation) -> str:
    """Why Lightning cannot validate over the loader of one of several evaluations; "" when it can."""
    base = draft.variable(one.loop.base, one.frame)
    if base is None and not _fixed(draft, one.loop.base, one):
        return "its loader is not a plain variable"
    own = draft.variables.sequence([*found.leading, *found.before, *found.body]).written
    if base is not None and (base in written_in_loop(draft) or base in own):
        return "its loader is made anew in the loop"
    if not entry_text(draft, one.loop.base, one.frame):
        return "its loader is not known where the Trainer is made"
    if owns_generator(draft, one.loop.base, one.frame):
        return "its loader has a random generator of its own, which a loop asks once more at its end"
    if reason := own_loader(draft, one.loop.base, one.frame):
        return reason
    if first_change(draft, [one.loop.base], one.frame) is not None:
        return "the length of its loader may change, and Lightning asks for it only once"
    if sampler_with_epoch(constructions(draft, one.loop.base, one.frame)) is not None:
        return "Lightning would call `set_epoch` on its sampler"
    return ""


def _changes_earlier(draft: Draft, found: Validation) -> bool:
    """Whether the evaluation changes what the statement around its call has already looked at, which it reads after it now."""
    caller = found.frame.caller
    if found.call is None or caller is None:
        return False
    earlier = [part for one in found.all for part in one.earlier]
    looked = [part for part in earlier if not isinstance(part, ast.Name)]
    named = {n.id for part in earlier for n in walk_scope(part) if isinstance(n, ast.Name)}
    inside = {n.id for part in looked for n in walk_scope(part) if isinstance(n, ast.Name)}
    arguments = {n: {x.id for x in walk(v) if isinstance(x, ast.Name)} for n, v in found.frame.arguments.items()}
    own = [*found.before, *found.body, *(i for i in found.trailing if i.frame is not caller)]
    written = draft.variables.sequence(own).written
    changed = changed_names(draft, own)
    changed |= {name for parameter in changed & arguments.keys() for name in arguments[parameter]}
    return any(draft.variables.of(caller, name) in written for name in named) or bool(inside & changed)


def _switches_gradients(item: Item) -> bool:
    return any(isinstance(n, ast.Call) and grad_mode(n) for n in walk_scope(item.node) if item.kind == "statement")


def _other_evaluations(draft: Draft, found: Validation) -> bool:
    """Whether the validation's function stays in use in the loop, so that moving it would double it."""
    if found.call is None or not isinstance(found.call.func, ast.Name):
        return False
    mine = [one.call for one in found.all]
    others = [call for call in draft.source.calls_to(found.call.func.id) if call not in mine]
    outermost = draft.nest.outermost
    inside = {id(n) for n in walk(outermost)}
    for frame in (draft.nest.inner, draft.nest.step_frame):
        inside |= {id(n) for n in walk(frame.scope)} if frame.scope is not draft.nest.entry.scope else set()
    return any(id(call) in inside for call in others)


def _fixed(draft: Draft, base: ast.expr, found: Validation) -> bool:
    if not isinstance(base, ast.Subscript | ast.Attribute):
        return False
    written = written_in_loop(draft)
    for node in walk(base):
        if isinstance(node, ast.Call):
            return False
        if isinstance(node, ast.Name):
            variable = draft.variables.of(found.frame, node.id)
            if (
                is_whole(node.id)
                or variable is None
                or variable in written
                or (variable.frame is found.frame and found.frame.caller)
            ):
                return False
    return True


def _place(draft: Draft, found: Validation) -> None:
    draft.validation = found
    if limited := validation_break(draft, found.body, found.loop):
        remove_break(draft, limited[0], "limit_val_batches")
        draft.trainer = draft.trainer.set("limit_val_batches", limited[1])
    own = [*found.before, *found.body, *found.trailing, *found.rest]
    found.before = draft.without_unread_constants(found.before, own)
    trailing, rest = _divide_rest(draft, found)
    leading = found.leading
    if found.every is not None and leading:
        guard = Guard()
        draft.hooks[BATCH_END] = [*draft.hooks.get(BATCH_END, []), *(replace(i, guard=guard) for i in leading)]
        leading = []
    draft.hooks[VALIDATION_START] = [*leading, *found.before]
    draft.hooks[VALIDATION_STEP] = list(found.body)
    draft.hooks[VALIDATION_END] = trailing
    draft.hooks[EPOCH_END] = rest
    if (told := tell_epochs(draft, found)) is not None:
        draft.hooks[EPOCH_START] = [*draft.hooks.get(EPOCH_START, []), told]
    _mirror_modes(draft, found, trailing, rest)


def _divide_rest(draft: Draft, found: Validation) -> tuple[list[Item], list[Item]]:
    """What runs at the validation's end and what at the epoch's end: from the first control flow on, the latter."""
    trailing: list[Item] = []
    rest = [*found.trailing, *found.rest]
    own = len(found.trailing)
    written = draft.variables.sequence([*found.before, *found.body]).written
    while rest:
        item = rest[0]
        if item.kind == "statement" and controls(item.node):
            break
        effects = draft.effects_of(item)
        if effects.gradients or effects.optimizer or effects.rng:
            break
        use = draft.variables.use(item)
        if len(trailing) >= own and (found.every is not None or found.call is not None or not use.read & written):
            break
        if len(trailing) >= own and effects.model:
            break
        trailing.append(rest.pop(0))
    guard = guard_of(draft, found)
    left = max(0, own - len(trailing))
    return trailing, [*(replace(i, guard=guard) for i in rest[:left]), *rest[left:]]


# ---- train and eval mode


def _mirror_modes(draft: Draft, found: Validation, trailing: list[Item], rest: list[Item]) -> None:
    start = draft.hooks[VALIDATION_START]
    inside = [i for hook in (VALIDATION_START, VALIDATION_STEP, VALIDATION_END) for i in draft.hooks.get(hook, [])]
    held = held_models(draft) | mode_dependent(draft, inside)
    evaluated: dict[Variable, Item] = {}
    looked_at = False
    for item in start:
        looked_at |= not mode_calls(draft, item) and _sees_mode(draft, item)
        for model, mode in mode_calls(draft, item):
            if mode == "eval":
                evaluated[model] = item
            else:
                evaluated.pop(model, None)
    inner = _evaluated_in_step(draft) if not looked_at and held else set()
    held |= {*evaluated, *inner}
    used = {model for model in held if any(_names_model(draft, item, {model}) for item in inside)} or held
    if held and used <= {*evaluated, *inner} and not looked_at:
        for model, item in evaluated.items():
            if model in held and _only_mode_call(item):
                draft.removals[item.node] = Removal(
                    "validation", "eval_mode", "Lightning switches the module to eval mode for validation"
                )
        draft.hooks[VALIDATION_START] = [i for i in start if i.node not in draft.removals]
        if _mode_matters_after(draft, held, rest) or (not used <= set(evaluated) and not _train_before(draft, used)):
            draft.methods.append(_KEEP_EVAL)
        return
    draft.methods.append(_KEEP_MODE)
    if evaluated or any(draft.effects_of(item).mode for item in inside):
        draft.methods.append(_KEEP_EVAL)


def _evaluated_in_step(draft: Draft) -> set[Variable]:
    """The models that every batch of the validation switches to eval mode before it looks at any."""
    found: set[Variable] = set()
    for item in draft.hooks[VALIDATION_STEP]:
        found |= {model for model, mode in mode_calls(draft, item) if mode == "eval"} | first_evaluated(draft, item)
        if not mode_calls(draft, item) and _sees_mode(draft, item):
            break
    return found


def _train_before(draft: Draft, held: set[Variable]) -> bool:
    """Whether the models are surely in train mode, all of them as a whole, when the validation begins."""
    state: dict[Variable, str] = {}
    for item in [*draft.epoch.before, *draft.epoch.batch, *(draft.validation.leading if draft.validation else [])]:
        if called := mode_calls(draft, item):
            state.update(called)
        elif draft.effects_of(item).mode:
            return False
    return all(state.get(model) == "train" for model in held)


_KEEP_MODE = """\
def on_validation_model_eval(self):
    pass  # the script validates in the mode that it is in
"""
_KEEP_EVAL = """\
def on_validation_model_train(self):
    pass  # the script stays in eval mode until it calls train() itself
"""


def trained_models(draft: Draft) -> set[Variable]:
    """The models that the nest uses, as variables."""
    found: set[Variable] = set()
    for item in [*draft.epoch.batch]:
        for node in walk_scope(item.node):
            if isinstance(node, ast.Name) and draft.role(node, item.frame) is Role.MODEL:
                variable = draft.variable(node, item.frame)
                if variable is not None and variable not in draft.variables.use(item).written:
                    found.add(variable)
    return found


def held_models(draft: Draft) -> set[Variable]:
    """Every model that the module will hold: the trained ones, and copies or teachers that other hooks use."""
    found = trained_models(draft)
    items = draft.all_items()
    written = draft.variables.sequence(items).written
    for item in items:
        for node, frame in names_in(item):
            if draft.role(node, frame) is Role.MODEL:
                variable = draft.variable(node, frame)
                if variable is not None and variable not in written:
                    found.add(variable)
    return found


def _only_mode_call(item: Item) -> bool:
    node = item.node
    if isinstance(node, ast.Expr):
        return True
    match node:
        case ast.Assign(targets=[ast.Name(id=target)], value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))):
            return target == name
    return False


def _mode_matters_after(draft: Draft, held: set[Variable], rest: list[Item]) -> bool:
    """Whether the models may be used in eval mode after validation and before the script switches them back."""
    state = _scan(draft, [*rest, *draft.epoch.before, *draft.epoch.batch], held)
    if state == "used":
        if not any(mode for i in draft.epoch.before for _, mode in mode_calls(draft, i)) and not any(
            mode == "train" for i in [*rest, *draft.epoch.batch] for _, mode in mode_calls(draft, i)
        ):
            draft.note(
                "never-back-to-train",
                draft.validation.loop.node if draft.validation else 0,
                "after the first validation the model is never switched back to train mode; the conversion keeps that",
            )
        return True
    return _uses_after_training(draft, held)


def _scan(draft: Draft, items: list[Item], held: set[Variable]) -> str:
    switched: set[Variable] = set()
    for item in items:
        for model, _mode in mode_calls(draft, item):
            switched.add(model)
        if held <= switched:
            return "switched"
        if _names_model(draft, item, held - switched) and _sees_mode(draft, item):
            return "used"
    return ""


def _sees_mode(draft: Draft, item: Item) -> bool:
    """Whether the item may look at a module in a way that shows its mode: anything but parameters and state dicts."""
    for node, frame in names_in(item):
        key = draft.roles.key(frame.scope, node.id)
        function = draft.source.function(node.id)
        if function is not None and draft.effects.touched(node, frame.scope) & draft.effects.models:
            return True
        if key not in draft.effects.models:
            continue
        parent = draft.source.parents.get(node)
        if isinstance(parent, ast.Attribute) and parent.attr in _HARMLESS:
            continue
        if (
            isinstance(parent, ast.Call)
            and isinstance(parent.func, ast.Name)
            and parent.func.id in ("len", "id", "type")
        ):
            continue
        return True
    return False


def _names_model(draft: Draft, item: Item, models: set[Variable]) -> bool:
    keys: set[Key] = {(m.scope, m.name) for m in models}
    if any(draft.variables.of(frame, node.id) in models for node, frame in names_in(item)):
        return True
    return any(draft.effects.touched(part, frame.scope) & keys for part, frame in parts(item))


def _uses_after_training(draft: Draft, held: set[Variable]) -> bool:
    """Whether code after the epoch loop, or other users of an object's model, may run it before its mode is switched."""
    keys = {(m.scope, m.name) for m in held}
    keys |= {(draft.nest.entry.scope, m.name) for m in held}
    for statement in statements_after(draft):
        first = first_model_use(draft, statement, draft.nest.entry.scope, keys)
        if first:
            return first == "forward"
    shared = any(is_attribute(m.name) for m in held)
    return (shared or not isinstance(draft.nest.entry.scope, ast.Module)) and _returned_model(draft, held)


def _returned_model(draft: Draft, held: set[Variable]) -> bool:
    names = {m.name for m in held}
    if any(is_attribute(name) for name in names):
        return True
    return any(
        isinstance(n, ast.Return)
        and n.value is not None
        and any(isinstance(p, ast.Name) and p.id in names for p in walk(n.value))
        for n in walk_scope(draft.nest.entry.scope.body)
    ) or bool(names & set(_parameters(draft.nest.entry.scope)))


def _parameters(scope: Scope) -> list[str]:
    return [] if isinstance(scope, ast.Module) else parameter_names(scope)


def first_model_use(draft: Draft, statement: ast.AST, scope: Scope, keys: set[Key], depth: int = 0) -> str:
    """``mode`` or ``forward``: what the code does first with one of the models; "" when it does not use them."""
    nodes = sorted(
        (n for n in walk_scope(statement) if isinstance(n, ast.Call | ast.Name)), key=lambda n: (n.lineno, n.col_offset)
    )
    switched = {
        node.func.value
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("train", "eval")
    }
    for node in nodes:
        if isinstance(node, ast.Name):
            if draft.roles.key(scope, node.id) not in keys or isinstance(node.ctx, ast.Store):
                continue
            if node in switched:
                return "mode"
            if _may_show_mode(draft, node):
                return "forward"
            continue
        function = draft.source.function(node.func.id) if isinstance(node.func, ast.Name) else None
        if function is not None and depth < 4:
            inner = set(keys)
            for parameter in parameter_names(function):
                for caller, argument in draft.roles.arguments(function, parameter):
                    if isinstance(argument, ast.Name) and draft.roles.key(caller, argument.id) in keys:
                        inner.add((function, parameter))
            for child in function.body:
                if first := first_model_use(draft, child, function, inner, depth + 1):
                    return first
    return ""


def _may_show_mode(draft: Draft, node: ast.Name) -> bool:
    """Whether a model is used in a way that may depend on the mode: called, or a part of it, asked for it, given away."""
    chain: ast.AST = node
    parent = draft.source.parents.get(chain)
    while isinstance(parent, ast.Attribute) or (isinstance(parent, ast.Subscript) and parent.value is chain):
        if isinstance(parent, ast.Attribute) and parent.attr in ("training", "modules", "named_modules"):
            return True
        if isinstance(parent, ast.Attribute) and parent.attr in _HARMLESS:
            return False
        chain, parent = parent, draft.source.parents.get(parent)
    if isinstance(parent, ast.Call):
        if chain is parent.func:
            return True
        own = isinstance(parent.func, ast.Name) and draft.source.function(parent.func.id) is not None
        return not own and not _is_harmless_call(parent)
    return isinstance(parent, ast.keyword | ast.Starred)


_HARMLESS = {
    "state_dict", "parameters", "named_parameters", "load_state_dict", "to", "cpu", "cuda", "modules", "children",
    "named_modules", "buffers", "save", "requires_grad_",
}  # fmt: skip


def _is_harmless_call(node: ast.Call) -> bool:
    name = ast.unparse(node.func).rpartition(".")[2]
    return name in ("print", "len", "id", "type", "save", "deepcopy", "isinstance", "summary")
