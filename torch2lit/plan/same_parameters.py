"""Whether an optimizer that is made after a statement holds what it would have held before it.

An optimizer is given the parameters themselves, not their values: moving a model or loading its weights changes nothing, another layer does.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Collection, Iterator

from ..memory import once
from ..recover.bindings import File
from ..recover.listed_parameters import OF_NOW, only_lists
from ..recover.makings import yields
from ..recover.names import flow, local_names, parameter_names, target_names
from ..recover.own_classes import definition_of, lineage
from ..recover.own_methods import SYNCED, method_keeps_layers
from ..recover.own_methods import WRAPPERS as HOLDING
from ..recover.own_optimizers import holds_parameters_alone
from ..recover.quiet_models import keeps_layers
from ..recover.roles import Role, Roles, bound_argument
from ..recover.state_names import is_state
from ..recover.syntax import Scope, Source, dotted, root_name, walk
from .making_functions import attributes_read, is_error, nodes_of_making, plain_function
from .may_run import may_run
from .model_holders import binds_only_itself, constructor, is_held
from .only_reckons import reckons, rules_of
from .settings_handed_on import dictionary_of, may_set_entries
from .writes_elsewhere import CHANGING

SAME_OBJECT = {"to", "cuda", "cpu", "train", "eval", "float", "double", "half", "bfloat16"}
"""Methods of a module that answer the module, with the parameters that it had."""
WRAPPERS = {"torch.compile", *HOLDING}
"""What holds a module and lists its parameters in their order; whatever else the module is asked has another name then."""
_READING = {
    "parameters", "named_parameters", "state_dict", "children", "named_children", "modules", "named_modules",
    "buffers", "named_buffers", "train", "eval", "zero_grad", "__class__",
}  # fmt: skip
_LOOKS = {"print", "len", "sum", "id", "type", "summary", "repr", "str", "isinstance", "float", "int"}
_COPIES = {
    "copy.deepcopy", "torch.optim.swa_utils.AveragedModel", "timm.utils.ModelEma", "timm.utils.ModelEmaV2",
    "timm.utils.ModelEmaV3",
}  # fmt: skip
_TOLD = {"wandb.watch", "torch.save"}
_LEVELS = {"debug", "info", "warning", "error", "log"}
_TENSORS = {"data", "weight", "bias"}
_PLAIN = {
    "filter", "map", "list", "tuple", "set", "dict", "zip", "iter", "enumerate", "range", "len", "getattr", "int", "float", "str", "bool",
    "min", "max", "sum", "abs", "round", "sorted", "any", "all", "isinstance", "itertools.chain",
}  # fmt: skip
"""What hands parameters on as they are, or has nothing to do with them."""
_NUMBERS = {"int", "float", "bool", "min", "max", "sum", "abs", "round"}
_LAZY = {"parameters", "named_parameters", "filter", "map", "chain", "from_iterable", "iter", "zip", "values", "items"}
_OPEN = {*_LAZY, "copy"}
"""What may ask later for what it is given; a shallow copy has the layers that the first network gets later."""
_SIZE = re.compile(r"(num|n)_\w+|\w+_(size|dim)|(in|out)_(features|channels)")
"""What layers call how many or how large they are."""
_OF_NOW = {*OF_NOW, "data", "grad"}
"""What a parameter or model is asked for that moves, modes and training change."""
_SETTERS = {"setattr", "delattr", "add_module", "register_module", "register_parameter", "append", "insert", "extend"}
_DEPTH = 3
Mention = ast.Name | ast.Attribute
"""A variable, or an attribute that holds a model."""


class SameParameters:
    """Judges statements that run between the making of optimizers and the loop."""

    def __init__(self, roles: Roles, scope: Scope, making: list[ast.stmt]) -> None:
        self.roles = roles
        self.source = roles.source
        self.scope = scope
        self.read_of = _read_of(roles, scope, making)
        self.by_trainable = any(_asks_what_trains(node) for node, _file in nodes_of_making(roles, making))
        self.by_identity = all(_holds_identities(roles, s) for s in making)
        self.attributes = {n.attr for n, _file in nodes_of_making(roles, making) if isinstance(n, ast.Attribute)}
        self.listed = _only_listed(roles.source, making)
        self.quiet = False
        """Whether calling the model that is looked at is known to leave it its layers."""
        self.holder = False
        """Whether the object that is made there may hold the model: its class binds nothing on it."""
        self.settings: set[str] = set()
        """What parsed arguments are called in the function that is looked at."""

    def used_by(self, node: ast.AST) -> set[str]:
        """The names that a making reads, in functions that it runs, too, with those of what it only begins to ask.

        An iterator is as new as its first step.
        """
        found: set[str] = set()
        open_names = _names(node) | self._read_inside(node)
        while open_names:
            found |= open_names
            following: set[str] = set()
            for name in open_names:
                key = self.roles.key(self.scope, name)
                values = [b.value for b in self.roles.bindings(key)] if key is not None else []
                following |= {n for v in values if self._may_be_lazy(v) or _lists(v) for n in _names(v)}
            open_names = following - found
        return {name for name in found if name not in self.roles.origins}

    def _read_inside(self, node: ast.AST) -> set[str]:
        """The variables of the making's own scope that functions, classes and methods of the file read which it mentions."""
        found: set[str] = set()
        seen: set[ast.AST] = set()
        waiting: list[ast.AST] = [node]
        while waiting:
            for part in walk(waiting.pop()):
                own: list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef] = []
                if isinstance(part, ast.Attribute):
                    own += (f for f in self.source.functions if f.name == part.attr and self.source.in_class(f))
                elif isinstance(part, ast.Name):
                    own += (f for f in self.source.functions if f.name == part.id)
                    own += [self.source.classes[part.id]] if part.id in self.source.classes else []
                    scope = self.source.scope_of(part)
                    key = self.roles.key(scope, part.id)
                    if scope is not self.scope and key is not None and key == self.roles.key(self.scope, part.id):
                        found |= {part.id} if self.roles.bindings(key) else set()
                waiting += (f for f in own if f not in seen)
                seen.update(own)
        return found

    def _may_be_lazy(self, value: ast.expr) -> bool:
        """Whether a value may be an iterator, or hold one, that asks a model only when it is looped over."""
        match value:
            case ast.GeneratorExp():
                return True
            case ast.ListComp(elt=element) | ast.SetComp(elt=element) | ast.DictComp(value=element):
                return self._may_be_lazy(element)
            case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts) | ast.Dict(values=parts):
                return any(map(self._may_be_lazy, parts))
            case ast.BinOp(left=left, right=right):
                return self._may_be_lazy(left) or self._may_be_lazy(right)
            case ast.Call(func=ast.Name(id="list" | "tuple" | "set" | "sorted" as name)) if name not in local_names(
                self.source.tree
            ):
                return False
            case ast.Call(func=function, args=args, keywords=keywords):
                last = dotted(function).rpartition(".")[2] or getattr(function, "attr", "")
                own = definition_of(self.roles, function)
                if last in _OPEN or (isinstance(own, ast.FunctionDef) and yields(own)):
                    return True
                return any(map(self._may_be_lazy, [*args, *(k.value for k in keywords)]))
        return any(isinstance(n, ast.GeneratorExp | ast.Call) for n in walk(value)) and not isinstance(
            value, ast.Compare
        )

    def after(self, statement: ast.AST, used: Collection[str]) -> bool:
        """Whether the names that the making uses stand for the same after the statement."""
        if self.by_trainable and self._may_freeze(statement, used):
            return False
        if any(self._is_of_class(node) for node in walk(statement)):
            return False
        if self._sets_in_a_class(statement):
            return False
        others = self._other_names(used)
        for node in walk(statement):
            if isinstance(node, ast.Name) and node.id in others and isinstance(node.ctx, ast.Load):
                if not self._stays(node):
                    return False
            if not isinstance(node, ast.Name) or node.id not in used:
                continue
            model = self.roles.role(self.scope, node.id) is Role.MODEL
            if not isinstance(node.ctx, ast.Load):
                if not (model and self._gives_itself(statement, node.id)):
                    return False
            elif not self._stays(node):
                return False
        behind = [*self._behind(statement, {*used, *others})]
        if not all(isinstance(n.ctx, ast.Load) for n in behind if n.id in used):
            return False
        return all(map(self._stays, behind))

    def _other_names(self, used: Collection[str]) -> set[str]:
        """The other names of what the making uses and is no model: ``more = rates``."""
        asked = frozenset(used)
        return once(("other names", self.roles, self.scope, asked), lambda: self._find_other_names(asked))

    def _find_other_names(self, used: frozenset[str]) -> set[str]:
        known = {name for name in used if self.roles.role(self.scope, name) is not Role.MODEL}
        size = -1
        while size != len(known):
            size = len(known)
            for names in _bound_to_names(self.source, self.scope):
                if names & known:
                    known |= names
        return known - used

    def _sets_in_a_class(self, statement: ast.AST) -> bool:
        """Whether what the statement calls gives a class of the file another attribute that the making asks an object for."""
        if not any(isinstance(n, ast.Call) for n in walk(statement)):
            return False
        return any(
            isinstance(n, ast.Attribute) and n.attr in self.attributes and self._is_of_class(n)
            for n in may_run(self.source, [statement])
        )

    def _is_of_class(self, node: ast.AST) -> bool:
        """Whether a class of the file gets another attribute, which its objects have then."""
        match node:
            case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                return name in self.source.classes
        return False

    def _may_freeze(self, statement: ast.AST, used: Collection[str]) -> bool:
        """Whether a statement may change what parameters of the used models are trained: code says so that it runs, or gets the model."""
        if any(map(_freezes, may_run(self.source, [statement]))):
            return True
        models = {name for name in used if not self._only_tells(name)}
        for node in walk(statement):
            if isinstance(node, ast.Call) and any(_names(a) & models for a in (*node.args, *node.keywords)):
                if not (isinstance(node.func, ast.Name) and node.func.id in _LOOKS):
                    return True
        return False

    def _only_tells(self, name: str) -> bool:
        """Whether a name stands for parsed arguments, and nothing in the file gives such an object a model."""
        if self.roles.role(self.scope, name) is not Role.CONFIG:
            return False
        for statement in self.source.all(ast.Assign):
            if any(isinstance(t, ast.Attribute) and isinstance(t.value, ast.Name) for t in statement.targets):
                scope = self.source.scope_of(statement)
                held = [t.value for t in statement.targets if isinstance(t, ast.Attribute)]
                tells = any(self.roles.of(h, scope) is Role.CONFIG for h in held)
                if tells and self.roles.of(statement.value, scope) is Role.MODEL:
                    return False
        return True

    def _stays(self, name: ast.Name) -> bool:
        """Whether this mention of a name leaves its value as the making would find it."""
        if self.roles.role(self.scope, name.id) is Role.MODEL:
            return self._keeps(name, _DEPTH)
        return not self._is_changed(name, _DEPTH)

    def _behind(self, statement: ast.AST, used: Collection[str]) -> Iterator[ast.Name]:
        """The mentions of the same variables in functions that the statement may run."""
        if not any(isinstance(n, ast.Call) for n in walk(statement)):
            return
        own = {id(n) for n in walk(statement)}
        for node in may_run(self.source, [statement]):
            if isinstance(node, ast.Name) and node.id in used and id(node) not in own:
                scope = self.source.scope_of(node)
                if scope is self.scope:
                    continue  # what else the function does is no part of the statement
                key = self.roles.key(scope, node.id)
                if key is not None and key == self.roles.key(self.scope, node.id):
                    yield node

    def _gives_itself(self, statement: ast.AST, name: str) -> bool:
        """Whether a statement is ``model = model.to(...)``, ``model = DataParallel(model)`` or the like."""
        match statement:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                while isinstance(value, ast.Call):
                    if self.roles.full_name(value.func) in {*WRAPPERS, SYNCED} and value.args and name in self.listed:
                        value = value.args[0]
                        continue
                    same = isinstance(value.func, ast.Attribute) and value.func.attr in SAME_OBJECT
                    if not same or not isinstance(value.func, ast.Attribute) or self._is_own(value.func.attr):
                        return False
                    value = value.func.value
                return self.by_identity and isinstance(value, ast.Name) and value.id == name
            case ast.If(body=body, orelse=orelse):
                stored = [s for s in [*body, *orelse] if _stores(s, name)]
                return all(self._gives_itself(s, name) for s in stored)
        return False

    def keeps(self, model: Mention) -> bool:
        """Whether this mention of a model, by a name or as what an object holds (``self.net``), leaves the set of its parameters as it is."""
        return isinstance(model.ctx, ast.Load) and self._keeps(model, _DEPTH)

    def _keeps(self, name: Mention, depth: int) -> bool:
        """Whether this mention of a model leaves the set of its parameters as it is."""
        node: ast.AST = name
        parent = self.source.parents.get(node)
        while isinstance(parent, ast.Attribute | ast.Subscript) and parent.value is node:
            if not isinstance(parent.ctx, ast.Load):
                return False
            node, parent = parent, self.source.parents.get(parent)
        if isinstance(parent, ast.Call) and parent.func is node:
            if isinstance(node, ast.Attribute) and self._method_keeps(node.attr):
                return True
            if isinstance(node, ast.Attribute) and self._sets_values(node, parent, depth):
                return self.by_identity
            known = isinstance(name, ast.Name) and (
                keeps_layers(self.roles, name, node) or self._own_method_keeps(name, node)
            )
            return self.by_identity and (known or (self.quiet and node is name))
        if isinstance(node, ast.Attribute) and node.attr in ("__class__", "__name__"):
            return True
        if self.holder and node is name and isinstance(name, ast.Name) and is_held(self.source, name):
            return True
        if isinstance(parent, ast.keyword):
            node, parent = parent, self.source.parents.get(parent)
        if isinstance(parent, ast.Call):
            if self._is_shape(parent, node.value if isinstance(node, ast.keyword) else node):
                return True
            return parent.func is not node and self._call_keeps(parent, name, node, depth)
        return isinstance(parent, ast.FormattedValue | ast.Compare)

    def _sets_values(self, method: ast.Attribute, call: ast.Call, depth: int) -> bool:
        """Whether a method gives parameters other values: in place, or by a function that a model applies to its parts."""
        chain = {n.attr for n in walk(method.value) if isinstance(n, ast.Attribute)}
        if method.attr.endswith("_") and not method.attr.endswith("__") and chain & _TENSORS:
            return method.attr != "requires_grad_" or not self.by_trainable
        if method.attr != "apply" or self._is_own("apply") or len(call.args) != 1 or call.keywords or not depth:
            return False
        function = definition_of(self.roles, call.args[0])
        if not isinstance(function, ast.FunctionDef) or function not in self.source.functions or not function.args.args:
            return False
        part = function.args.args[0].arg
        found = [n for s in function.body for n in walk(s) if isinstance(n, ast.Name) and n.id == part]
        return all(isinstance(n.ctx, ast.Load) and self._keeps(n, depth - 1) for n in found)

    def _is_shape(self, call: ast.Call, argument: ast.AST) -> bool:
        """Whether a number of a layer (``model.lstm.hidden_size``) is all that a function of torch is told."""
        named = isinstance(argument, ast.Attribute) and _SIZE.fullmatch(argument.attr) is not None
        return named and re.fullmatch(r"torch\.\w+", self.roles.full_name(call.func)) is not None

    def _method_keeps(self, method: str) -> bool:
        if method in _READING:
            return True
        return method in {"load_state_dict", *SAME_OBJECT} and self.by_identity and not self._is_own(method)

    def _own_method_keeps(self, model: ast.Name, called: ast.AST) -> bool:
        same = self.by_trainable
        return isinstance(called, ast.Attribute) and method_keeps_layers(
            self.roles, model, called, trains_the_same=same
        )

    def _is_own(self, method: str) -> bool:
        return any(f.name == method and self.source.in_class(f) is not None for f in self.source.functions)

    def _call_keeps(self, call: ast.Call, name: Mention, argument: ast.AST, depth: int) -> bool:
        full = self.roles.full_name(call.func)
        if isinstance(call.func, ast.Name) and call.func.id in _LOOKS and self.source.function(call.func.id) is None:
            return True
        if full.startswith("logging.") or full in _TOLD or self._tells(call, name):
            return True
        if full == SYNCED and _name_of(name) in self.listed:
            return True
        if full in _COPIES or full in WRAPPERS or (full.startswith("torch.nn.init.") and self.by_identity):
            return True
        if argument is name or isinstance(argument, ast.keyword) or _is_wrapped(argument, name):
            inside = self._inside(call, name, depth)
            return inside is not None and all(inside[0]._keeps(n, depth - 1) for n in inside[1])
        return False

    def _tells(self, call: ast.Call, model: Mention) -> bool:
        """Whether a logger or a writer of events is told of the model: the writer computes with it once."""
        match call.func:
            case ast.Attribute(value=ast.Name(id=owner), attr=method) if method in _LEVELS:
                key = self.roles.key(self.source.scope_of(call), owner)
                made = [b.value for b in self.roles.bindings(key)] if key is not None else []
                calls = [m.func for m in made if isinstance(m, ast.Call)]
                return (
                    bool(made)
                    and len(calls) == len(made)
                    and all(self.roles.full_name(function) == "logging.getLogger" for function in calls)
                )
            case ast.Attribute(value=writer, attr="add_graph"):
                known = self.roles.of(writer, self.source.scope_of(call)) is Role.WRITER
                quiet = isinstance(model, ast.Name) and keeps_layers(self.roles, model, model)
                return known and self.by_identity and quiet
        return False

    def _is_changed(self, name: ast.Name, depth: int) -> bool:
        """Whether this mention of another value surely changes what it holds: an attribute or an item of it is bound."""
        parents = self.source.parents
        node: ast.AST = name
        parent = parents.get(node)
        if may_set_entries(self.roles, name):
            return True
        if self._is_another_setting(name, parent):
            return False
        if isinstance(parent, ast.Call) and dotted(parent.func) in ("setattr", "delattr") and parent.args[:1] == [node]:
            return True
        if isinstance(parent, ast.Call) and dotted(parent.func) == "vars" and parent.args == [node]:
            node, parent = parent, parents.get(parent)
        while isinstance(parent, ast.Attribute | ast.Subscript) and parent.value is node:
            if not isinstance(parent.ctx, ast.Load):
                return True
            node, parent = parent, parents.get(parent)
        if isinstance(parent, ast.Call) and parent.func is node and isinstance(node, ast.Attribute):
            return node.attr in CHANGING or (node.attr.endswith("_") and not node.attr.endswith("__"))
        if isinstance(parent, ast.For) and parent.iter is node:
            return _changes_elements(parent)
        if isinstance(parent, ast.keyword):
            parent = parents.get(parent)
        if node is name and isinstance(parent, ast.Call) and parent.func is not node and depth:
            inside = self._inside(parent, name, depth)
            return inside is not None and any(inside[0]._is_changed(n, depth - 1) for n in inside[1])
        return False

    def _is_another_setting(self, name: ast.Name, parent: ast.AST | None) -> bool:
        """Whether a setting is bound that the making does not read: of parsed arguments it asks for others by their names."""
        if not isinstance(parent, ast.Attribute) or parent.value is not name:
            return False
        return self._is_setting(name) and parent.attr not in self.read_of[name.id]

    def _inside(self, call: ast.Call, given: Mention, depth: int) -> tuple[SameParameters, list[ast.Name]] | None:
        """The mentions of what a function of the project calls its argument, and who judges them there.

        None for any other function, or one that binds it.
        """
        function: ast.ClassDef | ast.FunctionDef | None = definition_of(self.roles, call.func)
        judge = self
        if function not in (*self.source.functions, *self.source.classes.values()):
            full = self.roles.full_name(call.func)
            named = self.roles.function_named(full) or self.roles.own_class_named(full)
            file = named[1] if named is not None else None
            if named is None or not isinstance(file, Roles):
                return None
            function, judge = named[0], self._beside(file, given)
        if isinstance(function, ast.ClassDef):
            judge = copy.copy(judge)
            judge.holder = binds_only_itself(function)
            function = constructor(function)
        if not depth or not isinstance(function, ast.FunctionDef) or is_state(_name_of(given)):
            return None
        for parameter in parameter_names(function):
            if _is_or_wraps(bound_argument(function, call, parameter), given):
                if judge.source is not self.source:
                    judge.read_of = {parameter: self.read_of[_name_of(given)]} if self._is_setting(given) else {}
                    judge.settings = {parameter}
                found = [n for s in function.body for n in walk(s) if isinstance(n, ast.Name) and n.id == parameter]
                return (judge, found) if all(isinstance(n.ctx, ast.Load) for n in found) else None
        return None

    def _beside(self, file: Roles, given: Mention) -> SameParameters:
        """The same judge of another file's statements, where nobody sees what the model is that it is given."""
        judge = copy.copy(self)
        judge.roles, judge.source, judge.scope = file, file.source, file.source.tree
        judge.quiet = self.quiet or (isinstance(given, ast.Name) and keeps_layers(self.roles, given, given))
        return judge

    def _is_setting(self, name: Mention) -> bool:
        """Whether a name stands for parsed arguments, of which the making reads some by their names."""
        if not isinstance(name, ast.Name):
            return False
        known = name.id in self.settings or self.roles.role(self.source.scope_of(name), name.id) is Role.CONFIG
        return known and name.id in self.read_of


def _bound_to_names(source: Source, scope: Scope) -> list[set[str]]:
    """The names of each assignment of a scope that binds names to what another name holds."""
    return once(("names bound to names", source, scope), lambda: _find_bound_to_names(source, scope))


def _find_bound_to_names(source: Source, scope: Scope) -> list[set[str]]:
    found = [
        (one, dictionary_of(one.value) or one.value) for one in source.all(ast.Assign) if source.scope_of(one) is scope
    ]
    named = [(one, value) for one, value in found if isinstance(value, ast.Name)]
    return [{n.id for n in (*one.targets, value) if isinstance(n, ast.Name)} for one, value in named]


def _name_of(mention: Mention) -> str:
    return mention.id if isinstance(mention, ast.Name) else mention.attr


def _lists(value: ast.expr) -> bool:
    """Whether a value is a container of things that are written in it."""
    return isinstance(value, ast.List | ast.Tuple | ast.Set | ast.Dict)


def _changes_elements(loop: ast.For) -> bool:
    """Whether a loop puts something else into what it runs through: values and flags of parameters may change."""
    for node in (n for s in loop.body for n in walk(s)):
        if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in _SETTERS:
            return True
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            if not (isinstance(node, ast.Attribute) and node.attr in ("requires_grad", "data", "grad")):
                if root_name(node) in target_names(loop.target):
                    return True
    return False


def _only_listed(source: Source, making: list[ast.stmt]) -> set[str]:
    """The names of which a making reads nothing but ``model.parameters()``."""
    listed: set[str] = set()
    other: set[str] = set()
    for node in (n for s in making for n in walk(s) if isinstance(n, ast.Name)):
        above = source.parents.get(node)
        called = isinstance(source.parents.get(above), ast.Call) if above is not None else False
        plain = isinstance(above, ast.Attribute) and above.attr == "parameters" and called
        (listed if plain else other).add(node.id)
    return listed - other


def _read_of(roles: Roles, scope: Scope, making: list[ast.stmt]) -> dict[str, set[str]]:
    """The attributes that a making, or a function that it calls, reads of each name, of those names of which it reads nothing else."""
    nodes = [n for s in making for n in walk(s)]
    found: dict[str, set[str]] = {}
    owners = set()
    for node in nodes:
        match node:
            case ast.Attribute(value=ast.Name(id=name) as owner, attr=attribute) if not attribute.startswith("__"):
                found.setdefault(name, set()).add(attribute)
                owners.add(id(owner))
            case ast.Call(args=args, keywords=keywords):
                for given in (*args, *(k.value for k in keywords)):
                    if isinstance(given, ast.Name) and (read := attributes_read(roles, node, given)) is not None:
                        found.setdefault(given.id, set()).update(read)
                        owners.add(id(given))
    whole = {n.id for n in nodes if isinstance(n, ast.Name) and id(n) not in owners}
    own = {id(n) for n in nodes}
    for node, file in nodes_of_making(roles, making):  # a function may also know the settings by their own name
        if isinstance(node, ast.Name) and file is roles and node.id in found and id(node) not in own:
            if roles.key(roles.source.scope_of(node), node.id) == roles.key(scope, node.id):
                whole.add(node.id)
    return {name: attributes for name, attributes in found.items() if name not in whole}


def _names(node: ast.AST) -> set[str]:
    """The names in an expression, those left out that its comprehensions and lambdas bind for themselves."""
    nodes = walk(node)
    inner = {name for n in nodes if isinstance(n, ast.comprehension) for name in target_names(n.target)}
    inner |= {n.arg for n in nodes if isinstance(n, ast.arg)}
    read = flow([node]).read if inner else frozenset()
    return {n.id for n in nodes if isinstance(n, ast.Name) and (n.id not in inner or n.id in read)}


def _asks_what_trains(node: ast.AST) -> bool:
    return (isinstance(node, ast.Attribute) and node.attr == "requires_grad") or (
        isinstance(node, ast.Constant) and node.value == "requires_grad"
    )


def _freezes(node: ast.AST) -> bool:
    """Whether a node gives a parameter another word on whether it is trained."""
    match node:
        case ast.Attribute(attr="requires_grad", ctx=context):
            return not isinstance(context, ast.Load)
        case ast.Attribute(attr="requires_grad_") | ast.Constant(value="requires_grad"):
            return True
    return False


def _is_or_wraps(argument: ast.expr | None, name: Mention) -> bool:
    return argument is name or (argument is not None and _is_wrapped(argument, name))


def _is_wrapped(argument: ast.AST, name: Mention) -> bool:
    """Whether an argument is ``model.module``: a wrapper's own model."""
    return isinstance(argument, ast.Attribute) and argument.attr == "module" and argument.value is name


def _stores(statement: ast.stmt, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name and not isinstance(n.ctx, ast.Load) for n in walk(statement))


def _holds_identities(roles: Roles, statement: ast.stmt, depth: int = _DEPTH) -> bool:
    """Whether what is made surely holds the parameters alone: an optimizer of unknown kind may copy their values, and Adagrad does."""
    if any(_counts_weights(roles, n) for n in walk(statement)):
        return False
    rules = [rule for call in walk(statement) if isinstance(call, ast.Call) for rule in rules_of(roles, call)]
    if not all(reckons(roles, rule) for rule in rules):
        return False
    reckoned = {id(n) for rule in rules if isinstance(rule, ast.Lambda) for n in walk(rule)}
    calls = [n for n in walk(statement) if isinstance(n, ast.Call) and id(n) not in reckoned]
    made = [roles.full_name(c.func) for c in calls]
    return not any("Adagrad" in name for name in made) and all(
        (isinstance(c.func, ast.Attribute) and c.func.attr in _READING)
        or name.startswith(("torch.optim.", "transformers."))
        or (name in _PLAIN and roles.source.function(name) is None)
        or (depth < _DEPTH and (is_error(c) or name == "print"))
        or only_lists(roles, c)
        or _steps_schedule(roles, c)
        or _makes_by_identity(roles, c, depth)
        for c, name in zip(calls, made, strict=True)
    )


def _counts_weights(roles: Roles, node: ast.AST) -> bool:
    """Whether a number is made of what a model holds, which may be weights: ``float(model.scale)``, ``0.1 * model.scale``."""
    match node:
        case ast.Call(func=ast.Name(id=name), args=args) if name in _NUMBERS:
            parts = args
        case ast.BinOp(left=left, right=right):
            parts = [left, right]
        case ast.UnaryOp(operand=operand):
            parts = [operand]
        case _:
            return False
    return any(_is_held_by_model(roles, part) for part in parts)


def _is_held_by_model(roles: Roles, part: ast.expr) -> bool:
    inner = part
    while isinstance(inner, ast.Attribute | ast.Subscript):
        inner = inner.value
    if (
        inner is part
        or not isinstance(inner, ast.Name)
        or (isinstance(part, ast.Attribute) and _SIZE.fullmatch(part.attr))
    ):
        return False
    return roles.of(inner, roles.source.scope_of(inner)) is Role.MODEL


def _makes_by_identity(roles: Roles, call: ast.Call, depth: int) -> bool:
    """Whether a function of the project makes it, or it is a schedule of a class of the project, and holds the parameters alone."""
    if (own := roles.own_class_named(roles.full_name(call.func))) is not None:
        if holds_parameters_alone(own[1], own[0]):
            return True
        return _is_schedule(*own) and not any(map(_looks_at_parameters, walk(own[0])))
    found = plain_function(roles, call) if depth else None
    if found is None or any(isinstance(n, ast.Attribute) and n.attr in _OF_NOW for n in walk(found[0])):
        return False
    return all(_holds_identities(found[1], s, depth - 1) for s in found[0].body)


def _looks_at_parameters(node: ast.AST) -> bool:
    """Whether a schedule asks what parameters are at the time, or may: it takes them out of the groups."""
    match node:
        case ast.Attribute(attr=attribute):
            return attribute in _OF_NOW
        case ast.Constant(value=value):
            return value == "params"
    return False


def _steps_schedule(roles: Roles, call: ast.Call) -> bool:
    """Whether a call steps a schedule, which looks at rates and not at parameters."""
    match call.func:
        case ast.Attribute(value=ast.Name() as owner, attr="step"):
            return roles.of(owner, roles.source.scope_of(call)) is Role.SCHEDULER
    return False


def _is_schedule(definition: ast.ClassDef, file: File) -> bool:
    """Whether a class is one of torch's schedules with another rule: what it is made of are an optimizer and numbers."""
    bases = {roles.full_name(base) for one, roles in lineage(definition, file) for base in one.bases}
    return any(base.startswith("torch.optim.lr_scheduler.") for base in bases)
