"""What may be another value in each of several processes before training starts: splits, orders, vocabularies, names of folders.

random_split(data, [900, 100])       without a seed every process trains on what another one validates on
list(set(words))                     strings are hashed with another seed in each process
f"runs/{time.time()}"                processes start at other times
"""

from __future__ import annotations

import ast

from ..recover.own_classes import own_class
from .draft import Draft
from .held_models import trained_models
from .seeding import SEEDS, is_seeded

DIFFERS = "differs-per-process"
_TORCH = ("torch.randperm", "torch.rand", "torch.randn", "torch.randint", "torch.utils.data.random_split")
_NUMPY = ("numpy.random.",)
_PYTHON = ("random.shuffle", "random.sample", "random.random", "random.randint", "random.choice", "random.uniform")
_SPLITS = ("sklearn.model_selection.train_test_split", "sklearn.model_selection.ShuffleSplit")
_CLOCKS = (
    "time.strftime",
    "time.time",
    "time.ctime",
    "datetime.datetime.now",
    "datetime.now",
    "datetime.datetime.today",
)
_ORDERED_BY = ("list", "tuple", "enumerate", "iter", "zip")


def tell_of_differences(draft: Draft) -> None:
    """Findings for what each process may have otherwise when `fit` begins, with what makes it the same."""
    if not draft.options.several_processes or draft.group is not None:
        return
    _tell_of_weights(draft)
    told: set[str] = set()
    for call in draft.source.calls:
        if not _runs_before(draft, call):
            continue
        kind, message = _difference(draft, call)
        if message and kind not in told:
            told.add(kind)
            draft.note(DIFFERS, call, message)


def _tell_of_weights(draft: Draft) -> None:
    """FSDP shards the weights that each process has made, and does not make them equal first as DDP does."""
    strategy = draft.options.strategy or ""
    if not strategy.startswith("fsdp"):
        return
    for model in sorted(trained_models(draft), key=lambda v: v.rank):
        for binding in draft.roles.bindings((model.scope, model.name)):
            made = binding.value
            if isinstance(made, ast.Call) and _draws_weights(draft, made) and not is_seeded(draft, made, "torch"):
                text = (
                    f"`{ast.unparse(made)[:40]}` draws its weights in every process by itself, `{strategy}` puts together parts of "
                    "all of them, and nothing surely seeds it before: call `torch.manual_seed(0)` above"
                )
                draft.note(DIFFERS, made, text)
                return


def _draws_weights(draft: Draft, call: ast.Call) -> bool:
    """Whether a call makes a network of the script's own or of torch's layers, with nothing loaded that anybody sees."""
    if any(isinstance(c.func, ast.Attribute) and c.func.attr == "load_state_dict" for c in draft.source.calls):
        return False
    own = own_class(draft.roles, call, draft.source.scope_of(call)) is not None
    return own or draft.roles.full_name(call.func).startswith("torch.nn.")


def _runs_before(draft: Draft, call: ast.Call) -> bool:
    """Whether a call makes something that training begins with: above the loop, or a split in a function."""
    scope = draft.source.scope_of(call)
    if isinstance(scope, ast.Module) or scope is draft.nest.entry.scope:
        return call.lineno < draft.nest.outermost.lineno or (
            isinstance(scope, ast.Module) and scope is not draft.nest.entry.scope
        )
    last = draft.roles.full_name(call.func).rpartition(".")[2]
    return last in ("random_split", "train_test_split", "ShuffleSplit") and not draft.source.in_class(scope)


def _difference(draft: Draft, call: ast.Call) -> tuple[str, str]:
    """What kind of difference a call makes, and what is said of it; "" for none."""
    name = draft.roles.full_name(call.func)
    if (library := _library(name)) and not is_seeded(draft, call, library) and not _has_own_seed(call):
        seed = f"`{SEEDS[library][0]}(0)`"
        return (
            library,
            f"`{name}` draws in every process by itself, and nothing surely seeds it before: call {seed} above",
        )
    if (
        name in _SPLITS
        and not any(k.arg == "random_state" for k in call.keywords)
        and not is_seeded(draft, call, "numpy")
    ):
        return "split", f"`{name}` splits in every process by itself: give it `random_state=0`"
    if name in _ORDERED_BY and call.args and _is_set(draft, call.args[0]):
        text = ast.unparse(call.args[0])[:40]
        return "set", f"the order of `{text}` is another one in every process where it holds strings: `sorted({text})`"
    if name in _CLOCKS and _names_a_place(draft, call):
        return "clock", f"`{name}` is another time in every process, and so is the name that is made of it"
    return "", ""


def _library(name: str) -> str:
    if name in _TORCH:
        return "torch"
    if name.startswith(_NUMPY) and name.rpartition(".")[2] not in ("seed", "RandomState", "default_rng", "Generator"):
        return "numpy"
    return "random" if name in _PYTHON else ""


def _has_own_seed(call: ast.Call) -> bool:
    return any(k.arg == "generator" for k in call.keywords)


def _is_set(draft: Draft, node: ast.expr) -> bool:
    if isinstance(node, ast.SetComp | ast.Set):
        return True
    return isinstance(node, ast.Call) and draft.roles.full_name(node.func) == "set" and bool(node.args)


def _names_a_place(draft: Draft, call: ast.Call) -> bool:
    """Whether a time becomes part of a text."""
    for ancestor in draft.source.ancestors(call):
        if isinstance(ancestor, ast.JoinedStr):
            around = next((a for a in draft.source.ancestors(ancestor) if isinstance(a, ast.Call)), None)
            return around is None or draft.roles.full_name(around.func) != "print"
        if isinstance(ancestor, ast.stmt):
            break
    return draft.roles.full_name(call.func) == "time.strftime" and isinstance(
        draft.source.statement_of(call), ast.Assign
    )
