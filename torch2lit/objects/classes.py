"""Which classes may be seen plainly: a class with its bases in the file, of which one object is looked at at a time."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from ..recover.names import parameter_names
from ..recover.own_classes import definition_of
from ..recover.project_text import BETWEEN, SETTINGS, replacements
from ..recover.roles import Roles, roles_of
from ..recover.state_names import state_name
from ..recover.syntax import Scope, Source, dotted, source_of, walk, walk_scope

_MAGIC = {
    "__getattr__", "__getattribute__", "__setattr__", "__delattr__", "__slots__", "__new__", "__init_subclass__",
    "__class_getitem__", "__set_name__", "__get__", "__set__",
}  # fmt: skip
"""What changes the meaning of an attribute, or of making an object."""
MODULE_NAMES = frozenset(
    [
        "T_destination",
        "_apply",
        "_backward_hooks",
        "_backward_pre_hooks",
        "_buffers",
        "_call_impl",
        "_compiled_call_impl",
        "_forward_hooks",
        "_forward_pre_hooks",
        "_get_backward_hooks",
        "_get_backward_pre_hooks",
        "_get_name",
        "_is_full_backward_hook",
        "_load_from_state_dict",
        "_maybe_warn_non_full_backward_hook",
        "_modules",
        "_named_members",
        "_non_persistent_buffers_set",
        "_parameters",
        "_register_load_state_dict_pre_hook",
        "_register_state_dict_hook",
        "_replicate_for_data_parallel",
        "_save_to_state_dict",
        "_slow_forward",
        "_state_dict_hooks",
        "_version",
        "_wrapped_call_impl",
        "add_module",
        "apply",
        "bfloat16",
        "buffers",
        "call_super_init",
        "children",
        "compile",
        "cpu",
        "cuda",
        "double",
        "dump_patches",
        "eval",
        "extra_repr",
        "float",
        "get_buffer",
        "get_extra_state",
        "get_parameter",
        "get_submodule",
        "half",
        "ipu",
        "load_state_dict",
        "modules",
        "mtia",
        "named_buffers",
        "named_children",
        "named_modules",
        "named_parameters",
        "parameters",
        "register_backward_hook",
        "register_buffer",
        "register_forward_hook",
        "register_forward_pre_hook",
        "register_full_backward_hook",
        "register_full_backward_pre_hook",
        "register_load_state_dict_post_hook",
        "register_load_state_dict_pre_hook",
        "register_module",
        "register_parameter",
        "register_state_dict_post_hook",
        "register_state_dict_pre_hook",
        "requires_grad_",
        "set_extra_state",
        "set_submodule",
        "share_memory",
        "state_dict",
        "to",
        "to_empty",
        "train",
        "training",
        "type",
        "xpu",
        "zero_grad",
    ]
)
"""What torch's own base of models gives each of them."""
_BINDERS = {
    "add_module", "register_module", "set_submodule", "register_parameter", "_modules", "_parameters", "__dict__",
    "__setattr__", "__setstate__",
}  # fmt: skip
_PROCESSES = {"init_process_group", "spawn", "DistributedDataParallel", "DDP"}
_BARE_BASES = {"object", "ABC", "Generic", "Protocol"}
_DEPTH = 8
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Family:
    """A class and those of its bases in the file that nothing else extends, the class itself last."""

    classes: list[ast.ClassDef]
    names: dict[Function, str] = field(default_factory=dict)
    """For each method the function that it is in the view."""
    method_at: dict[int, str] = field(default_factory=dict)
    """By the line of its `def`: what a method is called."""
    static: set[Function] = field(default_factory=set)
    opaque: set[str] = field(default_factory=set)
    """Attributes behind which code may run that is not seen as a function: properties, methods of foreign bases."""
    class_level: set[str] = field(default_factory=set)
    bound_by_bases: set[str] = field(default_factory=set)
    """Attributes that methods of foreign bases bind."""
    called_by_bases: dict[str, set[str]] = field(default_factory=dict)
    """For each method of foreign bases what it may read of its object."""
    abstract: set[str] = field(default_factory=set)
    """Methods without which no object of the class can be made."""
    is_module: bool = False
    """Whether torch's own base of models stands above the family."""
    foreign: list[ast.ClassDef] = field(default_factory=list)
    """The project's classes above the family, in other files or extended by others, too."""
    holders: dict[Scope, str] = field(default_factory=dict)
    """For each scope that makes the one object of the program, the variable that holds it there."""

    @property
    def leaf(self) -> ast.ClassDef:
        """The class whose objects are looked at."""
        return self.classes[-1]

    def self_name(self, function: Function) -> str | None:
        """What a method calls its object, None when it gets none."""
        first = [*function.args.posonlyargs, *function.args.args][:1]
        return first[0].arg if first and function not in self.static else None

    def read_by_bases(self, attribute: str, text: str) -> bool:
        """Whether a method of a foreign base that the family's objects still have may read an attribute of theirs."""
        own = {m.name for m in self.names}
        kept = (read for name, read in self.called_by_bases.items() if name not in own or f").{name}" in text)
        return any(attribute in read for read in kept)

    def above(self, owner: ast.ClassDef, attribute: str) -> str:
        """The function that ``super().ATTRIBUTE`` is in the view, "" when the family does not define it."""
        for definition in reversed(self.classes[: self.classes.index(owner)]):
            for method in _methods(definition):
                if method.name == attribute and method in self.names:
                    return self.names[method]
        return ""


def find_family(
    source: Source, roles: Roles, owner: ast.ClassDef, others: str, *, grouped: bool = False
) -> Family | str:
    """The family of a class that trains, or why it cannot be seen plainly. ``others`` is the text of the project's other files.

    ``grouped``: the processes that the script makes are Lightning's, too.
    """
    if not grouped and starts_processes(source):
        return "the script trains in processes of its own, each on a device of its own"
    below = _line_below(source, owner)
    if isinstance(below, str):
        return below
    classes = [*_line_above(source, owner), owner, *below]
    family = Family(classes)
    for definition in classes:
        if problem := _problem(source, definition, others):
            return f"class `{definition.name}` {problem}"
    if problem := _bases(roles, family):
        return problem
    if family.is_module and (problem := _own_module(source, family)):
        return problem
    _find_abstract(family)
    if problem := _name_methods(family):
        return problem
    if problem := _attributes(source, family) or _replaced(source, family, others):
        return problem
    _find_holders(source, roles, family)
    return family


def starts_processes(source: Source) -> bool:
    """Whether the file makes or joins a group of processes, or wraps a model for one."""
    return any(dotted(c.func).rpartition(".")[2] in _PROCESSES for c in source.calls)


def _children(source: Source, owner: ast.ClassDef) -> list[ast.ClassDef]:
    return [c for c in source.all(ast.ClassDef) if any(dotted(b) == owner.name for b in c.bases)]


def _line_below(source: Source, owner: ast.ClassDef) -> list[ast.ClassDef] | str:
    """The classes between a class and the one that objects are made of."""
    found: list[ast.ClassDef] = []
    current = owner
    while children := _children(source, current):
        if len(children) > 1 or len(found) > _DEPTH:
            return f"class `{current.name}` is extended by several classes, which may train in ways of their own"
        if source.calls_to(current.name):
            return f"both objects of `{current.name}` and of a class that extends it are made"
        current = children[0]
        found.append(current)
    return found


def _line_above(source: Source, owner: ast.ClassDef) -> list[ast.ClassDef]:
    """The bases in the file that exist for this class alone, outermost first."""
    found: list[ast.ClassDef] = []
    current = owner
    while len(found) < _DEPTH:
        bases = [source.classes[n] for b in current.bases if (n := dotted(b)) in source.classes]
        if len(bases) != 1 or len(_children(source, bases[0])) != 1 or source.calls_to(bases[0].name):
            break
        current = bases[0]
        if current in found or current is owner:
            break
        found.append(current)
    return found[::-1]


def _methods(definition: ast.ClassDef) -> list[Function]:
    return [s for s in definition.body if isinstance(s, Function)]


def _problem(source: Source, definition: ast.ClassDef, others: str) -> str:
    if source.parents[definition] is not source.tree:
        return "stands inside of something else"
    if definition.decorator_list:
        return f"is decorated with `{ast.unparse(definition.decorator_list[0])}`"
    for keyword in definition.keywords:
        if keyword.arg != "metaclass" or not ast.unparse(keyword.value).endswith("ABCMeta"):
            return "is made by a metaclass of its own"
    if magic := _magic(definition):
        return f"defines `{magic}`"
    if any(isinstance(n, ast.Name) and n.id == definition.name and not isinstance(n.ctx, ast.Load)
           for n in source.all(ast.Name)):  # fmt: skip
        return "has a name that is bound to something else as well"
    if sum(c.name == definition.name for c in source.all(ast.ClassDef)) > 1:
        return "is defined twice"
    inside = {id(n) for n in walk(definition)}
    if any(id(call) in inside for call in source.calls_to(definition.name)):
        return "makes objects of itself"
    if extends(definition.name, others):
        return "is extended in another file, by a class that may train in a way of its own"
    return ""


def extends(name: str, text: str) -> bool:
    """Whether a class in the text of some file may extend the one of this name; a file may have one of that name itself."""
    for one in text.split(BETWEEN):
        heads = [line.lstrip().partition("(") for line in one.splitlines() if line.lstrip().startswith("class ")]
        own = any(head.removeprefix("class ").strip(" :") == name for head, _bracket, _bases in heads)
        if not own and any(_word(name, bases) for _head, _bracket, bases in heads):
            return True
    return False


def named(name: str, text: str) -> bool:
    """Whether some file names the class; a file that has a class of that name itself means its own."""
    return any(_word(name, one) and not _defines(name, one) for one in text.split(BETWEEN))


def _defines(name: str, text: str) -> bool:
    heads = [line.lstrip().partition("(")[0] for line in text.splitlines() if line.lstrip().startswith("class ")]
    return any(head.removeprefix("class ").strip(" :") == name for head in heads)


def _word(name: str, text: str) -> bool:
    start = text.find(name)
    while start >= 0:
        before, after = text[start - 1 : start], text[start + len(name) : start + len(name) + 1]
        if not (before.isidentifier() or before.isdigit()) and not (after.isidentifier() or after.isdigit()):
            return True
        start = text.find(name, start + 1)
    return False


def _magic(definition: ast.ClassDef) -> str:
    names = [m.name for m in _methods(definition)]
    names += [t.id for s in definition.body if isinstance(s, ast.Assign) for t in s.targets if isinstance(t, ast.Name)]
    return next((name for name in names if name in _MAGIC), "")


def _bases(roles: Roles, family: Family) -> str:
    """Look at the bases outside of the family; why they keep it from being seen plainly, or ""."""
    for definition in family.classes:
        for base in definition.bases:
            name = dotted(base.value if isinstance(base, ast.Subscript) else base)
            if any(c.name == name for c in family.classes):
                continue
            if problem := _foreign_base(roles, family, base, 0):
                return problem
    return ""


def _foreign_base(roles: Roles, family: Family, base: ast.expr, depth: int) -> str:
    shown = ast.unparse(base)
    last = dotted(base.value if isinstance(base, ast.Subscript) else base).rpartition(".")[2]
    if last in _BARE_BASES:
        return ""
    if roles.full_name(base) == "torch.nn.Module" or roles.full_name(base) == "torch.nn.modules.Module":
        return _module_base(family)
    found = definition_of(roles, base)
    if not isinstance(found, ast.ClassDef) or depth > _DEPTH:
        return f"class `{family.leaf.name}` extends `{shown}`, whose attributes may be more than values"
    if found.keywords and not all(ast.unparse(k.value).endswith("ABCMeta") for k in found.keywords):
        return f"class `{found.name}` is made by a metaclass of its own"
    if magic := _magic(found):
        return f"class `{found.name}` defines `{magic}`"
    family.opaque |= {m.name for m in _methods(found)}
    for method in _methods(found):
        family.called_by_bases.setdefault(method.name, set()).update(_read(method))
    family.foreign.append(found)
    family.bound_by_bases |= {
        n.attr for m in _methods(found) if m.name != "__init__" for n in walk(m)
        if isinstance(n, ast.Attribute) and not isinstance(n.ctx, ast.Load)
    }  # fmt: skip
    for statement in found.body:
        if isinstance(statement, ast.ClassDef):
            family.opaque.add(statement.name)
    above = roles
    if found.name not in roles.source.classes or roles.source.classes[found.name] is not found:
        full = roles.full_name(base)
        where = roles.neighbours.definition(full) if roles.neighbours is not None else None
        if where is None or roles.neighbours is None:
            return f"class `{family.leaf.name}` extends `{shown}`, whose attributes may be more than values"
        above = roles_of(source_of(roles.neighbours.text(where.file)), roles.neighbours.beside(where.file))
    for inner in found.bases:
        if problem := _foreign_base(above, family, inner, depth + 1):
            return problem
    return ""


def _module_base(family: Family) -> str:
    """What torch's own base of models means for a class: its methods may read and change every attribute."""
    family.opaque |= MODULE_NAMES
    family.is_module = True
    return ""


def _own_module(source: Source, family: Family) -> str:
    """What a class that is a module does with what all modules have, when it cannot be seen plainly then; "" otherwise."""
    for definition in [*family.classes, *family.foreign]:
        for method in _methods(definition):
            if method.name in MODULE_NAMES:
                return f"class `{definition.name}` is a module with a `{method.name}` of its own"
            for node in walk(method) if method.name != "__init__" else ():
                if isinstance(node, ast.Attribute) and node.attr in _BINDERS:
                    return f"line {node.lineno} of class `{definition.name}` may bind an attribute by its name"
    return ""


def _read(method: Function) -> set[str]:
    """What a method may read of its object, by name or by a text."""
    found = {n.attr for n in walk(method) if isinstance(n, ast.Attribute)}
    return found | {n.value for n in walk(method) if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def _find_abstract(family: Family) -> None:
    lineage = [*family.classes, *family.foreign]
    marks = [dotted(b.value if isinstance(b, ast.Subscript) else b) for c in lineage for b in c.bases]
    marks += [dotted(k.value) for c in lineage for k in c.keywords]
    if any(m.rpartition(".")[2] in ("ABC", "ABCMeta", "Protocol") for m in marks):
        family.abstract = {
            m.name for c in lineage for m in _methods(c)
            if any(dotted(d).rpartition(".")[2].startswith("abstract") for d in m.decorator_list)
        }  # fmt: skip


def _name_methods(family: Family) -> str:
    for definition in family.classes:
        for statement in definition.body:
            if isinstance(statement, ast.ClassDef):
                family.class_level.add(statement.name)
            elif not isinstance(statement, Function):
                family.class_level |= {
                    n.id for n in walk_scope(statement) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)
                }
    seen: set[str] = set()
    for definition in reversed(family.classes):
        own = _methods(definition)
        if len({m.name for m in own}) != len(own):
            double = next(m.name for m in own if sum(o.name == m.name for o in own) > 1)
            if not any(o.decorator_list for o in own if o.name == double):
                return f"class `{definition.name}` defines `{double}` twice"
        for method in own:
            marks = {ast.unparse(d) for d in method.decorator_list}
            special = any(m not in _PLAIN_MARKS for m in marks)
            if "staticmethod" in marks:
                family.static.add(method)
            elif special or not [*method.args.posonlyargs, *method.args.args]:
                family.opaque.add(method.name)
            if method.name in seen or special:
                family.names[method] = f"{state_name(method.name)}__of_{definition.name}"
                if method.name == "__init__":
                    family.names[method] = definition.name
            elif method.name == "__init__":
                family.names[method] = family.leaf.name
            else:
                family.names[method] = state_name(method.name)
            if special and method.name in family.class_level:
                return f"class `{definition.name}` binds `{method.name}` in several ways"
            family.method_at[method.lineno] = method.name
            if "classmethod" in marks:
                family.static.add(method)
        seen |= {m.name for m in own}
    family.opaque -= {m.name for m, name in family.names.items() if name == state_name(m.name)}
    return ""


_PLAIN_MARKS = {
    "staticmethod", "abstractmethod", "abc.abstractmethod", "torch.no_grad()", "torch.inference_mode()", "no_grad()",
    "torch.enable_grad()", "override", "typing.override", "final", "typing.final",
}  # fmt: skip
"""Decorators under which a method is still a plain function of its object."""


def _attributes(source: Source, family: Family) -> str:
    methods = {m.name for m in family.names}
    for method in family.names:
        own = family.self_name(method)
        for node in walk(method):
            match node:
                case ast.Attribute(value=ast.Name(id=name), attr=attribute, ctx=ast.Store() | ast.Del()) if name == own:
                    if attribute in methods | family.opaque:
                        return f"line {node.lineno} gives the method `{attribute}` another meaning"
                    if any(isinstance(a, ast.comprehension) for a in source.ancestors(node)):
                        return f"a comprehension binds `{attribute}`"
                case ast.Name(id=name, ctx=ast.Store() | ast.Del()) if name == own:
                    return f"line {node.lineno} binds `{name}` to something else"
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda() if node is not method:
                    if own in parameter_names(node) and any(
                        isinstance(n, ast.Name) and n.id == own for n in walk(node)
                    ):
                        return f"a function inside of `{method.name}` has a `{own}` of its own"
                case ast.ClassDef():
                    return f"a class stands inside of `{method.name}`"
    return ""


def _attributes_of_objects(family: Family) -> set[str]:
    """The attributes that the methods ask their object for; what a class keeps for itself only is none of theirs."""
    return {
        node.attr
        for method in family.names
        for node in walk(method)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == family.self_name(method)
    }


def _replaced(source: Source, family: Family, others: str) -> str:
    """A method that some code replaces, in the class or in an object."""
    methods = {m.name for m in family.names}
    names = {c.name for c in family.classes}
    own = _attributes_of_objects(family)
    for node in source.all(ast.Attribute):
        if isinstance(node.ctx, ast.Load):
            continue
        if isinstance(node.value, ast.Name) and node.value.id in names and node.attr in own | methods:
            return f"line {node.lineno} changes the class `{node.value.id}` itself"
        if node.attr in methods and not (isinstance(node.value, ast.Name) and node.value.id in SETTINGS):
            owner = source.in_class(node)
            if owner is None or owner in family.classes or not isinstance(node.value, ast.Name):
                return f"line {node.lineno} may put something else in the place of the method `{node.attr}`"
    for call in source.calls:
        if dotted(call.func) == "setattr" and call.args and isinstance(call.args[0], ast.Name):
            if call.args[0].id in names:
                return f"line {call.lineno} changes the class `{call.args[0].id}` itself"
    for owner_name, attribute in replacements(others):
        if owner_name in names or (attribute in methods and owner_name not in SETTINGS):
            return f"another file may put something else in the place of `{attribute}`"
    return ""


def _find_holders(source: Source, roles: Roles, family: Family) -> None:
    """The scope that makes the one object of the program and the variable that holds it."""
    made = source.calls_to(family.leaf.name)
    if len(made) != 1:
        return
    match source.parents.get(made[0]):
        case ast.Assign(targets=[ast.Name(id=name)]) as statement:
            pass
        case _:
            return
    scope = source.scope_of(statement)
    stored = [n for n in source.all(ast.Name) if n.id == name and not isinstance(n.ctx, ast.Load)
              and roles.key(source.scope_of(n), name) == (scope, name)]  # fmt: skip
    for ancestor in source.ancestors(statement):
        if ancestor is scope:
            break
        if isinstance(ancestor, ast.For | ast.While | ast.ClassDef | ast.AsyncFor):
            return
    if len(stored) == 1 and (isinstance(scope, ast.Module) or name not in parameter_names(scope)):
        family.holders[scope] = name
