"""Values that live across hooks become attributes of the module."""

from __future__ import annotations

import ast

from ...recover.items import parts
from ...recover.names import flow, free_names, parameter_names, target_names
from ...recover.raised import takers_of_calls
from ...recover.state_names import is_attribute, plain
from ...recover.syntax import blocks, dotted, walk, walk_scope, walk_statements
from ...recover.variables import Variable
from ..afterwards import statements_after
from ..draft import (
    BATCH_END,
    BATCH_START,
    BEFORE_STEP,
    EPOCH_END,
    EPOCH_START,
    HOOKS,
    TRAINING_STEP,
    VALIDATION_END,
    VALIDATION_START,
    VALIDATION_STEP,
    Removal,
)
from ..handlers import written_in_handlers
from ..making import on_the_way
from ..several_loaders import LOADER_INDEX
from ..statements_between import statements_between
from ..surely_runs import has_turns
from .facts import Facts
from .script_state import declares, is_asked_for_behind, only_training_changes
from .unbound import argument_of


class Promotion(Facts):
    """Gives attributes to what one hook writes and another, or the script after training, reads."""

    def must_live_on(self, variable: Variable) -> bool:
        if variable in self.kept:
            return True
        if is_attribute(variable.name):  # whoever has the object may look at it
            return True
        if self.read_out_of_sight(variable):
            return True
        if self.read_by_closure(variable) is not None:
            return True
        counters = self.counter_variables()
        if variable in counters:
            rewritten = any(variable in self.variables.sequence(self.draft.hooks.get(h, [])).written for h in HOOKS)
            return (rewritten and self.is_asked_for(variable)) or self.read_after(variable)
        if variable in self.index_variables():
            given = [
                BATCH_START,
                TRAINING_STEP,
                BATCH_END,
                *([VALIDATION_STEP] if self.counts_validation(variable) else []),
            ]
            elsewhere = [h for h in HOOKS if h not in given]
            return any(variable in self.exposed.get(h, ()) for h in elsewhere) or self.read_after(variable)
        return self.is_asked_for(variable) or self.read_after(variable)

    def name_attributes(self, promoted: list[Variable]) -> None:
        """Choose attribute names: the user's, with the function's name before it where two would be the same."""
        groups: dict[str, list[Variable]] = {}
        for variable in promoted:
            groups.setdefault(variable.name, []).append(variable)
        for variable in promoted:
            if is_attribute(variable.name):  # it stays on its object
                continue
            name = variable.name
            if len(groups[name]) > 1 and variable.frame is not None and variable.frame.name:
                prefix = plain(variable.frame.name).removesuffix("_pass")
                if not name.startswith(prefix) and variable.frame is not self.entry:
                    name = f"{prefix}_{name}"
            self.attributes[self.free_attribute(name)] = variable

    def promote(self, variable: Variable) -> None:
        shared = is_attribute(variable.name) or variable.frame is None
        if variable.is_global and self.lives_on_the_module(variable):
            return
        if variable.is_global and (shared or self.shared_global(variable)):
            for hook in HOOKS:
                if variable in self.written.get(hook, ()):
                    self.state.global_names.setdefault(hook, set()).add(variable.name)
            return
        if variable.frame is None:
            raise self.draft.refuse(
                "closure-over-loop-state",
                self.draft.nest.outermost,
                f"`{variable.name}` belongs to an enclosing function and is changed in the loop",
            )
        if variable.frame is self.entry and (closure := self.read_by_closure(variable)) is not None:
            message = f"`{variable.name}` is changed in the loop, and what stands here reads it at every call"
            if isinstance(closure, ast.FunctionDef | ast.AsyncFunctionDef):
                message = (
                    f"`{closure.name}` reads `{variable.name}`, which the loop changes, from the function around it"
                )
            raise self.draft.refuse("closure-over-loop-state", closure, message)
        if (binder := self.bound_by_name(variable)) is not None:
            message = f"`{variable.name}` has to live on the module, and what binds it here takes plain names only"
            raise self.draft.refuse("output-not-valid", binder, message)
        attribute = self.attribute_of(variable)
        self.state.homes[variable] = f"self.{attribute}"
        if variable.scope is self.entry.scope and variable.frame is self.entry:
            self.give_initial(variable, attribute)
            self.give_after(variable, attribute)

    def lives_on_the_module(self, variable: Variable) -> bool:
        """Give a home to a variable of the script that only the training changes, though it is not in the script's own code."""
        if not only_training_changes(self.draft, variable) or self.read_by_closure(variable) is not None:
            return False
        back = is_asked_for_behind(self.draft, variable)
        if (
            back
            and isinstance(self.entry.scope, ast.FunctionDef)
            and takers_of_calls(self.draft.source, self.entry.scope)
        ):
            return False  # who takes an exception of the training asks before anything is given back
        if (back and not declares(self.draft, variable)) or self.bound_by_name(variable) is not None:
            return False
        attribute = self.attribute_of(variable)
        self.state.homes[variable] = f"self.{attribute}"
        self.add_parameter(variable.name, attribute, variable.name)
        if back:
            self.state.written_back.append((variable.name, attribute))
        return True

    def divide_among_loaders(self) -> None:
        """What a validation over several loaders starts with has a value for each of them."""
        found = self.draft.validation
        self.give_number_of_batches()
        if found is None or not found.others:
            return
        if LOADER_INDEX in self.draft.source.names:
            message = f"`{LOADER_INDEX}` of the script would be hidden by the parameter of that name"
            raise self.draft.refuse("output-not-valid", found.loop.node, message)
        frames = [one.frame for one in found.firsts if found.over_several(one.frame)]
        for item in self.draft.hooks.get(VALIDATION_START, []):
            if item.frame in frames and item.node not in self.draft.removals:
                homes = self.state.homes
                written = self.variables.use(item).written
                self.state.per_loader |= {
                    v for v in written if v.frame is item.frame and homes.get(v, "").startswith("self.")
                }

    def give_number_of_batches(self) -> None:
        """The number of batches that a limited validation runs over is what Lightning counts, for each of its loaders."""
        found = self.draft.validation
        if found is None or found.limit is None:
            return
        variable = self.variables.of(found.frame, found.limit.count.name)
        if variable is not None and found.others:
            self.state.homes[variable] = "self.trainer.num_val_batches"
            self.state.per_loader.add(variable)
        elif variable is not None:
            self.state.homes[variable] = "self.trainer.num_val_batches[0]"

    def bound_by_name(self, variable: Variable) -> ast.AST | None:
        """What binds a variable in the loop and cannot bind an attribute: `except ... as`, `:=`, a captured pattern."""
        for item in self.draft.all_items():
            for part, frame in parts(item):
                for node in walk_scope(part):
                    match node:
                        case (
                            ast.ExceptHandler(name=str(name))
                            | ast.NamedExpr(target=ast.Name(id=name))
                            | ast.MatchAs(name=str(name))
                            | ast.MatchStar(name=str(name))
                            | ast.MatchMapping(rest=str(name))
                        ) if self.variables.of(frame, name) is variable:
                            return node
        return None

    def give_initial(self, variable: Variable, attribute: str) -> None:
        """The value that the variable has when training starts."""
        statements = self.statements_before(variable)
        if not statements or not self.needs_initial(variable):
            return
        if len(statements) == 1 and self.may_move(variable, statements[0]):
            self.state.initial.append((attribute, statements[0], variable.name))
            self.draft.removals[statements[0]] = Removal("__init__", "promote_state", "the value lives on the module")
            return
        self.add_parameter(variable.name, attribute, argument_of(self.draft, variable))

    def needs_initial(self, variable: Variable) -> bool:
        """Whether some hook, or the script behind a loop that had no turn, may read the variable before any hook has surely written it."""
        if self.keeps_its_start(variable):
            return True
        for hook in HOOKS:
            if variable in self.exposed.get(hook, ()):
                return True
            if variable in self.definite.get(hook, ()) and hook in self.surely_run():
                return False
        return self.read_after(variable)

    def keeps_its_start(self, variable: Variable) -> bool:
        """Whether the script reads behind the loop what it has surely bound before, and the loop may have no turn."""
        scope = self.entry.scope
        bound = set(flow(statements_between(self.draft, 0)).definite)
        bound |= set() if isinstance(scope, ast.Module) else {*parameter_names(scope)}
        return self.read_after(variable) and variable.name in bound and not has_turns(self.draft)

    def surely_run(self) -> set[str]:
        """The hooks that run in every epoch; a loader holds at least one batch."""
        validation = self.draft.validation
        always = {EPOCH_START, BATCH_START, TRAINING_STEP, BEFORE_STEP, BATCH_END, EPOCH_END}
        if validation is not None and validation.every is None:
            always |= {VALIDATION_START, VALIDATION_END}
        return always

    def statements_before(self, variable: Variable) -> list[ast.stmt]:
        found = []
        for statement in walk_statements(self.entry.scope.body):
            if statement.lineno >= self.draft.nest.outermost.lineno:
                break
            if variable.name in _own_targets(statement):
                found.append(statement)
        if not isinstance(self.entry.scope, ast.Module):
            if variable.name in parameter_names(self.entry.scope):
                found.append(self.entry.scope.body[0])
                found.append(self.entry.scope.body[0])
        return found

    def may_move(self, variable: Variable, statement: ast.stmt) -> bool:
        """Whether the one start value is a plain literal that nothing else looks at before the loop."""
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            return False
        if not isinstance(statement.targets[0], ast.Name) or not is_literal(statement.value):
            return False
        if not on_the_way(self.draft, statement) or self.looped_outside() or self.read_without_training(variable):
            return False
        start, end = statement.lineno, self.draft.nest.outermost.lineno
        if any(dotted(c.func) == "exec" and start < c.lineno < end for c in self.draft.source.calls):
            return False
        for node in walk(self.draft.source.tree):
            if isinstance(node, ast.Name) and node.id == variable.name and start < node.lineno < end:
                scope = self.draft.source.scope_of(node)
                if self.draft.roles.key(scope, node.id) == (variable.scope, variable.name):
                    if scope is self.entry.scope:
                        return False
        return True

    def give_after(self, variable: Variable, attribute: str) -> None:
        if not self.read_after(variable):
            return
        functions = [f for f in self.remaining_functions() if variable.name in free_names(f)]
        statements = statements_after(self.draft)
        rebound = variable.name in flow(statements).written | written_in_handlers(self.draft)
        apart = self.looped_outside() or self.read_without_training(variable)
        if functions or rebound or apart or self.another_loop_follows(statements):
            self.state.written_back.append((variable.name, attribute))
        else:
            self.state.after[variable.name] = attribute

    def read_without_training(self, variable: Variable) -> bool:
        """Whether what reads a variable after the loop may run when the loop has not: it stands outside of a branch around it."""
        draft = self.draft
        node: ast.AST = draft.nest.outermost
        branched = False
        outside: list[ast.stmt] = []
        for ancestor in draft.source.ancestors(node):
            for block in blocks(ancestor):
                if branched and node in block:
                    outside += block[block.index(node) + 1 :]
            if isinstance(ancestor, ast.Try):
                outside += [*ancestor.finalbody, *(s for h in ancestor.handlers for s in h.body)]
            if ancestor is self.entry.scope:
                break
            branched = branched or not isinstance(ancestor, ast.With)
            node = ancestor
        return variable.name in flow(outside).exposed

    def another_loop_follows(self, statements: list[ast.stmt]) -> bool:
        """Whether another training loop stands among the statements: it goes on with plain names."""
        return any(node in self.draft.other_loops for s in statements for node in walk(s))


def _own_targets(statement: ast.stmt) -> set[str]:
    """The names that the statement itself binds, nested blocks left out."""
    match statement:
        case ast.Assign(targets=targets):
            return {n for t in targets for n in target_names(t)}
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
            return set(target_names(target))
        case ast.For(target=target):
            return set(target_names(target))
        case ast.With(items=items):
            return {n for i in items if i.optional_vars is not None for n in target_names(i.optional_vars)}
    return set()


def is_literal(node: ast.expr) -> bool:
    """Whether a value is written out."""
    match node:
        case ast.Constant():
            return True
        case ast.UnaryOp(operand=operand):
            return is_literal(operand)
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            return all(is_literal(e) for e in elements)
        case ast.Dict(keys=keys, values=values):
            return all(k is not None and is_literal(k) for k in keys) and all(is_literal(v) for v in values)
        case ast.Call(func=ast.Name(id="float"), args=[ast.Constant()]):
            return True
        case ast.Attribute(
            value=ast.Name(id="np" | "numpy" | "math" | "torch"), attr="inf" | "Inf" | "Infinity" | "nan"
        ):
            return True
        case ast.Call(func=ast.Name(id="list" | "dict" | "set"), args=[], keywords=[]):
            return True
    return False
