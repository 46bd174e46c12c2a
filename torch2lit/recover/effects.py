"""What a statement touches besides its own names: parameters, gradients, learning rates, random numbers.

The order of two statements may change only if neither touches what the other one changes. This module
gives the facts; torch2lit/plan decides with them. Everything unknown counts as touching.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..memory import once
from .circles import ends_in_a_circle
from .clocks import Clocks
from .hooked import hooked_names
from .listed_parameters import only_lists
from .names import free_names, parameter_names, target_names
from .neighbours import neighbours_of
from .own_optimizers import run_by_making
from .roles import Key, Role, Roles, bound_argument, roles_of
from .state_names import WHOLE
from .stepping import STEP_METHODS, optimizer_step
from .syntax import Scope, Source, children, dotted, root_name, source_of, walk, walk_scope
from .torch_calls import fits_torch

_ALIASING_METHODS = {
    "parameters", "named_parameters", "state_dict", "modules", "named_modules", "children", "named_children",
    "buffers", "named_buffers", "get_parameter", "get_submodule", "to", "cuda", "cpu", "train", "eval", "float",
    "double", "half", "requires_grad_", "apply", "values", "items", "keys", "detach", "view", "data",
}  # fmt: skip
_RATES = {"lr", "initial_lr", "momentum", "weight_decay"}
_PROCESS_METHODS = {"join", "no_sync"}
"""Methods of wrappers for several processes that only talk to the other processes."""
_ALIASING_FUNCTIONS = {
    "list", "tuple", "dict", "set", "zip", "chain", "filter", "map", "iter", "enumerate", "cycle", "partial",
    "reversed", "sorted", "next", "compile", "script", "vars", "itertools.chain", "getattr",
}  # fmt: skip
_VALUE_ATTRIBUTES = {
    "training",
    "shape",
    "device",
    "dtype",
    "ndim",
    "__class__",
    "__name__",
    "dataset",
    "batch_size",
}
_MODULE_ONLY = {
    "parameters", "named_parameters", "state_dict", "load_state_dict", "eval", "modules", "named_modules", "children",
    "zero_grad", "requires_grad_",
}  # fmt: skip
_RNG_CALLS = {
    "rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "normal", "bernoulli",
    "multinomial", "poisson", "binomial", "dropout", "dropout2d", "dropout3d", "alpha_dropout", "feature_dropout",
    "rrelu", "gumbel_softmax", "manual_seed", "manual_seed_all", "seed", "initial_seed", "set_rng_state", "fork_rng",
    "seed_everything", "set_seed", "random_split", "uniform_", "normal_", "random_", "bernoulli_", "exponential_",
    "cauchy_", "geometric_", "log_normal_", "xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_",
    "trunc_normal_", "orthogonal_", "sparse_", "reset_parameters", "sample", "rsample",
}  # fmt: skip
KNOWN_PACKAGES = frozenset({"torch", "torchvision", "torchaudio", "torchmetrics", "lightning"})
"""Packages whose functions do what their documentation says with what they are given."""
NO_TORCH_RNG = {
    "numpy", "np", "matplotlib", "plt", "pandas", "sklearn", "scipy", "PIL", "cv2", "tqdm", "wandb", "tensorboardX",
    "yaml", "h5py", "imageio", "seaborn", "networkx", "visdom", "IPython", "psutil", "nltk", "skimage", "mlflow",
    "click", "termcolor", "tabulate", "rich", "loguru", "torchinfo", "torchsummary", "ipdb", "dgl", "ogb", "plotly",
}  # fmt: skip
_GRAD_QUESTIONS = {"is_grad_enabled", "is_inference_mode_enabled", "is_inference"}
_IN_PLACE_SAFE = {"requires_grad_", "share_memory_", "__init__", "retain_grad"}


@dataclass(frozen=True, slots=True)
class Effects:
    """What one statement does beyond its names."""

    model: bool = False
    """Touches parameters or buffers, in any way (a forward pass reads them)."""
    mode: bool = False
    """Switches a module between train and eval."""
    gradients: bool = False
    optimizer: bool = False
    """Touches the optimizer or a scheduler in another way than reading a learning rate."""
    learning_rate: bool = False
    rng: bool = False
    """May draw from, or set, torch's global random number generator."""
    mutates: frozenset[Key] = frozenset()
    """Names whose object may be changed in place."""
    clock: bool = False
    """Reads a clock or what memory is in use."""


def joined_effects(several: list[Effects]) -> Effects:
    """What several things do together."""
    return Effects(
        any(e.model for e in several), any(e.mode for e in several), any(e.gradients for e in several),
        any(e.optimizer for e in several), any(e.learning_rate for e in several), any(e.rng for e in several),
        frozenset().union(*(e.mutates for e in several)), any(e.clock for e in several),
    )  # fmt: skip


def effects_of(roles: Roles, path: str) -> EffectAnalysis:
    """The one analysis of a program in this run, whoever asks."""
    return once(("effects", id(roles), path), lambda: EffectAnalysis(roles.source, roles, path))


class EffectAnalysis:
    """Effects of statements of one file; call :meth:`of` for each. Works on demand and remembers."""

    def __init__(self, source: Source, roles: Roles, path: str = "") -> None:
        self.source = source
        self.roles = roles
        self.neighbours = roles.neighbours or neighbours_of(path)
        self.clocks = Clocks(roles)
        self._foreign: dict[tuple[Path, str], bool] = {}
        self._drawing: frozenset[str] | None = None
        self._class_touched: dict[ast.ClassDef, frozenset[Key]] = {}
        self._touched: dict[Scope, frozenset[Key]] = {}
        self._rng: dict[Scope, bool] = {}
        self._in_place: dict[Scope, frozenset[str]] = {}
        self._grad: dict[Scope, bool] = {}
        self._foreign_analyses: dict[Path, EffectAnalysis] = {}
        self._effects: dict[tuple[ast.AST, Scope], Effects] = {}
        self._carried: dict[tuple[ast.AST, Scope, bool], bool] | None = None
        self._returning: list[ast.FunctionDef] = []
        self._hooked: frozenset[Key] | None = None
        self._asks: bool | None = None
        self.models: set[Key] = set()
        self.optimizers: set[Key] = set()
        self._find_carriers()
        self._carried = {}

    # ---- carriers: names from which parameters or an optimizer can be reached

    def _find_carriers(self) -> None:
        models, optimizers = self.models, self.optimizers
        scopes: list[Scope] = [self.source.tree, *self.source.functions]
        steps: list[tuple[Scope, list[ast.AST], ast.expr]] = []
        for scope in scopes:
            for name in self.roles.locals(scope):
                role = self.roles.role_of((scope, name))
                if role is Role.MODEL:
                    models.add((scope, name))
                elif role in (Role.OPTIMIZER, Role.SCHEDULER):
                    optimizers.add((scope, name))
            for node in walk_scope(scope.body):
                match node:
                    case ast.Assign(targets=targets, value=value):
                        if not _takes_rate(targets, value, scope):
                            steps.append((scope, list(targets), value))
                    case ast.AnnAssign(target=target, value=ast.expr() as value):
                        steps.append((scope, [target], value))
                    case ast.For(target=target, iter=value):
                        steps.append((scope, self._given_objects(target, value), value))
                    case ast.With(items=items):
                        steps.extend((scope, [i.optional_vars], i.context_expr) for i in items if i.optional_vars)
        models |= self._parameter_owners() - optimizers
        if self.source.view is not None and self.source.view.family.is_module:
            models.add((self.source.tree, WHOLE))
        changed = True
        while changed:
            changed = False
            for scope, bound, value in steps:
                for carriers, other in ((models, optimizers), (optimizers, models)):
                    if self._carries(value, scope, carriers):
                        for name in (n for t in bound for n in target_names(t)):
                            key = self.roles.key(scope, name)
                            if key and key not in carriers and key not in other:
                                carriers.add(key)
                                changed = True
            changed |= self._carry_into_functions(models, optimizers)

    def _given_objects(self, target: ast.expr, iterated: ast.expr) -> list[ast.AST]:
        """What a loop gives but for text: ``for name, parameter in model.named_parameters()`` gives a name beside each."""
        match target, iterated:
            case ast.Tuple(elts=[ast.Name(), given]), ast.Call(func=ast.Attribute(attr=listing)) if listing in NAMED:
                own = any(f.name == listing for f in self.source.functions)
                return [target] if own or not fits_torch(iterated) else [given]
        return [target]

    def _parameter_owners(self) -> set[Key]:
        """Names that must hold modules: one use that only a module has is enough, or a place in an optimizer's making."""
        found: set[Key] = set()
        for call in self.source.calls:
            scope = self.source.scope_of(call)
            if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
                if (
                    call.func.attr in _MODULE_ONLY
                    and fits_torch(call)
                    and (key := self.roles.key(scope, call.func.value.id))
                ):
                    found.add(key)
            if self.roles.of(call, scope) is Role.OPTIMIZER:
                for node in walk(call):
                    if isinstance(node, ast.Attribute) and node.attr in ("parameters", "named_parameters"):
                        if key := self.roles.key(scope, root_name(node)):
                            found.add(key)
                listed = [*call.args[:1], *(k.value for k in call.keywords if k.arg == "params")]
                found |= {key for part in listed for name in _listed(part) if (key := self.roles.key(scope, name))}
        return {k for k in found if self.roles.role_of(k) in (None, Role.MODEL, Role.CRITERION)}

    def _carry_into_functions(self, models: set[Key], optimizers: set[Key]) -> bool:
        changed = False
        for call in self.source.calls:
            function = self.source.function(call.func.id) if isinstance(call.func, ast.Name) else None
            if function is None:
                continue
            scope = self.source.scope_of(call)
            for parameter in parameter_names(function):
                argument = bound_argument(function, call, parameter)
                if argument is None:
                    continue
                for carriers in (models, optimizers):
                    if (function, parameter) not in carriers and self._carries(argument, scope, carriers):
                        carriers.add((function, parameter))
                        changed = True
                    if (function, parameter) in carriers and isinstance(argument, ast.Name):
                        key = self.roles.key(scope, argument.id)
                        if key and key not in carriers and self.roles.role_of(key) is None:
                            carriers.add(key)
                            changed = True
        return changed

    def _carries(self, node: ast.AST | None, scope: Scope, carriers: set[Key]) -> bool:
        if self._carried is None or not isinstance(node, ast.Call):  # the carriers are still being found
            return self._find_carries(node, scope, carriers)
        if self._returning:  # an answer that a recursion has cut short is not to be remembered
            return self._find_carries(node, scope, carriers)
        place = (node, scope, carriers is self.optimizers)
        if place not in self._carried:
            self._carried[place] = self._find_carries(node, scope, carriers)
        return self._carried[place]

    def _find_carries(self, node: ast.AST | None, scope: Scope, carriers: set[Key]) -> bool:
        match node:
            case None | ast.Constant():
                return False
            case ast.Name(id=name):
                return self.roles.key(scope, name) in carriers
            case ast.Attribute(value=value, attr=attribute):
                return attribute not in _VALUE_ATTRIBUTES and self._carries(value, scope, carriers)
            case ast.Subscript(value=value) | ast.Starred(value=value) | ast.Await(value=value):
                return self._carries(value, scope, carriers)
            case ast.Call() if self.roles.of(node, scope) in (
                (Role.OPTIMIZER, Role.SCHEDULER) if carriers is self.optimizers else (Role.MODEL,)
            ):
                return True
            case ast.Call() if carriers is self.models and self.roles.of(node, scope) in (
                Role.OPTIMIZER,
                Role.SCHEDULER,
            ):
                return False
            case ast.Call(func=function, args=arguments, keywords=keywords):
                return self._call_carries(function, [*arguments, *(k.value for k in keywords)], scope, carriers)
            case ast.BinOp() | ast.Compare() | ast.UnaryOp() | ast.JoinedStr():
                return False
            case ast.Lambda(body=body):
                return any(self._carries(n, scope, carriers) for n in walk(body) if isinstance(n, ast.Name))
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                values = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
                inner = {n for g in node.generators for n in target_names(g.target)}
                looped = any(self._carries(g.iter, scope, carriers) for g in node.generators)
                return any(self._carries(v, scope, carriers) for v in values) or (
                    looped and any(root_name(v) in inner and not isinstance(v, ast.Call) for v in values)
                )
        return any(self._carries(child, scope, carriers) for child in children(node))

    def _call_carries(self, function: ast.AST, arguments: list[ast.expr], scope: Scope, carriers: set[Key]) -> bool:
        if isinstance(function, ast.Attribute) and self._carries(function.value, scope, carriers):
            return function.attr in _ALIASING_METHODS
        name = dotted(function)
        if own := self.source.function(name):
            return self._returns_carried(own, carriers)
        if not any(self._carries(a, scope, carriers) for a in arguments):
            return False
        if isinstance(function, ast.Subscript):  # some class or function out of a table
            return True
        last = name.rpartition(".")[2]
        return name in _ALIASING_FUNCTIONS or last in _ALIASING_FUNCTIONS or last[:1].isupper() or last in ("DDP",)

    def _returns_carried(self, function: ast.FunctionDef, carriers: set[Key]) -> bool:
        if function in self._returning:  # a function that calls itself carries what its other returns carry
            return False
        self._returning.append(function)
        try:
            return any(
                isinstance(n, ast.Return) and n.value is not None and self._carries(n.value, function, carriers)
                for n in walk_scope(function.body)
            )
        finally:
            self._returning.pop()

    # ---- transitive facts of functions

    def touched(self, node: ast.AST, scope: Scope) -> set[Key]:
        """Every name that running the node may reach, through calls of the file's own functions too."""
        found: set[Key] = set()
        for part in walk(node):
            if isinstance(part, ast.Name):
                key = self.roles.key(scope, part.id)
                if key:
                    found.add(key)
                    if isinstance(part.ctx, ast.Load):
                        found |= self._reached_from(part.id, scope)
        return found

    def _reached_from(self, name: str, scope: Scope) -> frozenset[Key]:
        """What calling the name may reach: a function's free names, or those of the methods of an object's class."""
        if function := self.source.function(name):
            return self._touched_by(function)
        definition = self.source.classes.get(name)
        if definition is None and (key := self.roles.key(scope, name)):
            for binding in self.roles.bindings(key):
                if isinstance(binding.value, ast.Call) and (
                    made := self.source.classes.get(dotted(binding.value.func))
                ):
                    definition = made
        return self._touched_by_class(definition) if definition is not None else frozenset()

    def meets_hooks(self, node: ast.AST, scope: Scope) -> bool:
        """Whether the node may read or change what a callback touches that PyTorch runs within forward or backward."""
        if self._hooked is None:
            self._hooked = hooked_names(self)
        return bool(self._hooked) and not self._hooked.isdisjoint(self.touched(node, scope))

    def asks_grad_mode(self) -> bool:
        """Whether the program asks anywhere if gradients are being recorded."""
        if self._asks is None:
            asked = (n.attr if isinstance(n, ast.Attribute) else n.id for n in walk(self.source.tree)
                     if isinstance(n, ast.Attribute | ast.Name))  # fmt: skip
            self._asks = any(name in _GRAD_QUESTIONS for name in asked)
        return self._asks

    def _touched_by_class(self, definition: ast.ClassDef) -> frozenset[Key]:
        if definition not in self._class_touched:
            self._class_touched[definition] = frozenset()
            found: set[Key] = set()
            for method in definition.body:
                if isinstance(method, ast.FunctionDef):
                    found |= self._touched_by(method)
            self._class_touched[definition] = frozenset(found)
        return self._class_touched[definition]

    def _touched_by(self, function: Scope) -> frozenset[Key]:
        if function not in self._touched:
            self._touched[function] = frozenset()  # guards against recursion
            found: set[Key] = set()
            assert isinstance(function, ast.FunctionDef)
            for name in free_names(function):
                key = self.roles.key(function, name)
                if key:
                    found.add(key)
                    if inner := self.source.function(name):
                        found |= self._touched_by(inner)
            self._touched[function] = frozenset(found)
        return self._touched[function]

    def draws(self, node: ast.AST | list[ast.stmt], scope: Scope) -> bool:
        """Whether running the node may draw from torch's global random number generator."""
        nodes = node if isinstance(node, list) else [node]
        return any(self._draws_here(part, scope) for root in nodes for part in walk(root))

    def _draws_here(self, node: ast.AST, scope: Scope) -> bool:
        if isinstance(node, ast.For | ast.comprehension):
            return self._is_loader(node.iter, scope)
        if not isinstance(node, ast.Call):
            return False
        full = self.roles.full_name(node.func)
        last = full.rpartition(".")[2] if full else getattr(node.func, "attr", "")
        root = full.partition(".")[0]
        if root in NO_TORCH_RNG or root == "random":
            return False
        if last in _RNG_CALLS and (root == "torch" or isinstance(node.func, ast.Attribute) or last == "set_seed"):
            return True
        if last in ("iter", "next", "list", "enumerate", "tqdm", "zip") and any(
            self._is_loader(a, scope) for a in node.args
        ):
            return True
        if _tells_sampler(node):
            return "set_epoch" in self._drawing_methods()
        if self._carries(node.func, scope, self.models):
            if isinstance(node.func, ast.Attribute) and node.func.attr == "apply":
                return any(self._applied_draws(a) for a in [*node.args, *(k.value for k in node.keywords)])
            quiet = _ALIASING_METHODS | _PROCESS_METHODS
            if not (isinstance(node.func, ast.Attribute) and node.func.attr in quiet):
                return not only_lists(self.roles, node)
            return node.func.attr in self._drawing_methods() and self.roles.is_bare_object(node.func.value, scope)
        if full.startswith("torch.nn.") and last[:1].isupper() and not last.endswith("Loss"):
            return True
        if last in self.source.classes:
            if self.roles.of(node, scope) is Role.MODEL or self._making_draws(self.source.classes[last]):
                return True
            return any(self._handed_draws(a, scope) for a in [*node.args, *(k.value for k in node.keywords)])
        if isinstance(node.func, ast.Attribute) and node.func.attr in self._drawing_methods():
            return True
        if isinstance(node.func, ast.Name) and (function := self.source.function(node.func.id)):
            return self._function_draws(function)
        return self._unknown_draws(node, full, root)

    def _applied_draws(self, function: ast.expr) -> bool:
        """Whether a function that a model applies to its parts may draw: initialisations mostly do."""
        if isinstance(function, ast.Lambda):
            return self.draws(function.body, self.source.scope_of(function))
        own = self.source.function(function.id) if isinstance(function, ast.Name) else None
        return own is None or self._function_draws(own)

    def _handed_draws(self, argument: ast.expr, scope: Scope) -> bool:
        """Whether an argument is a function of the file's own that draws, by whatever name: what gets it may call it."""
        if not isinstance(argument, ast.Name):
            return False
        if function := self.source.function(argument.id):
            return self._function_draws(function)
        key = self.roles.key(scope, argument.id)
        values = [b.value for b in self.roles.bindings(key)] if key else []
        return any(
            (own := self.source.function(v.id)) is not None and self._function_draws(own)
            for v in values
            if isinstance(v, ast.Name)
        )

    def _unknown_draws(self, node: ast.Call, full: str, root: str) -> bool:
        """A function from a module of the user's own that cannot be seen from here may draw."""
        head = dotted(node.func).partition(".")[0]
        if not full or head not in self.roles.origins:
            return False
        if (known := self._neighbour_draws(full)) is not None:
            return known
        if full.startswith("torchmetrics.functional."):
            return False
        if full.startswith("."):
            return True
        return root not in sys.stdlib_module_names and root not in NO_TORCH_RNG and root not in ("torch", "torchvision")

    def _neighbour_draws(self, full: str) -> bool | None:
        """Whether a function of a file beside the script, or making one of its classes, draws; None for no such thing."""
        found = self.neighbours.definition(full)
        if found is None:
            return None
        place = (found.file, found.node.name)
        if place not in self._foreign:
            self._foreign[place] = True  # guards against recursion
            inner = self._analysis_of(found.file)
            if isinstance(found.node, ast.ClassDef):
                made = inner.source.classes.get(found.node.name)
                self._foreign[place] = made is None or inner._making_draws(made)
            else:
                twin = inner.source.function(found.node.name)
                self._foreign[place] = twin is None or inner._function_draws(twin)
        return self._foreign[place]

    def _analysis_of(self, file: Path) -> EffectAnalysis:
        if file not in self._foreign_analyses:
            roles = self.roles.of_file(file)
            if roles is None:
                roles = roles_of(source_of(""), self.neighbours.beside(file))
            other = EffectAnalysis(roles.source, roles)
            # One memory for all: files may call each other in a circle.
            other._foreign = self._foreign
            other._foreign_analyses = self._foreign_analyses
            self._foreign_analyses[file] = other
        return self._foreign_analyses[file]

    @ends_in_a_circle(False)
    def _making_draws(self, definition: ast.ClassDef) -> bool:
        """Whether making an object of the class may draw: by its ``__init__``, or by a base that is not known here."""
        for base in definition.bases:
            name = dotted(base)
            own = self.source.classes.get(name)
            if own is not None and own is not definition:
                if self._making_draws(own):
                    return True
            elif self.roles.full_name(base).startswith("torch.optim."):  # it may call whatever method stands here
                if any(self._function_draws(m) for m in run_by_making(self.roles, definition, base)):
                    return True
            elif not self._harmless_base(name):
                return True
        return any(self._function_draws(m) for m in _methods(definition) if m.name in _MAKING)

    def _harmless_base(self, name: str) -> bool:
        last = name.rpartition(".")[2]
        root = self.roles.origins.get(name.partition(".")[0], name).partition(".")[0]
        return name == "object" or root in sys.stdlib_module_names or last in ("Dataset", "Sampler", "Function")

    def _drawing_methods(self) -> frozenset[str]:
        """The names of methods of the file's own classes that draw, except modules' own: models are carriers."""
        if self._drawing is None:
            methods = [m for d in self.source.classes.values() for m in _methods(d) if not m.name.startswith("__")]
            self._drawing, before = frozenset(), None
            while self._drawing != before:  # a method may draw through another one
                before = self._drawing
                self._rng.clear()
                self._drawing = frozenset(m.name for m in methods if self._function_draws(m))
        return self._drawing

    def _function_draws(self, function: ast.FunctionDef) -> bool:
        if function not in self._rng:
            self._rng[function] = False  # guards against recursion
            self._rng[function] = self.draws(function.body, function)
        return self._rng[function]

    def _is_loader(self, node: ast.expr, scope: Scope) -> bool:
        while isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in (
            "enumerate",
            "tqdm",
            "iter",
            "zip",
        ):
            if not node.args:
                return False
            if any(self._is_loader(a, scope) for a in node.args[1:]):
                return True
            node = node.args[0]
        return self.roles.of(node, scope) is Role.LOADER

    def _function_gradients(self, function: ast.FunctionDef) -> bool:
        if function not in self._grad:
            self._grad[function] = False  # guards against recursion
            self._grad[function] = any(touches_gradients(n) for n in walk(function)) or any(
                isinstance(n, ast.Call)
                and isinstance(n.func, ast.Name)
                and (inner := self.source.function(n.func.id)) is not None
                and self._function_gradients(inner)
                for n in walk(function)
            )
        return self._grad[function]

    def changed_parameters(self, function: ast.FunctionDef) -> frozenset[str]:
        """The parameters whose object the function may change in place."""
        if function not in self._in_place:
            self._in_place[function] = frozenset()  # guards against recursion
            own = set(parameter_names(function))
            changed = {key[1] for node in walk_scope(function.body) for key in self._mutated_here(node, function)}
            self._in_place[function] = frozenset(changed & own)
        return self._in_place[function]

    # ---- one statement

    def of(self, statement: ast.AST, scope: Scope) -> Effects:
        """The effects of running a statement (or an expression) once in its scope."""
        place = (statement, scope)
        if place not in self._effects:
            self._effects[place] = self._find(statement, scope)
        return self._effects[place]

    def _find(self, statement: ast.AST, scope: Scope) -> Effects:
        mode = model = gradients = optimizer = learning_rate = False
        mutated: set[Key] = set()
        for node in walk(statement):
            gradients |= touches_gradients(node)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                inner = self.source.function(node.func.id)
                gradients |= inner is not None and self._function_gradients(inner)
            mutated |= self._mutated_here(node, scope)
        clock = self.clocks.read(statement, scope)
        escapes = self.roles.escapes
        if escapes is not None and escapes.touches(statement, scope):
            every = {key for name in escapes.attributes if (key := self.roles.key(scope, name))}
            return Effects(True, True, True, True, True, True, frozenset(mutated | every), clock)
        optimizer |= self._may_step(statement, scope)
        harmless = _harmless_uses(statement)
        for node in walk(statement):
            if not isinstance(node, ast.Name):
                continue
            keys = {self.roles.key(scope, node.id)}
            if isinstance(node.ctx, ast.Load):
                keys |= self._reached_from(node.id, scope)
            for key in keys:
                if key in self.models:
                    if harmless.get(node) == "mode" and not self.roles.is_bare_object(node, scope):
                        mode = True
                    elif harmless.get(node) != "value":
                        model = True
                if key in self.optimizers:
                    if harmless.get(node) == "lr" and key not in mutated:
                        learning_rate = True
                    else:
                        optimizer = True
        draws = self.draws(statement, scope)
        return Effects(model, mode, gradients, optimizer, learning_rate, draws, frozenset(mutated), clock)

    def only_saves_optimizer(self, statement: ast.AST, scope: Scope) -> bool:
        """Whether running a statement does no more with optimizers than to ask torch's own for their state, as one does to save it."""
        own = any(f.name == "state_dict" for f in self.source.functions)
        escapes = self.roles.escapes
        if own or self._may_step(statement, scope) or (escapes is not None and escapes.touches(statement, scope)):
            return False
        asked = {name for node in walk(statement) if (name := _asked_for_state(node)) is not None}
        others = (n for n in walk(statement) if isinstance(n, ast.Name) and n not in asked)
        keys = (key for n in others for key in (self.roles.key(scope, n.id), *self._reached_from(n.id, scope)))
        return not any(key in self.optimizers for key in keys)

    def _may_step(self, statement: ast.AST, scope: Scope) -> bool:
        """Whether something that may be an optimizer is stepped, though nobody can see what it is."""
        return any(
            isinstance(n, ast.Call)
            and isinstance(n.func, ast.Attribute)
            and n.func.attr in STEP_METHODS
            and optimizer_step(self.roles, n, scope) is not False
            for n in walk(statement)
        )

    def _mutated_here(self, node: ast.AST, scope: Scope) -> set[Key]:
        names: list[str] = []
        match node:
            case ast.Subscript(ctx=ast.Store() | ast.Del()) | ast.Attribute(ctx=ast.Store() | ast.Del()):
                names.append(root_name(node))
            case ast.AugAssign(target=target):
                names.append(root_name(target))
            case ast.Call(func=ast.Attribute(value=value, attr=method)) if (
                method.endswith("_") and not method.startswith("_") and method not in _IN_PLACE_SAFE
            ):
                if method.rstrip("_") in ("clip_grad_norm", "clip_grad_value"):
                    names.extend(root_name(a) for a in node.args[:1])
                elif root_name(value) not in self.roles.origins:
                    names.append(root_name(value))
            case ast.Call(func=ast.Name(id=name)):
                if function := self.source.function(name):
                    for parameter in self.changed_parameters(function):
                        argument = bound_argument(function, node, parameter)
                        names.append(root_name(argument) if argument is not None else "")
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg == "inplace" and not (
                    isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                ):
                    names.extend(root_name(a) for a in node.args)
                elif keyword.arg == "out":
                    names.append(root_name(keyword.value))
        if self.roles.escapes is not None and isinstance(node, ast.Call):
            names += [name for part in self.roles.escapes.through_calls(node) for name in sorted(part)]
        keys = (self.roles.key(scope, name) for name in names if name)
        return {key for key in keys if key}


def _asked_for_state(node: ast.AST) -> ast.Name | None:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name() as name, attr="state_dict"), args=[], keywords=[]):
            return name
    return None


def _listed(node: ast.expr) -> Iterator[str]:
    """The names in a list of tensors that are trained themselves, or of groups of such."""
    for part in walk(node):
        if isinstance(part, ast.List | ast.Tuple):
            yield from (e.id for e in part.elts if isinstance(e, ast.Name))


_MAKING = ("__init__", "__new__", "__post_init__")


NAMED = ("named_parameters", "named_modules", "named_children", "named_buffers")
"""Methods of a module that list pairs of a name and what has it."""


def _tells_sampler(call: ast.Call) -> bool:
    """Whether it is ``loader.sampler.set_epoch(...)``, which is no call of a model, whatever holds the loader."""
    match call.func:
        case ast.Attribute(value=ast.Attribute(attr="sampler"), attr="set_epoch"):
            return True
    return False


def _methods(definition: ast.ClassDef) -> list[ast.FunctionDef]:
    return [m for m in definition.body if isinstance(m, ast.FunctionDef)]


def touches_gradients(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(attr="grad" | "backward" | "zero_grad" | "register_hook" | "retain_grad"):
            return not isinstance(node.value, ast.Attribute) or node.attr != "grad" or node.value.attr != "autograd"
        case ast.Call(func=function):
            return dotted(function).rpartition(".")[2].startswith("clip_grad")
    return False


def _harmless_uses(statement: ast.AST) -> dict[ast.Name, str]:
    """For names used in a way that does not touch parameters: how (``mode``, ``lr`` or ``value``)."""
    found: dict[ast.Name, str] = {}
    for node in walk(statement):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name() as name, attr="train" | "eval")) if fits_torch(node):
                found[name] = "mode"
            case ast.Call(func=ast.Attribute(value=ast.Name() as name, attr="get_last_lr" | "get_lr")):
                found[name] = "lr"
            case ast.Attribute(value=ast.Name() as name, attr="param_groups"):
                found[name] = "lr"
            case ast.Attribute(value=ast.Name() as name, attr=attribute) if attribute in _VALUE_ATTRIBUTES:
                found[name] = "value"
    return found


def _takes_rate(targets: list[ast.expr], value: ast.expr, scope: Scope) -> bool:
    """Whether names get a number of a parameter group, which nothing in the scope changes in place as it might a tensor."""
    match value:
        case ast.Subscript(value=ast.Subscript() | ast.Name(), slice=ast.Constant(value=str(key))) if key in _RATES:
            pass
        case _:
            return False
    names = {n for target in targets for n in target_names(target)}
    for node in walk_scope(scope.body):
        match node:
            case ast.AugAssign(target=ast.Name(id=name)) if name in names:
                return False
            case ast.Attribute(value=ast.Name(id=name)) if name in names:
                return False
    return True
