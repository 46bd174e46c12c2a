"""What torch and torchtext took away without something that means the same: only reported.

    torch.symeig(a)              →   (stays, and is reported)
    from torchtext import data   →   (stays, and is reported when it uses Field or BucketIterator)

Source: https://docs.pytorch.org/docs/stable/linalg.html, https://github.com/pytorch/text/releases/tag/v0.12.0
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..program import Modernisation, Piece, Script, left

_FUNCTIONS = {
    "torch.symeig": "torch.linalg.eigh",
    "torch.eig": "torch.linalg.eig",
    "torch.gels": "torch.linalg.lstsq",
    "torch.lstsq": "torch.linalg.lstsq",
    "torch.solve": "torch.linalg.solve",
    "torch.gesv": "torch.linalg.solve",
    "torch.potrf": "torch.linalg.cholesky",
    "torch.potrs": "torch.cholesky_solve",
    "torch.potri": "torch.cholesky_inverse",
    "torch.btrifact": "torch.linalg.lu_factor",
    "torch.trtrs": "torch.linalg.solve_triangular",
    "torch.matrix_rank": "torch.linalg.matrix_rank",
    "torch.rfft": "torch.fft.rfft",
    "torch.irfft": "torch.fft.irfft",
    "torch.ifft": "torch.fft.ifft",
    "torch.fft": "torch.fft.fft",
}
_MODULES = {
    "torch._six": "the standard library",
    "torch.utils.ffi": "torch.utils.cpp_extension",
    "torch.legacy": "torch.nn",
    "torch.utils.serialization": "a package that reads Lua's files",
    "torch.nn._functions": "torch.nn.functional",
}
_TEXT = {"Field", "LabelField", "BucketIterator", "TabularDataset", "ReversibleField", "NestedField", "BPTTIterator"}


@dataclass(frozen=True, slots=True)
class RemovedInterfaces:
    """Reports what stops the script on a current torch; ``from torch._six import inf`` alone has a twin."""

    name: str = "removed_interfaces"
    words: tuple[str, ...] = (
        *_FUNCTIONS,
        "_six",
        "torch.utils.",
        "torch.legacy",
        "_functions",
        "torchtext",
        "Function)",
    )

    def modernise(self, script: Script) -> Iterable[Modernisation]:
        """Calls of removed functions, imports of removed modules, torchtext's fields, autograd functions of 0.1."""
        for call in script.all(ast.Call):
            full = script.full_name(call.func)
            if full in _FUNCTIONS:
                yield left(
                    call,
                    f"`{full}` is gone, and what took its place has other arguments or results: see `{_FUNCTIONS[full]}`",
                )
        for node in script.all(ast.ImportFrom):
            yield from _imported(node)
        for plain in script.all(ast.Import):
            for alias in plain.names:
                if alias.name in _MODULES:
                    yield left(plain, _gone(alias.name))
        yield from _fields(script)
        yield from _functions(script)


def _imported(node: ast.ImportFrom) -> Iterable[Modernisation]:
    module = node.module or ""
    if node.level:
        return
    if module == "torch._six" and [a.name for a in node.names] == ["inf"]:
        start = (node.lineno, node.col_offset + len("from "))
        piece = Piece(start, (start[0], start[1] + len(module)), "math")
        yield Modernisation(node.lineno, node.lineno, (piece,), "`torch._six` is gone: its `inf` was that of `math`")
    elif module in _MODULES:
        yield left(node, _gone(module))


def _gone(module: str) -> str:
    return f"torch has no module `{module}` any more: look into {_MODULES[module]}"


_NO_FIELDS = (
    "torchtext has no Field, BucketIterator or legacy datasets since 0.12, and is no longer maintained: "
    "write the vocabulary and the batches as a Dataset with a collate function"
)


def _fields(script: Script) -> Iterable[Modernisation]:
    """The first place only: nothing that follows can run."""
    legacy = [n for n in script.all(ast.ImportFrom) if not n.level and f"{n.module}.".startswith("torchtext.legacy.")]
    made = [c for c in script.all(ast.Call) if _makes_field(script.full_name(c.func))]
    for node in [*legacy, *made][:1]:
        yield left(node, _NO_FIELDS)


def _makes_field(full: str) -> bool:
    return full.startswith("torchtext.data.") and not _TEXT.isdisjoint(full.split("."))


def _functions(script: Script) -> Iterable[Modernisation]:
    for definition in script.all(ast.ClassDef):
        if not any(
            script.full_name(b) in ("torch.autograd.Function", "torch.autograd.function.Function")
            for b in definition.bases
        ):
            continue
        for method in definition.body:
            if isinstance(method, ast.FunctionDef) and method.name == "forward" and not method.decorator_list:
                yield left(
                    method,
                    f"`{definition.name}` is an autograd function with a `forward` of its own objects, which raises since PyTorch 1.5: "
                    "make `forward` and `backward` static methods with a context, and call `.apply`",
                )


MODERNIZER = RemovedInterfaces()
