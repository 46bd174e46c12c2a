"""Which methods of an own optimizer run as it is made, and whether these only hand on the parameters that they are given.

class SAM(torch.optim.Optimizer):
    def __init__(self, params, base, **kwargs):
        super().__init__(params, kwargs)                    calls `add_param_group`
        self.base_optimizer = base(self.param_groups)
    def first_step(self): ...                               runs in the loop only
"""

from __future__ import annotations

import ast
import builtins

from .bindings import Names
from .names import local_names
from .syntax import dotted, walk

_BARE = ("torch.optim.Optimizer", "torch.optim.optimizer.Optimizer")
_CALLED = ("add_param_group", "profile_hook_step", "_patch_step_function", "_hook_for_profile")
"""What ``Optimizer.__init__`` calls of the object (torch/optim/optimizer.py)."""
_PLAIN_DECORATORS = ("torch.no_grad", "torch.enable_grad", "staticmethod", "classmethod")
_NEVER = ("__setstate__", "__getstate__", "__repr__", "__str__")
"""What ``Optimizer.__init__`` does not call of the object."""
_HOLDING = {"param_groups", "state", "defaults"}
_LOOKING = {"isinstance", "len", "type", "str", "repr", "float", "int"}
_BY_TEXT = ("getattr", "vars", "__dict__", "__class__", "dir", "eval", "exec")


def run_by_making(roles: Names, definition: ast.ClassDef, base: ast.expr) -> list[ast.FunctionDef]:
    """The methods that may run as an own optimizer is made: for torch's bare base those that it calls, and whatever these name."""
    methods = [m for m in definition.body if isinstance(m, ast.FunctionDef)]
    if roles.full_name(base) not in _BARE:
        return methods
    run = [m for m in methods if m.name in _CALLED or m.name.startswith("__") or _is_asked(m)]
    while True:
        named = {n.attr for m in run for n in walk(m) if isinstance(n, ast.Attribute)}
        further = [m for m in methods if m.name in named and m not in run]
        if any(_hands_itself_on(m) for m in [*run, *further]):
            return methods
        if not further:
            return run
        run += further


def holds_parameters_alone(roles: Names, definition: ast.ClassDef) -> bool:
    """Whether making an own optimizer keeps the parameters and nothing that is computed of them, as torch's own do."""
    if len(definition.bases) != 1 or definition.keywords or roles.full_name(definition.bases[0]) not in _BARE:
        return False
    run = [m for m in run_by_making(roles, definition, definition.bases[0]) if m.name not in _NEVER]
    wrapped = definition.decorator_list or any(m.decorator_list for m in run)
    return not wrapped and all(_only_keeps(roles, s) for m in run for s in m.body)


def _only_keeps(roles: Names, statement: ast.stmt) -> bool:
    """Whether a statement of a constructor checks numbers, keeps what it is given, or gives it to the one above."""
    match statement:
        case ast.If(test=test, body=body, orelse=orelse):
            raises = all(isinstance(s, ast.Raise) for s in body)
            return raises and _only_looks(roles, test) and all(_only_keeps(roles, s) for s in orelse)
        case ast.Raise() | ast.Assert():
            return all(_only_looks(roles, child) for child in ast.iter_child_nodes(statement))
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(), attr=name)], value=value):
            return name not in _HOLDING and _is_as_given(roles, value)
        case ast.Assign(targets=[ast.Name()], value=value):
            return _is_as_given(roles, value)
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=above, attr="__init__"), args=args, keywords=keywords)):
            named = isinstance(above, ast.Call) and isinstance(above.func, ast.Name) and above.func.id == "super"
            return named and all(_is_as_given(roles, v) for v in (*args, *(k.value for k in keywords)))
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_as_given(roles: Names, value: ast.expr | None) -> bool:
    """Whether a value is something that was given, or a collection of such things."""
    match value:
        case ast.Name() | ast.Constant() | None:
            return True
        case ast.Dict(keys=keys, values=values):
            return all(_is_as_given(roles, part) for part in (*keys, *values))
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return all(_is_as_given(roles, part) for part in parts)
        case ast.Call(func=ast.Name(id="dict") as function, args=[], keywords=keywords):
            return function.id not in local_names(roles.source.tree) and all(
                _is_as_given(roles, k.value) for k in keywords
            )
    return False


def _only_looks(roles: Names, value: ast.AST) -> bool:
    """Whether a value is computed of numbers alone, or is an error with its text."""
    calls = [n for n in walk(value) if isinstance(n, ast.Call)]
    return not any(isinstance(n, ast.NamedExpr | ast.Await) for n in walk(value)) and all(
        _is_of_text(c.func) or _is_builtin(roles, c.func) for c in calls
    )


def _is_of_text(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and isinstance(function.value, ast.Constant)


def _is_builtin(roles: Names, function: ast.expr) -> bool:
    if not isinstance(function, ast.Name) or function.id in local_names(roles.source.tree):
        return False
    kind = getattr(builtins, function.id, None)
    return function.id in _LOOKING or (isinstance(kind, type) and issubclass(kind, BaseException))


def _is_asked(method: ast.FunctionDef) -> bool:
    """Whether a method may run without being called: a property, or what an unknown decorator makes of it."""
    return any(dotted(d.func if isinstance(d, ast.Call) else d) not in _PLAIN_DECORATORS for d in method.decorator_list)


def _hands_itself_on(method: ast.FunctionDef) -> bool:
    """Whether a method gives the object away, but for ``super()``, or finds methods by their names in a text."""
    itself = method.args.args[0].arg if method.args.args else ""
    owners = {n.value for n in walk(method) if isinstance(n, ast.Attribute)}
    supers = {a for n in walk(method) if isinstance(n, ast.Call) and dotted(n.func) == "super" for a in n.args}
    for node in walk(method):
        if isinstance(node, ast.Name) and node.id == itself and node not in owners | supers:
            return True
        if isinstance(node, ast.Name | ast.Attribute) and dotted(node).rpartition(".")[2] in _BY_TEXT:
            return True
    return False
