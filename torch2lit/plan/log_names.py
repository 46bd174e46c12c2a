"""The names under which a script's numbers are logged: the script's own words."""

from __future__ import annotations

import ast
import re

from ..recover.state_names import plain

_SAME = {
    "item",
    "detach",
    "cpu",
    "data",
    "clone",
    "double",
    "float",
    "avg",
    "average",
    "val",
    "value",
    "mean",
    "global_avg",
}
"""Methods and attributes that give the number that a name stands for."""
_COUNTERS = re.compile(
    r"(?:^|_)(?:epochs?|ep|steps?|iters?|iterations?|batch(?:es)?|idx|index|time|times|elapsed|duration|eta|secs?|seconds|"
    r"minutes|mins|hours|hrs|mem|memory|gpu|speed|fps|progress|total|count|num|n|i|j|k|t|it|sec|ms|start|end|len|size|took|correct|seen|samples|patience|counter|seed|version)(?:_|$)"
)
"""What is no result: places in the run, times and sizes."""
_RESULT = re.compile(r"loss|acc|err|auc|f1|iou|dice|psnr|ssim|score|metric|reward|recall|precision|lr|learning_rate")
_PHASE = re.compile(
    r"(?:^|_)(?:train|training|tr|val|valid|validation|dev|test|eval|evaluation)(?:_|$)|^(?:v|val|test|train)(?:loss|acc)|^v(?:al)?[A-Z]"
)
_OF_EVALUATION = re.compile(r"(?:^|_)(?:val|valid|validation|dev|test|eval|evaluation)(?:_|$)", re.IGNORECASE)
_NO_WORD = re.compile(
    r"(?:train|training|val|valid|validation|dev|test|eval|epoch|avg|average|mean|history|hist|log|value|result|record|stat|metric|list)"
)
_MANY = (("losses", "loss"), ("accuracies", "accuracy"))
_KEPT_IN = re.compile(
    r"_(?:list|lst|history|hist|values|vals|log|all|array|arr|record|records|s)$|^(?:list|all|history)_"
)


def log_name(value: ast.expr, label: str, holder: str = "") -> str:
    """A readable name for a number, "" for what is none worth logging.

    ``label``: the words before it where the script shows it; ``holder``: the history that it goes to.
    """
    own = _fit(plain(_own_name(value)))
    shown = _fit(label).lower()
    if (_RESULT.search(shown) and not _RESULT.search(own.lower())) or ("loss" in shown and "loss" not in own.lower()):
        own = ""
    kept = _fit(_single(re.sub(r"(^|_)losses(?=_)", r"\1loss", plain(holder))))
    if (
        "loss" in kept.lower()
        and not shown
        and "loss" not in own.lower()
        and not _RESULT.search(own.lower().replace("err", ""))
    ):
        own = ""
    found = next((name for name in (own, shown, kept) if len(name) > 2), own or shown or kept)
    if isinstance(value, ast.BinOp) and (len(found) <= 2 or _NO_WORD.fullmatch(found.lower())):
        found = _fit(plain(_first_name(value)))
    texts = [text for text in (own, shown) if text]
    if not found or any(_COUNTERS.search(text.lower()) and not _RESULT.search(text.lower()) for text in texts):
        return ""
    if _COUNTERS.search(found.lower()) and not _RESULT.search(found.lower()):
        return ""
    return found if re.search(r"[A-Za-z]", found) and not _NO_WORD.fullmatch(found.lower()) else ""


def is_result(name: str) -> bool:
    """Whether a name says that the number is a result: a loss, an accuracy."""
    return bool(_RESULT.search(name.lower()))


def single_value(name: str) -> str:
    """The name of a mean, where the script's word is for the sum of which it is made: `running_loss`, `loss_sum`."""
    short = re.sub(r"^(?:running|total|sum|cum|epoch)_|_(?:sum|total|accum|meter)$", "", name)
    return short if is_result(short) else name


def is_training_loss(name: str) -> bool:
    """Whether a name says that the number is a loss of the training."""
    return "loss" in name.lower() and not _OF_EVALUATION.search(name)


def of_validation(name: str) -> str:
    """The name of a number of the validation, which may not be that of one of the training."""
    return name if _PHASE.search(name) else f"val_{name}"


def of_training(name: str) -> str:
    """The name of a number of the training that says so."""
    return name if _PHASE.search(name) else f"train_{name}"


def of_epoch(name: str) -> str:
    """The name of a number of an epoch whose word stands for one of a step already."""
    return f"{name}_epoch" if _PHASE.search(name) else f"train_{name}"


def _fit(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_")


def _own_name(value: ast.expr) -> str:
    match value:
        case ast.Name(id=name):
            return plain(name)
        case ast.Attribute(value=inner, attr=attr) if attr in _SAME:
            return _single(_own_name(inner))
        case ast.Attribute(attr=attr):
            return attr
        case ast.Subscript(value=inner, slice=ast.Constant(value=int()) | ast.UnaryOp()):
            return _single(_own_name(inner))
        case ast.Subscript(slice=ast.Constant(value=str(key))):
            return key
        case ast.Call(func=ast.Attribute(value=inner, attr=attr), args=[]) if attr in _SAME:
            return _own_name(inner)
        case ast.Call(func=ast.Name(id="float"), args=[inner]):
            return _own_name(inner)
        case ast.Call(args=[ast.Name(id=name)]):
            return _single(name)
    return ""


def _first_name(value: ast.expr) -> str:
    match value:
        case ast.BinOp(left=left, right=right):
            return _first_name(left) or _first_name(right)
    return _own_name(value)


def _single(name: str) -> str:
    """The name of one value of many."""
    short = _KEPT_IN.sub("", name)
    for many, one in _MANY:
        if short.lower().endswith(many):
            return short[: -len(many)] + (one if short[-len(many) :].islower() else one.capitalize())
    return short[:-1] if re.search(r"[^s]s$", short) else short
