"""The LightningModule as source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import libcst as cst

from ..plan.draft import (
    BATCH_END,
    BATCH_START,
    BEFORE_STEP,
    HOOKS,
    SAVES,
    TRAINING_STEP,
    VALIDATION_END,
    VALIDATION_STEP,
    Draft,
)
from ..plan.held_models import trained_models
from ..plan.homes.unbound import may_be_missing, optimizer_of_module_level
from ..plan.optimizers import Configured, may_be_none
from ..plan.proposals import word
from ..plan.reported import is_for_several
from ..plan.several_loaders import LOADER_INDEX
from ..plan.state import State
from ..recover.makings import Value, makings
from ..recover.names import local_names
from ..recover.roles import Role
from ..recover.state_names import is_attribute, is_whole, plain
from ..recover.syntax import walk
from ..recover.variables import Variable
from .docstrings import with_docstrings
from .hooks import HookWriter
from .lazy_loader import FINISH_LOADER
from .logged import log_line
from .rename import rename
from .statements import Statement, standalone

_MANY = 3
"""More names than this are no longer left out one by one."""
_BATCH_HOOKS = {BATCH_START, TRAINING_STEP, VALIDATION_STEP}


@dataclass
class Names:
    """Names that torch2lit brings into a file: none of them was there before."""

    lightning: str = "L"
    module: str = "LitModel"
    instance: str = "lit_model"
    trainer: str = "trainer"
    lazy_loader: str = "LazyLoader"
    every_batch: str = "EveryBatch"
    taken: set[str] = field(default_factory=set)
    words: dict[str, str] = field(default_factory=dict)
    """What stands for the words in braces in the texts of accepted proposals."""


def choose_names(draft: Draft, taken: set[str]) -> Names:
    """Names in the user's own words: `LitNet` for `Net`."""
    names = Names(taken=taken)
    names.module = _free("Lit" + _model_word(draft), taken)
    seen = _seen_from_entry(draft, taken)
    names.instance = _free(in_snake_case(names.module), seen)
    names.trainer = _free("trainer", seen)
    taken |= {names.module, names.instance, names.trainer}
    for number, proposal in enumerate(draft.accepted):
        for fresh in proposal.fresh:
            names.words[word(fresh, number)] = chosen = _free(fresh, seen | taken)
            taken.add(chosen)
    if draft.starts_late:
        names.lazy_loader = _free("LazyLoader", taken)
        taken.add(names.lazy_loader)
    if draft.several is not None and draft.several.whole is not None and draft.several.whole.call is None:
        names.every_batch = _free("EveryBatch", taken)
        taken.add(names.every_batch)
    return names


def _seen_from_entry(draft: Draft, taken: set[str]) -> set[str]:
    """The names that a new local of the entry function must not have: what other functions call theirs is free."""
    scope, source = draft.nest.entry.scope, draft.source
    if isinstance(scope, ast.Module) or draft.other_loops or any(s.place.call is not None for s in draft.seconds):
        return taken
    functions = [f for f in source.functions if f is not scope and scope not in source.ancestors(f)]
    others = {name for function in functions for name in local_names(function)}
    seen = {n.id for n in source.all(ast.Name) if n.id not in others or _is_near(draft, n)}
    return (taken - others) | seen | local_names(scope)


def _is_near(draft: Draft, node: ast.Name) -> bool:
    """Whether a name stands in the entry function, or belongs to the module."""
    scope = draft.source.scope_of(node)
    if scope is draft.nest.entry.scope or draft.nest.entry.scope in draft.source.ancestors(scope):
        return True
    key = draft.roles.key(scope, node.id)
    return key is None or isinstance(key[0], ast.Module)


def _free(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    number = 2
    while f"{name}{number}" in taken or f"{name}_{number}" in taken:
        number += 1
    return f"{name}{number}" if name[:1].isupper() else f"{name}_{number}"


def _model_word(draft: Draft) -> str:
    """What is trained, in one word: the one model's class, both classes of a pair, and nothing particular for more."""
    models = sorted(trained_models(draft), key=lambda v: v.rank)
    preferred = [v for v in models if is_whole(v.name) or plain(v.name) in ("model", "net", "network")]
    if preferred or len(models) == 1:
        model = (preferred or models)[0]
        return _camel(_class_word(draft, model) or plain(model.name)) or "Model"
    words = [_class_word(draft, model) for model in sorted(models, key=lambda v: _first_made(draft, v))]
    pair = 0 < len(words) < 3 and all(word in draft.source.classes for word in words)
    return "".join(dict.fromkeys(map(_camel, words))) if pair else _program_word(draft) or "Model"


def _program_word(draft: Draft) -> str:
    """What the program is called, where its file says more than that it trains; "" otherwise."""
    stem = Path(draft.path).stem
    if not stem.isidentifier() or _SAYS_NOTHING.search(stem.lower()):
        return ""
    return _camel(stem)


def _first_made(draft: Draft, variable: Variable) -> tuple[int, int]:
    bindings = draft.roles.bindings((variable.scope, variable.name))
    return min(((b.value.lineno, b.value.col_offset) for b in bindings), default=(0, 0))


def _class_word(draft: Draft, model: Variable) -> str:
    """The class that a model is made from, "" when that is not one."""
    if is_whole(model.name) and draft.source.view is not None:
        return draft.source.view.family.leaf.name
    words: set[str] = set()
    for binding in draft.roles.bindings((model.scope, model.name)):
        for node in walk(binding.value):
            if isinstance(node, ast.Call):
                last = ast.unparse(node.func).rpartition(".")[2]
                if last in draft.source.classes or (
                    last[:1].isupper() and last not in _CONTAINERS and last.isidentifier()
                ):
                    words.add(last)
    if len(words) == 1:
        return words.pop()
    return _made_class(draft, model) if not words else ""


def _made_class(draft: Draft, model: Variable) -> str:
    """The class of the project or of a package that all makings of a model call, through parameters and functions."""
    made = makings(Value(ast.Name(model.name, ast.Load()), model.scope, draft.roles))
    words = {ast.unparse(m.call.func).rpartition(".")[2] for m in made} - _CONTAINERS
    word = words.pop() if len(words) == 1 else ""
    return word if word.isidentifier() and word[:1].isupper() else ""


def _camel(name: str) -> str:
    """A class's name, for what may be named otherwise; one that is a class's name already stays."""
    return name if name[:1].isupper() else "".join(p[:1].upper() + p[1:] for p in name.split("_"))


_SAYS_NOTHING = re.compile(
    r"^(?:raw|code|script|program|run|demo|test|example|notebook|untitled|stdin|tmp\w*|\w?)$|train|main|model|solver|engine|experiment"
)
_CONTAINERS = {
    "Sequential",
    "DataParallel",
    "DistributedDataParallel",
    "DDP",
    "ModuleList",
    "ModuleDict",
    "Module",
}


def in_snake_case(name: str) -> str:
    """A class's name as that of an object: ``LitTwoLayers`` is ``lit_two_layers``."""
    # The 2 of `Seq2Seq` joins two words.
    text = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[0-9])(?<![A-Za-z][24])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return text.lower()


def module_source(draft: Draft, configured: Configured, state: State, names: Names) -> str:
    """The class definition, not yet formatted."""
    writer = HookWriter(draft, state)
    methods: list[str] = [_constructor(draft, state, writer, names)]
    for hook in HOOKS:
        items = draft.hooks.get(hook, [])
        added = hook in state.prologue or hook in state.epilogue
        body = writer.body(hook, items) if items or hook == TRAINING_STEP or added else []
        if hook == VALIDATION_STEP and draft.mixed is not None and draft.mixed.full:
            body = _in_full_precision(body, writer.opening(hook))
        if hook == BATCH_END and draft.train_data is not None and draft.train_data.asks_at_end:
            body = [*body, cst.parse_statement(FINISH_LOADER)]
        if hook == VALIDATION_END and draft.validation_numbers:
            body = [*body, log_line(draft.validation_numbers, is_for_several(draft), draft.own_points)]
        if not body and hook != TRAINING_STEP and not (hook == VALIDATION_STEP and draft.validation is not None):
            continue
        methods.append(_function(_signature(draft, hook, state, _kept_names(draft, state, hook)), body, writer))
    methods += draft.methods
    methods.append(_configure(draft, configured, state, writer))
    body_text = "\n".join(_indent(m) for m in methods)
    return with_docstrings(draft, f"class {names.module}({names.lightning}.LightningModule):\n{body_text}")


def _in_full_precision(body: list[Statement], opening: int) -> list[Statement]:
    """A hook's body as if the Trainer's precision were full, but for its first lines, which name the batch."""
    block = cst.parse_statement("with torch.autocast(self.device.type, enabled=False):\n    pass\n")
    assert isinstance(block, cst.With)
    return [*body[:opening], block.with_changes(body=cst.IndentedBlock(body[opening:]))] if body[opening:] else body


def _signature(draft: Draft, hook: str, state: State, kept: set[str]) -> str:
    """A hook's head. Lightning passes by position, so a parameter may make way for a name of the script."""
    batch, index = state.aside.get("batch", "batch"), state.aside.get("batch_idx", "batch_idx")
    several = any(i.guard is not None and i.guard.loaders for i in draft.hooks.get(hook, []))
    if hook == VALIDATION_STEP and (state.per_loader or several):
        place = f"{LOADER_INDEX}=0" if draft.seconds else LOADER_INDEX  # Lightning does not tell of the only loader
        return f"def {hook}(self, {state.batch_parameter.get(hook, batch)}, {index}, {place}):"
    if hook in _BATCH_HOOKS:
        return f"def {hook}(self, {state.batch_parameter.get(hook, batch)}, {index}):"
    if hook in SAVES:
        path = ", path" if all(i.target for i in draft.hooks[hook]) else ""
        return f"def {hook}(self{path}):"
    if hook == BEFORE_STEP:
        return f"def {hook}(self, {_aside('optimizer', kept)}):"
    if hook == BATCH_END:
        outputs = state.aside.get("outputs", _aside("outputs", kept))
        given = state.batch_parameter.get(hook, batch)
        if given == batch and not state.unpacked.get(hook):
            given = state.aside.get("batch", _aside("batch", kept))
        return f"def {hook}(self, {outputs}, {given}, {index}):"
    return f"def {hook}(self):"


def _aside(parameter: str, kept: set[str]) -> str:
    return f"_{parameter}" if parameter in kept else parameter


def _kept_names(draft: Draft, state: State, hook: str) -> set[str]:
    """The names of the script that a hook reads as they are."""
    exposed = draft.variables.sequence(draft.hooks.get(hook, [])).exposed
    return {v.name for v in exposed if v.is_global and v not in state.homes and (hook, v) not in state.in_hook}


def _function(signature: str, body: list[Statement], writer: HookWriter) -> str:
    function = cst.parse_statement(f"{signature}\n    pass\n")
    assert isinstance(function, cst.FunctionDef)
    footer = [line for line in writer.trailing or [] if line.comment]
    writer.trailing = None
    if body:
        function = function.with_changes(body=cst.IndentedBlock(body, footer=footer))
    module = cst.Module([function], default_indent=writer.draft.source.module.default_indent)
    return module.code.replace("\r\n", "\n").replace("\r", "\n")


def _indent(text: str) -> str:
    """Put a method into the class. Lines inside of multi-line strings must not move, so LibCST does it."""
    if '"""' not in text and "'''" not in text and "\\\n" not in text:
        return "".join(f"    {line}\n" if line else "\n" for line in text.removesuffix("\n").split("\n"))
    parsed = cst.parse_module("class _:\n    pass\n")
    method = cst.parse_module(text)
    definition = parsed.body[0]
    assert isinstance(definition, cst.ClassDef)
    block = cst.IndentedBlock(list(method.body), indent="    ")
    moved = cst.Module([definition.with_changes(body=block)], default_indent=method.default_indent).code
    return moved.partition("\n")[2]


def _constructor(draft: Draft, state: State, writer: HookWriter, names: Names) -> str:
    parameters = [p for p, _attribute, _argument in state.parameters]
    if state.hyperparameters:
        parameters.append(state.hyperparameters)
    lines = [f"def __init__({', '.join(['self', *parameters])}):", "    super().__init__()"]
    if not draft.automatic:
        lines.append("    self.automatic_optimization = False")
    if state.hyperparameters:
        lines.append(f"    {_saved_hyperparameters(draft, state)}")
    lines += [f"    self.{attribute} = {parameter}" for parameter, attribute, _argument in state.parameters]
    lines += [f"    self.{attribute} = {name}" for attribute, name in state.views.items()]
    text = "\n".join(lines) + "\n"
    for statement in dict.fromkeys(statement for _attribute, statement, _name in state.initial):
        twin = draft.source.twins[statement]
        starts = {name: f"self.{attribute}" for attribute, own, name in state.initial if own is statement}
        line = rename(standalone(twin.node, twin.index), starts)
        line = line.with_changes(leading_lines=[c for c in line.leading_lines if c.comment])
        code = cst.Module([line]).code.replace("\r\n", "\n")
        text += "".join(f"    {part}\n" for part in code.splitlines())
    for attribute, made in state.metrics.items():
        for key, meant in names.words.items():
            made = made.replace(key, meant)
        text += f"    self.{attribute} = {made}\n"
    return text


def _saved_hyperparameters(draft: Draft, state: State) -> str:
    """The line that makes ``self.hparams``; what Lightning must not compare with the values is left out by name.

    A name that is left out is none of the values either, so a value of that name takes another way, as do many names. A logger that writes the
    script's own points is not told of them: to MLflow a parameter of that name may be another one.
    """
    values = f"vars({state.hyperparameters})"
    own = ", logger=False" if draft.own_points else ""
    if not state.compared:
        return f"self.save_hyperparameters({values}{own})"
    if len(state.compared) > _MANY or any(n.attr in state.compared for n in draft.source.all(ast.Attribute)):
        return f"self.hparams.update({values})"
    names = ", ".join(f'"{name}"' for name in state.compared)
    return f"self.save_hyperparameters({values}, ignore=[{names}]{own})"


def _configure(draft: Draft, configured: Configured, state: State, writer: HookWriter) -> str:
    lines = ["def configure_optimizers(self):"]
    if not configured.moved:
        written = (
            template.replace("{}", _optimizer_text(draft, e, writer, state))
            for e, template in zip(configured.expressions, configured.templates, strict=True)
            if draft.roles.of(e, draft.nest.step_frame.scope) is not Role.SCALER
        )
        texts = list(dict.fromkeys(written))
        if configured.scheduler is not None:
            scheduler = state.homes.get(configured.scheduler, configured.scheduler.name)
            inner = f'{{"scheduler": {scheduler}, {_stepped(draft, configured)}}}'
            lines.append(f'    return {{"optimizer": {texts[0]}, "lr_scheduler": {inner}}}')
        elif len(texts) == 1:
            lines.append(f"    return {_alone(texts[0])}")
        elif any(may_be_none(draft, e) or _may_be_missing(draft, e) for e in configured.expressions):
            lines.append(f"    return [optimizer for optimizer in ({', '.join(texts)}) if optimizer is not None]")
        else:
            lines.append(f"    return [{', '.join(texts)}]")
        return "\n".join(lines) + "\n"
    return "\n".join([*lines, *_made(draft, configured, state, writer)]) + "\n"


def _stepped(draft: Draft, configured: Configured) -> str:
    """When the Trainer steps a schedule, and by which number."""
    monitor = f', "monitor": {draft.words[configured.monitor]}' if configured.monitor else ""
    return f'"interval": "{configured.interval}"{monitor}'


def _alone(text: str) -> str:
    """What is returned for one expression: a list of the optimizers that a container holds."""
    held = text.removeprefix("*")
    return f"list({held})" if held != text and held.endswith(")") else held


def _optimizer_text(draft: Draft, optimizer: ast.expr, writer: HookWriter, state: State) -> str:
    """How the module reaches an optimizer that the script makes."""
    variable = draft.variable(optimizer, draft.nest.step_frame)
    if variable is not None and variable not in state.homes and variable.is_global:
        return optimizer_of_module_level(draft, variable)
    return writer.text(optimizer, draft.nest.step_frame, "configure_optimizers")


def _may_be_missing(draft: Draft, optimizer: ast.expr) -> bool:
    variable = draft.variable(optimizer, draft.nest.step_frame)
    return variable is not None and may_be_missing(draft, variable)


def _loaded_here(configured: Configured, state: State, statement: ast.stmt, names: Mapping[str, str]) -> Iterator[str]:
    """The lines that load what the script has loaded between this moved statement and the next one."""
    following = [s.lineno for s in configured.moved if s.lineno > statement.lineno]
    for one in configured.loaded:
        first = one.statements[0].lineno
        if statement.lineno < first and not any(line < first for line in following):
            held = state.loaded[one.name]
            own = (
                names.get(one.variable.name, one.variable.name)
                if one.variable in configured.held
                else one.variable.name
            )
            if not one.surely:
                yield f"    if {held} is not None:"
            yield f"    {'' if one.surely else '    '}{own}.load_state_dict({held})"


def _asked_again(configured: Configured, state: State, statement: ast.stmt, lines: list[str]) -> list[str]:
    """The question whether a state was loaded, before what runs behind it, unless it has just been asked."""
    question = f"    if {state.loaded[configured.set_behind[statement].name]} is not None:"
    asked = next((line for line in reversed(lines) if line and not line.startswith("     ")), "")
    return [] if asked == question else [question]


def _local_name(configured: Configured, name: str) -> str:
    """What the module calls an optimizer or scheduler while it makes it: an object's attribute by its own name, where nothing else has that."""
    short = plain(name)
    mentioned = {n.id for s in configured.moved for n in walk(s) if isinstance(n, ast.Name)}
    return short if is_attribute(name) and short not in mentioned and not configured.shared else name


def _made(draft: Draft, configured: Configured, state: State, writer: HookWriter) -> list[str]:
    """The raw statements that make optimizers and schedulers, and what Lightning gets of them."""
    claimed = [] if configured.scheduler is None else [configured.scheduler]
    listed = [] if configured.listed is None else [configured.listed.variable]
    own = {v.name for v in [*configured.optimizers, *claimed, *listed]}
    called = {name: _local_name(configured, name) for name in own}
    single = (
        len(configured.moved) == 1
        and not configured.inside
        and not claimed
        and not configured.loaded
        and not configured.shared
        and isinstance(configured.moved[0], ast.Assign)
    )
    lines: list[str] = []
    for statement in configured.moved:
        found = writer.names(draft.nest.entry, "configure_optimizers", statement)
        twin = draft.source.twins[statement]
        line = rename(standalone(twin.node, twin.index), {**found, **called})
        line = line.with_changes(leading_lines=[c for c in line.leading_lines if c.comment])
        code = cst.Module([line]).code.replace("\r\n", "\n").rstrip("\n")
        if isinstance(statement, ast.Assign) and (single or statement in configured.unread):
            target, given = ast.unparse(statement.targets[0]), "return " if single else ""
            target = called.get(target, target)
            code, found_once = re.subn(rf"^{re.escape(target)}\s*=\s*", given, code, count=1, flags=re.M)
            single = single and bool(found_once)
        deep = "        " if statement in configured.set_behind else "    "
        lines += _asked_again(configured, state, statement, lines) if statement in configured.set_behind else []
        lines += [f"{deep}{part}" if part else "" for part in code.splitlines()]
        lines += _loaded_here(configured, state, statement, found)
    if single:
        return lines
    if configured.listed is not None:
        return [*lines, f"    return {configured.listed.variable.name}"]
    optimizers = [called[v.name] for v in configured.optimizers]
    optimizers += [f"{state.homes[v]}.{inner}" for v, inner in configured.inside.items()]
    if configured.scheduler is not None:
        inner = f'{{"scheduler": {called[configured.scheduler.name]}, {_stepped(draft, configured)}}}'
        return [*lines, f'    return {{"optimizer": {optimizers[0]}, "lr_scheduler": {inner}}}']
    return [*lines, f"    return [{', '.join(optimizers)}]" if len(optimizers) > 1 else f"    return {optimizers[0]}"]
