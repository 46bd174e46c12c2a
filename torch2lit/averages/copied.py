"""An average that the script keeps in a copy of its model, by a function of its own, as the formula that Lightning's callback takes.

def update(average, model, decay):
    for a, p in zip(average.parameters(), model.parameters()):
        a.data.mul_(decay).add_(p.data, alpha=1 - decay)      →   avg_fn=lambda a, p, _: a.mul(0.99).add(p, alpha=1 - 0.99)

average = copy.deepcopy(model)                                →   AverageFromStart(avg_fn=..., use_buffers=False)
...
    update(average, model, 0.99)

The script's average is a copy of the first weights and averages at once, where the callback would copy at its first update: a subclass tells it that it has begun. Such a copy keeps the
buffers that it began with, so a model that has any stays as it is.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..recover.roles import Roles
from ..recover.syntax import walk

_WITHOUT_BUFFERS = re.compile(
    r"torch\.nn\.(modules\.\w+\.)?(Module|Sequential|ModuleList|ModuleDict|Linear|Bilinear|Identity|Conv[123]d|ConvTranspose[123]d|Embedding|\w*ReLU6?|ELU|GELU|SiLU|Mish|\w*Sigmoid|"
    r"Hard\w+|Tanh|Softmax|LogSoftmax|Softplus|\w*Pool[123]d|Flatten|Unflatten|LayerNorm|GroupNorm|Dropout[123]?d?|Upsample|PixelShuffle|\w+Pad[123]d|LSTM|GRU|RNN|Parameter|\w+Loss)"
)
OF_THE_TOOLS = {
    "torch",
    "numpy",
    "math",
    "random",
    "copy",
    "argparse",
    "os",
    "sys",
    "time",
    "tqdm",
    "pathlib",
    "collections",
}


def without_buffers(roles: Roles) -> bool:
    """Whether no model of the file has a buffer: it makes nothing but layers that have none, and takes none from other packages."""
    source = roles.source
    packages = {origin.partition(".")[0] for origin in roles.origins.values()}
    if packages - OF_THE_TOOLS or any(o.startswith("torch.hub") for o in roles.origins.values()):
        return False
    if any(n.attr in ("register_buffer", "hub", "models", "Buffer") for n in source.all(ast.Attribute)):
        return False
    made = [roles.full_name(n) for n in source.all(ast.Attribute) if roles.full_name(n).startswith("torch.nn.")]
    made += [o for o in roles.origins.values() if o.startswith("torch.nn.")]
    layers = [n for n in made if n.rpartition(".")[2][:1].isupper()]
    return all(_WITHOUT_BUFFERS.fullmatch(name) for name in layers)


@dataclass(frozen=True, slots=True)
class Formula:
    """The parameters for the average and the model, and one value of the average made of the last one and the weights."""

    average: str
    model: str
    names: tuple[str, str]
    value: ast.expr


def formula_of(function: ast.FunctionDef, roles: Roles) -> Formula | None:
    """What a function does to every parameter of one model, by those of another, when it does nothing else."""
    if any(ast.unparse(d) != "torch.no_grad()" for d in function.decorator_list):
        return None
    body = [s for s in function.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    match body:
        case [ast.With(items=[ast.withitem(context_expr=ast.Call() as context, optional_vars=None)], body=inner)]:
            if roles.full_name(context.func) != "torch.no_grad" or context.args:
                return None
            body = inner
    match body:
        case [
            ast.For(
                target=ast.Tuple(elts=[ast.Name(id=first), ast.Name(id=second)]),
                iter=ast.Call(func=ast.Name(id="zip"), args=[one, other], keywords=[]),
                body=[statement],
                orelse=[],
            )
        ]:
            owners = [_parameters(one), _parameters(other)]
            pairs = dict(zip((first, second), owners, strict=True))
            if "" in owners or len(set(owners)) != 2 or len(pairs) != 2:
                return None
            for average, weights in ((first, second), (second, first)):
                if (value := value_of(statement, average)) is not None:
                    return Formula(pairs[average], pairs[weights], (average, weights), value)
    return None


def _parameters(node: ast.expr) -> str:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr="parameters"), args=[], keywords=[]):
            return owner
    return ""


def value_of(statement: ast.stmt, average: str) -> ast.expr | None:
    """The value that a statement gives the average, without a change in place."""
    match statement:
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id=name), attr="data")], value=value) if name == average:
            return bare(value)
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr="copy_"), args=[value], keywords=[])):
            return bare(value) if _is(owner, average) else None
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr="lerp_"), args=arguments, keywords=[])) if (
            _is(owner, average)
        ):
            return bare(ast.Call(ast.Attribute(ast.Name(average, ast.Load()), "lerp", ast.Load()), arguments, []))
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(
                    value=ast.Call(func=ast.Attribute(value=owner, attr="mul_"), args=[factor], keywords=[]),
                    attr="add_",
                ),
                args=added,
                keywords=keywords,
            )
        ) if _is(owner, average) and len(added) == 1 and [k.arg for k in keywords] in ([], ["alpha"]):
            scaled = ast.Call(ast.Attribute(ast.Name(average, ast.Load()), "mul", ast.Load()), [factor], [])
            return bare(ast.Call(ast.Attribute(scaled, "add", ast.Load()), added, keywords))
    return None


def _is(node: ast.expr, name: str) -> bool:
    inner = bare(node)
    return isinstance(inner, ast.Name) and inner.id == name


def bare(node: ast.expr) -> ast.expr:
    """The same without ``.data`` and ``.detach()`` behind the names of parameters."""
    found = _Bare().visit(copy.deepcopy(node))
    assert isinstance(found, ast.expr)
    return found


class _Bare(ast.NodeTransformer):
    """Parameters without ``.data`` and ``.detach()``: a callback averages without gradients."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if node.attr == "data" and isinstance(node.value, ast.Name):
            return ast.Name(node.value.id, ast.Load())
        return ast.Attribute(self.visit(node.value), node.attr, ast.Load())

    def visit_Call(self, node: ast.Call) -> ast.AST:
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="detach"), args=[], keywords=[]):
                return ast.Name(name, ast.Load())
        return ast.Call(
            self.visit(node.func), [self.visit(a) for a in node.args], [self.visit(k) for k in node.keywords]
        )


_SAFE = (
    ast.Name, ast.Load, ast.Constant, ast.BinOp, ast.UnaryOp, ast.USub, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Call, ast.Attribute,
    ast.keyword,
)  # fmt: skip


def written(formula: Formula, given: dict[str, str]) -> str | None:
    """The formula as a function of the average, the weights and a count, with what the call gives in place of the parameters."""
    own = set(formula.names)
    for node in walk(formula.value):
        if not isinstance(node, _SAFE) or (isinstance(node, ast.Name) and node.id not in own | set(given)):
            return None
        if isinstance(node, ast.Call) and not _computes(node):
            return None
    outside = {n.id for text in given.values() for n in walk(ast.parse(text)) if isinstance(n, ast.Name)}
    if (own | {"_"}) & (set(given) | outside):
        return None
    value = _Given(given).visit(copy.deepcopy(formula.value))
    return f"lambda {formula.names[0]}, {formula.names[1]}, _: {ast.unparse(value)}"


def _computes(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in ("mul", "add", "lerp")


class _Given(ast.NodeTransformer):
    def __init__(self, given: dict[str, str]) -> None:
        self.given = given

    def visit_Name(self, node: ast.Name) -> ast.AST:
        text = self.given.get(node.id)
        return ast.parse(text, mode="eval").body if text is not None else node


def switched_off(roles: Roles, statement: ast.stmt, average: str) -> bool:
    """Whether a statement in front of the loop only keeps gradients from the copy, or puts it in eval mode."""
    match statement:
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(value=ast.Name(id=name), attr="requires_grad_"), args=[ast.Constant(value=False)]
            )
        ):
            return name == average
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="eval"), args=[], keywords=[])):
            return name == average
        case ast.For(target=ast.Name(id=each), iter=asked, body=[inner], orelse=[]) if _parameters(asked) == average:
            return ast.unparse(inner) in (f"{each}.requires_grad_(False)", f"{each}.requires_grad = False")
    return False


def plain_uses(roles: Roles, names: Iterable[ast.Name], after: int, before: int) -> ast.Name | None:
    """The first mention between two lines by which a model may get other weights."""
    for name in names:
        if not after < name.lineno < before:
            continue
        parent = roles.source.parents[name]
        statement = roles.source.statement_of(name)
        made = isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call)
        optimizer = made and roles.full_name(statement.value.func).startswith("torch.optim.")  # type: ignore[attr-defined]
        if not (optimizer and isinstance(parent, ast.Attribute) and parent.attr == "parameters"):
            return name
    return None
