"""Which process of the group is this? Values that surely are its number, and conditions that ask whether it is the first.

The Trainer says the same by `global_rank` and `is_global_zero`, as far as torchrun has started the processes.
"""

from __future__ import annotations

import ast

from ..ddp.environment import changes_numbers
from ..recover.names import parameter_names
from ..recover.roles import Binding, Key, Roles
from ..recover.state_names import is_attribute, plain
from ..recover.syntax import Scope, Source
from .draft import Draft
from .given import given_by_calls

_DEEPEST = 6
_GET_RANK = {"torch.distributed.get_rank", "torch.distributed.distributed_c10d.get_rank"}
_INITIALIZED = {"torch.distributed.is_initialized", "torch.distributed.distributed_c10d.is_initialized"}


class Ranks:
    """Answers for the group that the Trainer joins; for any other script nothing is known."""

    def __init__(self, draft: Draft) -> None:
        self.source: Source = draft.source
        self.roles: Roles = draft.roles
        group, options = draft.group, draft.options
        told = options.strategy is not None or options.devices is not None or options.num_nodes is not None
        self.known = (
            group is not None
            and not (group.spawned or group.joined or told)
            and not changes_numbers(self.source, self.roles)
        )
        self.test = group.test if group is not None else ""
        """The condition under which there is a group, "" when there always is."""

    def is_number(self, node: ast.expr, scope: Scope) -> bool:
        """Whether a value is the number of the process in the whole group, and 0 where there is none."""
        return self.known and self._is_number(node, scope, bool(self.test), 0)

    def is_first(self, node: ast.expr, scope: Scope) -> bool | None:
        """True for a condition that holds in the first process alone, False for one that holds in all others; None else."""
        return self._is_first(node, scope, bool(self.test), 0) if self.known else None

    def _is_number(self, node: ast.expr, scope: Scope, open_: bool, depth: int) -> bool:
        """``open_``: there may be no group here."""
        if depth > _DEEPEST:
            return False
        match node:
            case ast.Call(args=[], keywords=[]) if self.roles.full_name(node.func) in _GET_RANK:
                return not open_
            case ast.Call(func=ast.Name(id="int"), args=[told], keywords=[]):
                return not open_ and self.roles.key(scope, "int") is None and self._is_told(told)
            case ast.IfExp(test=test, body=body, orelse=ast.Constant(value=0)):
                return self._asks_for_group(test, scope) and self._is_number(body, scope, False, depth + 1)
            case ast.Name(id=name):
                key = self.roles.key(scope, name)
                return key is not None and self._all(key, open_, depth, asks=False)
        return False

    def _is_told(self, node: ast.expr) -> bool:
        """Whether it is what torchrun says."""
        match node:
            case ast.Subscript(value=value, slice=ast.Constant(value="RANK")):
                return self.roles.full_name(value) == "os.environ"
            case ast.Call(func=func, args=[ast.Constant(value="RANK"), *default], keywords=[]):
                zero = not default or (isinstance(default[0], ast.Constant) and default[0].value in (0, "0"))
                return zero and self.roles.full_name(func) in ("os.environ.get", "os.getenv")
        return False

    def _holds(self, node: ast.expr, scope: Scope, open_: bool, depth: int, asks: bool) -> bool:
        """``asks``: whether it is the condition that is looked for, not the number."""
        if asks:
            return self._is_first(node, scope, open_, depth) is True
        return self._is_number(node, scope, open_, depth)

    def _all(self, key: Key, open_: bool, depth: int, asks: bool) -> bool:
        """Whether all values that a variable ever has are the number, or the condition."""
        scope, name = key
        view = self.source.view
        if is_attribute(name):
            if view is None or view.bound_outside is None or plain(name) in view.bound_outside:
                return False
        elif self.roles.rebound_unseen(key):
            return False
        bindings = self.roles.bindings(key)
        stores = [n for n in self.source.all(ast.Name) if n.id == name and not isinstance(n.ctx, ast.Load)]
        stores = [n for n in stores if self.roles.key(self.source.scope_of(n), name) == key]
        is_parameter = not isinstance(scope, ast.Module) and name in parameter_names(scope)
        if is_parameter and not stores:
            given = given_by_calls(self.roles, scope, name)
            return bool(given) and all(self._holds(value, where, open_, depth + 1, asks) for where, value in given)
        if is_parameter or not bindings or len(stores) != len(bindings):
            return False
        return all(self._holds_at(binding, open_, depth, asks) for binding in bindings)

    def _holds_at(self, binding: Binding, open_: bool, depth: int, asks: bool) -> bool:
        if binding.index is not None or not isinstance(binding.statement, ast.Assign | ast.AnnAssign):
            return False
        scope = self.source.scope_of(binding.statement)
        below: ast.AST = binding.statement
        for ancestor in self.source.ancestors(binding.statement):
            if ancestor is scope or not open_:
                break
            if isinstance(ancestor, ast.If) and self._asks_for_group(ancestor.test, scope):
                if below in ancestor.orelse:
                    alone = isinstance(binding.value, ast.Constant) and repr(binding.value.value)
                    return alone == ("True" if asks else "0")
                open_ = False
            below = ancestor
        return self._holds(binding.value, scope, open_, depth + 1, asks)

    def _asks_for_group(self, test: ast.expr, scope: Scope) -> bool:
        """Whether a condition is the one under which the script trains in a group."""
        if not self.test or ast.unparse(test) != self.test:
            return False
        match test:
            case ast.Call(args=[], keywords=[]):
                return self.roles.full_name(test.func) in _INITIALIZED
            case ast.Name(id=name):
                key = self.roles.key(scope, name)
                return key is not None and not is_attribute(name) and not self.roles.rebound_unseen(key) and (
                    len(self.roles.bindings(key)) + (not isinstance(key[0], ast.Module) and name in parameter_names(key[0])) == 1
                )  # fmt: skip
        return False

    def _is_first(self, node: ast.expr, scope: Scope, open_: bool, depth: int) -> bool | None:
        match node:
            case ast.Compare(
                left=number, ops=[ast.Eq() | ast.NotEq() as operator], comparators=[ast.Constant(value=0)]
            ):
                pass
            case ast.Compare(
                left=ast.Constant(value=0), ops=[ast.Eq() | ast.NotEq() as operator], comparators=[number]
            ):
                pass
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self._is_first(operand, scope, open_, depth + 1)
                return None if inner is None else not inner
            case ast.BoolOp(op=ast.Or(), values=[ast.UnaryOp(op=ast.Not(), operand=test), first]):
                grouped = self._asks_for_group(test, scope) or self._is_initialized(test)
                return True if grouped and self._is_first(first, scope, False, depth + 1) else None
            case ast.Name(id=name):
                key = self.roles.key(scope, name)
                found = key is not None and depth <= _DEEPEST and self._all(key, open_, depth, asks=True)
                return True if found else None
            case _:
                return None
        return isinstance(operator, ast.Eq) if self._is_number(number, scope, open_, depth + 1) else None

    def _is_initialized(self, node: ast.expr) -> bool:
        """Whether it asks if there is a group, in a script that never goes without."""
        return not self.test and isinstance(node, ast.Call) and self.roles.full_name(node.func) in _INITIALIZED
