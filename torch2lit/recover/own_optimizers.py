"""Which methods of an own optimizer run as it is made.

class SAM(torch.optim.Optimizer):
    def __init__(self, params, base, **kwargs):
        super().__init__(params, kwargs)                    calls `add_param_group`
        self.base_optimizer = base(self.param_groups)
    def first_step(self): ...                               runs in the loop only
"""

from __future__ import annotations

import ast

from .bindings import Names
from .syntax import dotted, walk

_BARE = ("torch.optim.Optimizer", "torch.optim.optimizer.Optimizer")
_CALLED = ("add_param_group", "profile_hook_step", "_patch_step_function", "_hook_for_profile")
"""What ``Optimizer.__init__`` calls of the object (torch/optim/optimizer.py)."""
_PLAIN_DECORATORS = ("torch.no_grad", "torch.enable_grad", "staticmethod", "classmethod")
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
