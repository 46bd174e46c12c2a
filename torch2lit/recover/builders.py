"""Methods of networks that run only while an object is made: what they bind is there before anybody computes with it.

def __init__(self, block, depths):                    def _make_layer(self, block, planes, depth):
    self.width = 64                                       self.width = planes * block.expansion
    self.layer1 = self._make_layer(block, 64, 3)          return nn.Sequential(...)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..memory import once
from .syntax import Source

_OF_TORCH = {
    "_apply", "_call_impl", "_get_backward_hooks", "_get_backward_pre_hooks", "_get_name", "_load_from_state_dict",
    "_maybe_warn_non_full_backward_hook", "_named_members", "_register_load_state_dict_pre_hook", "_register_state_dict_hook",
    "_replicate_for_data_parallel", "_save_to_state_dict", "_slow_forward", "_wrapped_call_impl", "add_module", "apply", "bfloat16", "buffers",
    "children", "compile", "cpu", "cuda", "double", "eval", "extra_repr", "float", "forward", "get_buffer", "get_extra_state", "get_parameter",
    "get_submodule", "half", "ipu", "load_state_dict", "modules", "mtia", "named_buffers", "named_children", "named_modules", "named_parameters",
    "parameters", "register_backward_hook", "register_buffer", "register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook",
    "register_full_backward_pre_hook", "register_load_state_dict_post_hook", "register_load_state_dict_pre_hook", "register_module",
    "register_parameter", "register_state_dict_post_hook", "register_state_dict_pre_hook", "requires_grad_", "set_extra_state", "set_submodule",
    "share_memory", "state_dict", "to", "to_empty", "train", "type", "xpu", "zero_grad"
}  # fmt: skip
"""The methods of torch's modules, which torch and other code call: a class may have its own."""


def builders(source: Source) -> frozenset[str]:
    """The names of methods that nothing in a file mentions but constructors, which call them at once, and others of these."""
    return once(("builders", id(source)), lambda: (source, _found(source)))[1]


def asked_elsewhere(source: Source) -> frozenset[str]:
    """The attributes that a file mentions anywhere else than in such calls."""
    found = builders(source)
    return frozenset(n.attr for n in source.all(ast.Attribute) if not _is_run_by(source, n, found))


def _found(source: Source) -> frozenset[str]:
    mentioned = {n.attr for n in source.all(ast.Attribute)}
    texts = {n.value for n in source.all(ast.Constant) if isinstance(n.value, str)}
    found = frozenset(m.name for m in _methods(source) if _may_be(m, texts) and m.name in mentioned)
    while True:
        kept = frozenset(name for name in found if all(_is_run_by(source, n, found) for n in _mentions(source, name)))
        if kept == found:
            return found
        found = kept


def _methods(source: Source) -> Iterator[ast.FunctionDef]:
    for definition in source.classes.values():
        yield from (m for m in definition.body if isinstance(m, ast.FunctionDef))


def _may_be(method: ast.FunctionDef, texts: set[str]) -> bool:
    """Whether a method may be one that a constructor alone runs: no method of torch's, and none that a text or a decorator names."""
    static = all(isinstance(d, ast.Name) and d.id == "staticmethod" for d in method.decorator_list)
    own = not method.name.startswith("__") and method.name not in _OF_TORCH
    return static and own and method.name not in texts


def _mentions(source: Source, name: str) -> Iterator[ast.AST]:
    yield from (n for n in source.all(ast.Attribute) if n.attr == name)
    yield from (n for n in source.all(ast.Name) if n.id == name)


def _is_run_by(source: Source, mention: ast.AST, found: frozenset[str]) -> bool:
    """Whether a mention is a call that a constructor or another of these methods makes at once."""
    call = source.parents.get(mention)
    if not isinstance(mention, ast.Attribute) or not isinstance(call, ast.Call) or call.func is not mention:
        return False
    scope = source.scope_of(mention)
    if not isinstance(scope, ast.FunctionDef) or not isinstance(source.parents[scope], ast.ClassDef):
        return False
    return (scope.name == "__init__" or scope.name in found) and not _waits(source, mention, scope)


def _waits(source: Source, mention: ast.AST, method: ast.AST) -> bool:
    """Whether a function inside of the method, or a generator, runs the call whenever somebody asks."""
    for ancestor in source.ancestors(mention):
        if ancestor is method:
            return False
        if isinstance(ancestor, ast.Lambda | ast.GeneratorExp):
            return True
    return True
