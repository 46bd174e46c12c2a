"""What a value is for, found from how it is built and from how it is used."""

from __future__ import annotations

import ast
import contextlib
import functools
import re
from collections.abc import Iterable
from pathlib import Path

from ..memory import once
from .attributes import add_attributes
from .bindings import Binding as Binding
from .bindings import Key as Key
from .bindings import collect_bindings
from .elements import in_comprehension, looped_over
from .escapes import Escapes
from .makings import Value, elements_at, makings
from .names import bound_names, local_names, parameter_names, target_names
from .neighbours import Definition, Neighbours, imported_as
from .own_classes import bare_class, is_bare, is_plain, own_class
from .role import Role as Role
from .state_names import is_object, plain
from .syntax import Scope, Source, dotted, root_name, source_of, walk, walk_scope
from .torch_calls import fits_torch

_KEEPS_MODEL = {
    "to",
    "cuda",
    "cpu",
    "train",
    "eval",
    "float",
    "double",
    "half",
    "requires_grad_",
    "apply",
}
_WRAPS_MODEL = {
    "DataParallel",
    "DistributedDataParallel",
    "DDP",
    "compile",
    "script",
    "convert_sync_batchnorm",
}
_FLAGS = {"absl.flags.FLAGS", "absl.app.flags.FLAGS", "tensorflow.app.flags.FLAGS", "gflags.FLAGS"}
"""A command line's settings, whose names are the script's own: `FLAGS.train`, `FLAGS.eval`."""
_MODEL_USES = {
    "parameters",
    "named_parameters",
    "state_dict",
    "load_state_dict",
    "train",
    "eval",
    "zero_grad",
}
_MODES = {"train", "eval"}
_ALSO_OF_OPTIMIZERS = {"state_dict", "load_state_dict", "zero_grad", "param_groups"}
"""What an optimizer is asked for that its step is not, most of it as a model is."""
OPTIMIZER_NAME = re.compile(r"opt(im(izer)?)?s?(_|\d|$)|.*_opt(im(izer)?)?$|.*optimi[sz]er", re.I)
_SCHEDULER_NAME = re.compile(r".*sched(uler)?", re.I)
_SCHEDULE_MAKER = re.compile(r"(Scheduler|(?<![a-z]C)LR)$|^get_\w*schedule\w*$")
"""What makes a schedule: ``StepLR``, and no contrastive network (``SimCLR``)."""
_LOADER_NAME = re.compile(r".*(loader|iterator|dataloader|_dl|_iter|batches)(s|_.*|\d*)?$", re.I)
_COUNT_NAME = re.compile(
    r"(.*_)?(max|min|n|nb|num|number_of|total|eval|warmup|decay|log|save|accum|accumulation)_?(iter|batche)s?", re.I
)
"""How many there are, not what gives them: ``max_iters``, ``num_batches``."""
_LOADER_CLASS = re.compile(r"(DataLoader|[A-Z]\w*Loader|BucketIterator|\w*DataLoader)$")
_NOT_LOADERS = {"FileSystemLoader", "ConfigLoader", "Loader", "SafeLoader", "FullLoader"}


def is_loader_name(name: str) -> bool:
    return _LOADER_NAME.fullmatch(name) is not None and _COUNT_NAME.fullmatch(name) is None


class Roles:
    """Answers what a name in a scope is for. Works on demand and remembers."""

    def __init__(self, source: Source, neighbours: Neighbours | None = None) -> None:
        self.source = source
        self.neighbours = neighbours
        self._keys: dict[Key, Key | None] = {}
        self._bindings: dict[Scope, dict[str, list[Binding]]] = {}
        self._roles: dict[Key, Role | None] = {}
        self._open = 0
        self._entered: list[ast.FunctionDef] = []
        self._opened: list[ast.expr] = []
        self._calls: dict[tuple[ast.Call, Scope], Role | None] = {}
        self._uses: dict[Key, set[str]] | None = None
        self._called: set[Key] = set()
        self._origins: dict[str, str] | None = None
        self._files: dict[Path, Roles | None] = {}
        self.aliases: dict[str, Key] = {}
        """Names of methods' own variables, as what an attribute is bound to says them outside of the method."""
        self.held: bool | None = None
        """Whether some object of the script's own may step an optimizer; None while nobody has looked."""

    # ---- names

    def locals(self, scope: Scope) -> frozenset[str]:
        """The names that live in the scope."""
        return local_names(scope)

    def key(self, scope: Scope, name: str) -> Key | None:
        """The scope in which the name, read in ``scope``, lives; None for builtins and unknown names."""
        read = (scope, name)
        if read not in self._keys:
            self._keys[read] = self._find_key(scope, name)
        return self._keys[read]

    def _find_key(self, scope: Scope, name: str) -> Key | None:
        if name in local_names(scope):
            return scope, name
        if name in self.aliases:
            return self.aliases[name]
        if isinstance(scope, ast.Module):
            return (scope, name) if name in self.global_writes else None
        return self.key(self.source.scope_of(scope), name)

    @functools.cached_property
    def global_writes(self) -> set[str]:
        """The names that some function declares ``global`` and binds."""
        found: set[str] = set()
        for declaration in self.source.all(ast.Global):
            scope = self.source.scope_of(declaration)
            found |= (
                {*declaration.names}
                if isinstance(scope, ast.Module)
                else {*declaration.names} & bound_names(scope.body)
            )
        return found

    def bindings(self, key: Key) -> list[Binding]:
        """The places that give the name its values, in source order (those in functions by ``global`` left out)."""
        scope, name = key
        if scope not in self._bindings:
            self._bindings[scope] = collect_bindings(scope)
            if self.source.view is not None and isinstance(scope, ast.Module):
                add_attributes(self, self._bindings[scope])
        return self._bindings[scope].get(name, [])

    def mentions(self, key: Key) -> list[ast.Name]:
        """Every name of the file that stands for a variable, wherever it is read or bound."""
        named = (n for n in self.source.all(ast.Name) if n.id == key[1])
        return [n for n in named if self.key(self.source.scope_of(n), n.id) == key]

    @functools.cached_property
    def escapes(self) -> Escapes | None:
        """What reaches the object that is seen plainly; None for a text that is no plain view."""
        return Escapes(self) if self.source.view is not None else None

    def rebound_unseen(self, key: Key) -> bool:
        """Whether a name may get values that `bindings` does not know: by ``global``, ``exec`` or ``globals()``."""
        if not isinstance(key[0], ast.Module):
            return any(key[1] in n.names for n in self.source.all(ast.Nonlocal))
        return key[1] in self.global_writes or self.runs_text

    @functools.cached_property
    def _comprehended(self) -> frozenset[str]:
        """The names that comprehensions of the file bind."""
        found = (target_names(part.target) for part in self.source.all(ast.comprehension))
        return frozenset(name for names in found for name in names)

    @functools.cached_property
    def runs_text(self) -> bool:
        """Whether the file runs code that is text, or asks for its variables by their names."""
        return any(
            dotted(c.func) == "exec" or (dotted(c.func) in ("globals", "vars") and not c.args)
            for c in self.source.calls
        )

    @property
    def origins(self) -> dict[str, str]:
        """For each imported name the dotted thing that it stands for: ``F`` → ``torch.nn.functional``."""
        if self._origins is None:
            self._origins = {}
            for node in walk(self.source.tree):
                if isinstance(node, ast.Import):
                    for alias in node.names:
                        self._origins[alias.asname or alias.name.split(".")[0]] = (
                            alias.name if alias.asname else alias.name.split(".")[0]
                        )
                elif isinstance(node, ast.ImportFrom):
                    for alias in node.names:
                        prefix = "." * node.level + (node.module or "")
                        self._origins[alias.asname or alias.name] = f"{prefix}.{alias.name}"
        return self._origins

    def full_name(self, function: ast.AST) -> str:
        """The dotted name of a called thing with import aliases resolved: ``optim.SGD`` → ``torch.optim.SGD``."""
        name = dotted(function)
        if not name:
            return ""
        head, _, rest = name.partition(".")
        head = self.origins.get(head, head)
        return f"{head}.{rest}" if rest else head

    # ---- uses

    def uses(self, key: Key) -> set[str]:
        """The attributes that are read from the name anywhere, and ``()`` when it is called; no calls that torch would not take."""
        if self._uses is None:
            self._uses = {}
            for attribute in self.source.all(ast.Attribute):
                if isinstance(attribute.value, ast.Name) and self._as_torch(attribute):
                    self._add_use(attribute.value, attribute.attr)
            for call in self.source.calls:
                if isinstance(call.func, ast.Name):
                    self._add_use(call.func, "()")
        return self._uses.get(key, set())

    def _as_torch(self, attribute: ast.Attribute) -> bool:
        call = self.source.parents.get(attribute)
        if not isinstance(call, ast.Call) or call.func is not attribute:
            return attribute.attr not in _MODES  # ``cfg.train`` is a setting
        return fits_torch(call)

    def _add_use(self, node: ast.Name, attribute: str) -> None:
        assert self._uses is not None
        key = self.key(self.source.scope_of(node), node.id)
        if key is not None:
            self._uses.setdefault(key, set()).add(attribute)

    # ---- roles

    def role(self, scope: Scope, name: str) -> Role | None:
        """The role of a name as read in a scope."""
        key = self.key(scope, name)
        return self.role_of(key) if key else None

    def role_of(self, key: Key) -> Role | None:
        """The role of a name in the scope where it lives."""
        if key not in self._roles:
            self._roles[key] = None  # guards against recursion
            self._open += 1
            self._roles[key] = self._find_role(key)
            self._open -= 1
        return self._roles[key]

    def _find_role(self, key: Key) -> Role | None:
        scope, name = key
        if is_object(name) and self.source.view is not None and self.source.view.family.is_module:
            return Role.MODEL
        bar: Role | None = None
        for binding in self.bindings(key):
            if binding.index is None and (role := self.of(binding.value, scope)):
                if role is not Role.BAR or not any(
                    isinstance(n, ast.Name) and n.id == name for n in walk(binding.value)
                ):
                    return role
                bar = role  # around what the name held before
            if binding.index is not None and (role := self._unpacked(binding, scope, name)):
                return role
        if not isinstance(scope, ast.Module) and name in parameter_names(scope):
            for caller, argument in self.arguments(scope, name):
                if role := self.of(argument, caller):
                    return role
        return bar if bar is not None and not is_loader_name(name) else self._role_from_use(key)

    def _role_from_use(self, key: Key) -> Role | None:
        uses, name = self.uses(key), plain(key[1])
        own = own_class(self, ast.Name(key[1], ast.Load()), key[0]) if uses else None
        if own is not None and is_bare(self, own):
            if {"zero_grad", "step"} <= uses and _mentions(own, "step", "grad", "data", "param_groups"):
                return Role.OPTIMIZER
            if "step" in uses and _SCHEDULER_NAME.fullmatch(name) and _mentions(own, "param_groups"):
                return Role.SCHEDULER
        elif (role := self._role_as_torch(key, uses, name)) is not None:
            return role
        if name in ("args", "opt", "cfg", "config", "hparams") and not uses & {"zero_grad", "step"}:
            return Role.CONFIG if uses else None
        if name == "device":
            return Role.DEVICE
        if is_loader_name(name):
            return Role.LOADER
        if name in ("criterion", "loss_fn", "loss_func", "loss_function", "criterium") and "()" in uses:
            return Role.CRITERION
        return None

    def _role_as_torch(self, key: Key, uses: set[str], name: str) -> Role | None:
        """The role of an object that may be one of torch's, by what is done with it."""
        if "step" in uses:
            if {"zero_grad", "param_groups", "add_param_group"} & uses:
                return Role.OPTIMIZER
            if {"scale", "unscale_"} & uses and "update" in uses:
                return Role.SCALER
            if _SCHEDULER_NAME.fullmatch(name):
                return Role.SCHEDULER
            if OPTIMIZER_NAME.fullmatch(name) and not self.is_plain_object(ast.Name(key[1], ast.Load()), key[0]):
                return Role.OPTIMIZER
            return self._made_to_step(key)
        if "zero_grad" in uses and uses <= _ALSO_OF_OPTIMIZERS and OPTIMIZER_NAME.fullmatch(name):
            if self._is_stepped_by_another(key):
                return Role.OPTIMIZER
        if len(_MODEL_USES & uses) >= 2 or "parameters" in uses or ("()" in uses and _MODEL_USES & uses):
            return Role.MODEL
        return None

    def _is_stepped_by_another(self, key: Key) -> bool:
        """Whether a call hands it to something that steps: ``scaler.step(optimizer)``."""
        for call in self.source.calls:
            match call:
                case ast.Call(func=ast.Attribute(attr="step"), args=[ast.Name(id=name), *_]) if name == key[1]:
                    if self.key(self.source.scope_of(call), name) == key:
                        return True
        return False

    def _made_to_step(self, key: Key) -> Role | None:
        """The role of what functions of any file, or elements of a container, make of an object that is stepped."""
        made = makings(Value(ast.Name(key[1], ast.Load()), key[0], self))
        found = {m.roles.of(m.call, m.scope) for m in made} & {Role.OPTIMIZER, Role.SCHEDULER, Role.SCALER}
        return found.pop() if len(found) == 1 else None

    def is_plain_object(self, node: ast.expr, scope: Scope) -> bool:
        """Whether it is an object of a class of the project that is no optimizer, whatever its methods are called."""
        definition = own_class(self, node, scope)
        return definition is not None and is_plain(self, definition)

    def is_bare_object(self, node: ast.expr, scope: Scope) -> bool:
        """Whether it is an object of a class of the project that has nothing of torch's: its methods do what they say themselves."""
        return bare_class(self, node, scope) is not None

    def _unpacked(self, binding: Binding, scope: Scope, name: str) -> Role | None:
        value = binding.value
        if isinstance(value, ast.Call) and binding.index is not None:
            function = self.source.function(dotted(value.func))
            for expression in self._returned(function):
                if isinstance(expression, ast.Tuple) and 0 <= binding.index < len(expression.elts):
                    return self.of(expression.elts[binding.index], function or scope)
        if isinstance(value, ast.Tuple) and 0 <= (binding.index or 0) < len(value.elts):
            return self.of(value.elts[binding.index or 0], scope)
        place = binding.index if binding.index is not None and binding.index >= 0 else None
        if binding.index == -1 and isinstance(binding.statement, ast.For):
            return self._of_any(looped_over(Value(value, scope, self), binding.statement.target, name))
        if place is not None:
            return self._of_any(elements_at(Value(value, scope, self), ast.Constant(place)))
        return None

    def _of_any(self, values: Iterable[Value]) -> Role | None:
        """The role of the first of several values that has one."""
        for value in values:
            if any(value.node is opened for opened in self._opened):
                continue  # a container may be made of itself
            self._opened.append(value.node)
            self._open += 1
            try:
                if (role := value.roles.of(value.node, value.scope)) is not None:
                    return role
            finally:
                self._open -= 1
                self._opened.pop()
        return None

    def _returned(self, function: ast.FunctionDef | None) -> list[ast.expr]:
        if function is None:
            return []
        return [n.value for n in walk_scope(function.body) if isinstance(n, ast.Return) and n.value is not None]

    def arguments(self, function: Scope, parameter: str) -> list[tuple[Scope, ast.expr]]:
        """What the file's own calls pass for a parameter, with the scope of each call."""
        if isinstance(function, ast.Module):
            return []
        found = []
        for call in self.source.calls_to(function.name):
            argument = bound_argument(function, call, parameter)
            if argument is not None:
                found.append((self.source.scope_of(call), argument))
        return found

    def of(self, node: ast.expr, scope: Scope) -> Role | None:
        """The role of an expression's value."""
        match node:
            case ast.Name(id=name):
                if name in self._comprehended and (part := in_comprehension(self, node)) is not None:
                    return self._of_any(looped_over(Value(part.iter, scope, self), part.target, name))
                return self.role(scope, name)
            case ast.Attribute():
                return self._of_attribute(node, scope)
            case ast.Subscript(value=container, slice=place):
                if (role := self._of_any(elements_at(Value(container, scope, self), place))) is not None:
                    return role
                by_name = isinstance(container, ast.Name) and is_loader_name(container.id)
                return Role.LOADER if by_name else None
            case ast.IfExp(body=body, orelse=orelse):
                return self.of(body, scope) or self.of(orelse, scope)
            case ast.Call():
                call = (node, scope)
                if call in self._calls:
                    return self._calls[call]
                role = self._of_call(node, scope)
                if not self._open and not self._entered:  # else the answer may lack a role that is just being found
                    self._calls[call] = role
                return role
            case ast.BoolOp(values=values):
                return self.of(values[-1], scope)
        return None

    def _of_attribute(self, node: ast.Attribute, scope: Scope) -> Role | None:
        if node.attr == "device":
            return Role.DEVICE
        if node.attr == "module":
            return self.of(node.value, scope)
        if node.attr == "FLAGS" and self.full_name(node) in _FLAGS:
            return Role.CONFIG
        if isinstance(node.value, ast.Name) and self.role(scope, node.value.id) is Role.CONFIG:
            return None
        if is_loader_name(node.attr):
            return Role.LOADER
        if isinstance(node.value, ast.Name):
            return self._of_made_attribute(self.key(scope, node.value.id), node.attr)
        return None

    def _of_made_attribute(self, key: Key | None, attribute: str) -> Role | None:
        """``dataset.train`` is a loader when the class of ``dataset``, here or in a file beside, stores one there."""
        for binding in self.bindings(key) if key else []:
            if not isinstance(binding.value, ast.Call) or binding.index is not None:
                continue
            definition = self.class_named(self.full_name(binding.value.func))
            for node in walk(definition) if definition is not None else []:
                match node:
                    case ast.Assign(
                        targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=ast.Call() as made
                    ):
                        last = dotted(made.func).rpartition(".")[2]
                        if name == attribute and _LOADER_CLASS.match(last) and last not in _NOT_LOADERS:
                            return Role.LOADER
        return None

    def class_named(self, full: str) -> ast.ClassDef | None:
        """The class of a full name, in this file or in one beside it."""
        if "." not in full:
            return self.source.classes.get(full)
        found = self.neighbours.definition(full) if self.neighbours is not None else None
        return found.node if found is not None and isinstance(found.node, ast.ClassDef) else None

    def own_class_named(self, full: str) -> tuple[ast.ClassDef, Roles] | None:
        """The same with the file that defines it."""
        if "." not in full and full in self.source.classes:
            return self.source.classes[full], self
        found = self.defined_beside(full)
        other = self.of_file(found.file) if found is not None else None
        definition = other.source.classes.get(found.node.name) if found is not None and other is not None else None
        return (definition, other) if definition is not None and other is not None else None

    def function_named(self, full: str) -> tuple[ast.FunctionDef, Roles] | None:
        """The function of a full name, in this file or in one beside it, with the file that defines it."""
        if "." not in full and (function := self.source.function(full)) is not None:
            return function, self
        found = self.defined_beside(full)
        other = self.of_file(found.file) if found is not None else None
        function = other.source.function(found.node.name) if found is not None and other is not None else None
        return (function, other) if function is not None and other is not None else None

    def variable_named(self, full: str) -> tuple[str, Roles] | None:
        """The variable at module level of a file beside this one that a full name stands for, with that file."""
        if self.neighbours is None:
            return None
        for name in self._full_names(full):
            if (found := self.neighbours.variable(name)) is not None and (other := self.of_file(found[0])) is not None:
                return found[1], other
        return None

    def defined_beside(self, full: str) -> Definition | None:
        """The function or class of a file beside this one that a full name stands for, by the file's stars too."""
        if self.neighbours is None:
            return None
        for name in self._full_names(full):
            if (found := self.neighbours.definition(name)) is not None:
                return found
        return None

    def _full_names(self, full: str) -> list[str]:
        """The name itself, or those that it may have by the file's stars when nothing else in the file binds it."""
        if "." in full:
            return [full]
        return [] if full in local_names(self.source.tree) else imported_as(self.source.tree, full)

    def of_file(self, file: Path) -> Roles | None:
        """The roles of a project file that the script imports; None when it cannot be read."""
        if file not in self._files and self.neighbours is not None:
            self._files[file] = None
            with contextlib.suppress(SyntaxError, ValueError, RecursionError):
                other = Roles(source_of(self.neighbours.text(file)), self.neighbours.beside(file))
                other._files = self._files  # one memory for all: files import each other in a circle
                self._files[file] = other
        return self._files.get(file)

    def _of_call(self, node: ast.Call, scope: Scope) -> Role | None:
        full = self.full_name(node.func)
        last = full.rpartition(".")[2] or (node.func.attr if isinstance(node.func, ast.Attribute) else "")
        if isinstance(node.func, ast.Attribute):
            if last in _KEEPS_MODEL and (role := self.of(node.func.value, scope)):
                return role
            if last in ("parse_args", "parse_known_args"):
                return Role.CONFIG
        if last in _WRAPS_MODEL and node.args:
            return self.of(node.args[0], scope) or Role.MODEL
        if last in ("deepcopy", "AveragedModel") and node.args:
            return self.of(node.args[0], scope)
        if self._makes_schedule(node.func, full, last):
            return Role.SCHEDULER
        if re.search(r"(^|\.)optim\.\w", full) and last[:1].isupper():
            return Role.OPTIMIZER
        if last in _OPTIMIZER_CLASSES or re.fullmatch(r"(get|create|build|make|configure)_optimi[sz]ers?", last):
            return Role.OPTIMIZER
        if isinstance(node.func, ast.Call) and dotted(node.func.func) == "getattr" and node.func.args:
            return Role.OPTIMIZER if self.full_name(node.func.args[0]).endswith("optim") else None
        if full == "torch.device" or last == "current_accelerator":
            return Role.DEVICE
        if last == "GradScaler":
            return Role.SCALER
        if last == "SummaryWriter":
            return Role.WRITER
        if last in ("tqdm", "trange"):
            return Role.BAR
        if _LOADER_CLASS.match(last) and last not in _NOT_LOADERS:
            return Role.LOADER
        if last.endswith("Loss") or (full.startswith("torch.nn.") and last.endswith("Loss")):
            return Role.CRITERION
        if self.is_module_class(last) or (full.startswith("torch.nn.") and last[:1].isupper()):
            return Role.MODEL
        if full.startswith(("torchvision.models.", "timm.create_model", "segmentation_models_pytorch.")):
            return Role.MODEL
        if last == "from_pretrained" and "Model" in full:
            return Role.MODEL
        return self._of_own_function(node, full)

    def _makes_schedule(self, called: ast.expr, full: str, last: str) -> bool:
        """Whether what is called has the name of a schedule, or stands in a package of them: no network, and no method of one."""
        if _SCHEDULE_MAKER.search(last):
            named = self.own_class_named(full)
            return named is None or not named[1].is_module_class(named[0].name)
        return "lr_scheduler" in full and (isinstance(called, ast.Name) or root_name(called) in self.origins)

    def _of_own_function(self, node: ast.Call, full: str) -> Role | None:
        function = self.source.function(full) if "." not in full else None
        if function is None or function in self._entered:  # functions may return calls of each other
            return None
        self._entered.append(function)
        try:
            return next((role for e in self._returned(function) if (role := self.of(e, function))), None)
        finally:
            self._entered.pop()

    def is_module_class(self, name: str, depth: int = 0) -> bool:
        """Whether a class of the file is one of torch's modules, through its bases."""
        definition = self.source.classes.get(name)
        if definition is None or depth > 8:
            return False
        for base in definition.bases:
            full = self.full_name(base)
            if full.endswith(("nn.Module", "nn.Sequential", "nn.ModuleList")) or full == "Module":
                return True
            if self.is_module_class(full.rpartition(".")[2], depth + 1):
                return True
        return False


def is_optimizers_use(attribute: str) -> bool:
    """Whether only optimizers have such an attribute, among all that is stepped."""
    return attribute in ("zero_grad", "param_groups", "add_param_group")


def _mentions(definition: ast.ClassDef, *attributes: str) -> bool:
    """Whether a class's own text reads one of these attributes, as that of an optimizer or a schedule does."""
    return any(isinstance(n, ast.Attribute) and n.attr in attributes for n in walk(definition))


_OPTIMIZER_CLASSES = {
    "SGD", "Adam", "AdamW", "Adadelta", "Adagrad", "Adamax", "ASGD", "LBFGS", "NAdam", "RAdam", "RMSprop", "Rprop",
    "SparseAdam", "Adafactor", "SAM", "Lion", "LARS", "LAMB", "AdamP", "SGDP", "Muon", "Lamb", "Ranger", "RangerLars",
}  # fmt: skip


def bound_argument(function: ast.FunctionDef | ast.AsyncFunctionDef, call: ast.Call, parameter: str) -> ast.expr | None:
    """The expression that a call passes for a parameter; its default when it passes none; None when unknown."""
    a = function.args
    positional = [p.arg for p in (*a.posonlyargs, *a.args)]
    for keyword in call.keywords:
        if keyword.arg == parameter:
            return keyword.value
    if any(k.arg is None for k in call.keywords):
        return None
    starred = next((i for i, argument in enumerate(call.args) if isinstance(argument, ast.Starred)), None)
    if parameter in positional:
        index = positional.index(parameter)
        if starred is not None and index >= starred:
            return None
        if index < len(call.args):
            return call.args[index]
        offset = index - (len(positional) - len(a.defaults))
        return a.defaults[offset] if offset >= 0 else None
    for keyword_only, default in zip(a.kwonlyargs, a.kw_defaults, strict=True):
        if keyword_only.arg == parameter:
            return default
    return None


def spread_argument(
    function: ast.FunctionDef | ast.AsyncFunctionDef, call: ast.Call
) -> tuple[list[str], ast.expr] | None:
    """The parameters that ``*value``, the last positional argument of a call, surely fills, and the value."""
    if not call.args or not isinstance(call.args[-1], ast.Starred) or any(k.arg is None for k in call.keywords):
        return None
    if any(isinstance(argument, ast.Starred) for argument in call.args[:-1]):
        return None
    a = function.args
    positional = [p.arg for p in (*a.posonlyargs, *a.args)]
    rest = positional[len(call.args) - 1 :]
    named = {keyword.arg for keyword in call.keywords}
    optional = positional[len(positional) - len(a.defaults) :] if a.defaults else []
    if not rest or named & set(rest) or set(optional) & set(rest):
        return None  # how many of them the value fills is not known
    return rest, call.args[-1].value


def roles_of(source: Source, neighbours: Neighbours | None = None) -> Roles:
    """The one `Roles` of a source in this run; ``neighbours`` are the files of the project around it, None to look at none."""
    place = None if neighbours is None else (neighbours.path, *neighbours.extra)
    return once(("roles", id(source), place), lambda: Roles(source, neighbours))
