"""Does a model surely have no buffers? Then DistributedDataParallel has nothing to send around in a forward pass."""

from __future__ import annotations

import ast

from ..recover.circles import ends_in_a_circle
from ..recover.roles import Roles
from ..recover.syntax import Scope, Source, dotted, mentions, walk

_WITHOUT = {
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "AvgPool1d", "AvgPool2d", "Bilinear", "Conv1d", "Conv2d",
    "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "ELU",
    "Embedding", "EmbeddingBag", "Flatten", "GELU", "GRU", "GRUCell", "GroupNorm", "Hardswish", "Identity", "LSTM", "LSTMCell",
    "LayerNorm", "LeakyReLU", "Linear", "LogSoftmax", "LogSigmoid", "MaxPool1d", "MaxPool2d", "MaxPool3d", "ModuleDict",
    "ModuleList", "MultiheadAttention", "PReLU", "Parameter", "ParameterList", "RNN", "RNNCell", "ReLU", "ReLU6", "SELU",
    "Sequential", "SiLU", "Sigmoid", "Softmax", "Softplus", "Tanh", "TransformerDecoder", "TransformerDecoderLayer",
    "TransformerEncoder", "TransformerEncoderLayer", "Unflatten", "Upsample", "ZeroPad2d",
}  # fmt: skip
_MOVES = {"to", "cuda", "cpu", "float", "double"}


def is_bufferless(source: Source, roles: Roles, node: ast.expr, scope: Scope, before: int) -> bool:
    """Whether an expression, or all that its name is bound to before a line, makes a model without buffers."""
    return _Search(source, roles).expression(node, scope, before)


class _Search:
    def __init__(self, source: Source, roles: Roles) -> None:
        self.source = source
        self.roles = roles
        self.open: set[ast.AST] = set()

    @ends_in_a_circle(False)
    def expression(self, node: ast.expr, scope: Scope, before: int) -> bool:
        match node:
            case ast.Name(id=name):
                key = self.roles.key(scope, name)
                bindings = [b for b in self.roles.bindings(key) if b.statement.lineno < before] if key else []
                if key is None or not bindings or key[0] is not scope:
                    return False
                own = [b for b in bindings if not self._moves(b.value, name)]
                return bool(own) and all(
                    b.index is None and not mentions(b.value, name) and self.expression(b.value, scope, before)
                    for b in own
                )
            case ast.Call(func=ast.Attribute(value=value, attr=attribute)) if attribute in _MOVES:
                return self.expression(value, scope, before)
            case ast.Call():
                return self._call(node)
        return False

    def _moves(self, node: ast.expr, name: str) -> bool:
        """Whether ``model = model.to(device)`` keeps what the name holds."""
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=moved), attr=attribute)):
                return moved == name and attribute in _MOVES
        return False

    def _call(self, call: ast.Call) -> bool:
        full = self.roles.full_name(call.func)
        if full.startswith("torch.nn."):
            given = [n for a in [*call.args, *(k.value for k in call.keywords)] for n in walk(a)]
            inner = [n for n in given if isinstance(n, ast.Call)]
            return full.rpartition(".")[2] in _WITHOUT and all(self._plain(n) for n in inner)
        owner = self.source.classes.get(dotted(call.func))
        return owner is not None and self._class(owner)

    def _plain(self, call: ast.Call) -> bool:
        """Whether a call inside a model brings no buffers: a layer of these, or no layer at all."""
        full = self.roles.full_name(call.func)
        last = full.rpartition(".")[2]
        if full.startswith("torch.nn.") and not full.startswith(("torch.nn.functional.", "torch.nn.init.")):
            return last in _WITHOUT
        if (owner := self.source.classes.get(dotted(call.func))) is not None:
            return self._class(owner)
        if last in ("register_buffer", "Buffer", "add_module", "register_module", "load", "exec", "eval", "getattr"):
            return False
        return not last[:1].isupper() and full.partition(".")[0] not in (
            "torchvision",
            "timm",
            "models",
            "transformers",
        )

    def _class(self, owner: ast.ClassDef) -> bool:
        """Whether a class of the file is a module that makes no buffers and builds on nothing but `nn.Module`."""
        if owner in self.open:
            return True
        if [self.roles.full_name(b) for b in owner.bases] != ["torch.nn.Module"] or owner.keywords:
            return False
        self.open.add(owner)
        return all(self._plain(n) for n in walk(owner) if isinstance(n, ast.Call))
