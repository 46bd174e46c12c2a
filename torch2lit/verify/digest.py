"""Digests of tensors, bit for bit, for every dtype and layout. Runs in the child: torch is at hand there."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_DEEPEST = 12


def tensor_sha1(tensor: Any) -> str:
    """sha1 over dtype, shape and bits of a tensor; dense, sparse, quantized, complex or half."""
    digest = hashlib.sha1()
    _feed(digest, tensor)
    return digest.hexdigest()


def joined_sha1(digests: Iterable[str]) -> str:
    """One sha1 for a sequence of digests."""
    return hashlib.sha1("".join(digests).encode()).hexdigest()


def values_of(tensor: Any) -> Any:
    """The numbers of a tensor as one dense float64 (or complex128) vector on the CPU, for norms and
    differences.
    """
    import torch

    plain = _local(tensor).detach().cpu()
    if plain.layout != torch.strided:
        plain = (plain.coalesce() if plain.layout == torch.sparse_coo else plain).values()
    if plain.is_quantized:
        plain = plain.dequantize()
    return plain.reshape(-1).to(torch.complex128 if plain.is_complex() else torch.float64)


def norm_of(tensor: Any) -> float:
    """The 2-norm of a tensor in double, in one pass over its memory where it is a usual one."""
    import torch

    if _is_usual(tensor):
        return float(torch.linalg.vector_norm(tensor.detach(), dtype=torch.float64))
    return math.sqrt(float(values_of(tensor).abs().square().sum()))


def largest_of(tensor: Any) -> float:
    """The largest absolute value of a tensor, 0.0 of an empty one."""
    import torch

    if not tensor.numel():
        return 0.0
    if _is_usual(tensor):
        return float(torch.linalg.vector_norm(tensor.detach(), float("inf"), dtype=torch.float64))
    values = values_of(tensor).abs()
    return float(values.max()) if values.numel() else 0.0


def _is_usual(tensor: Any) -> bool:
    import torch

    kinds = (torch.Tensor, torch.nn.Parameter)
    return type(tensor) in kinds and tensor.layout == torch.strided and tensor.is_floating_point()


def content_sha1(value: object) -> str:
    """sha1 over all tensors and arrays in nested containers, modules and plain objects."""
    return joined_sha1(_digests(value, 0, set()))


def state_sha1s(saved: object) -> tuple[str, ...]:
    """sha1 of each state in what is saved: of weights, of an optimizer. A Lightning checkpoint tells the weights of each attribute of its module apart."""
    import torch

    if not isinstance(saved, Mapping):
        return ()
    if "pytorch-lightning_version" in saved and isinstance(saved.get("state_dict"), Mapping):
        states: list[object] = [*_by_attribute(saved["state_dict"]), *saved.get("optimizer_states", ())]
    elif any(isinstance(value, torch.Tensor) for value in saved.values()):
        states = [saved]
    else:
        states = list(saved.values())
    nothing = joined_sha1(())
    return tuple(found for found in map(content_sha1, states) if found != nothing)


def _by_attribute(weights: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, tensor in weights.items():
        attribute, _, rest = name.partition(".")
        found.setdefault(attribute, {})[rest] = tensor
    return list(found.values())


def _digests(value: Any, depth: int, seen: set[int]) -> Iterator[str]:
    import torch

    if depth > _DEEPEST or isinstance(value, (str, bytes, int, float, complex, type(None))):
        return
    if isinstance(value, torch.Tensor):
        yield tensor_sha1(value)
    elif id(value) not in seen:
        seen.add(id(value))
        if hasattr(value, "tobytes") and getattr(getattr(value, "dtype", None), "kind", "") != "O":
            yield hashlib.sha1(f"{getattr(value, 'dtype', '')}".encode() + value.tobytes()).hexdigest()
        for item in _items(value):
            yield from _digests(item, depth + 1, seen)


def _items(value: Any) -> Iterable[Any]:
    import torch

    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, (list, tuple)):
        return value
    if isinstance(value, (torch.nn.Module, torch.optim.Optimizer)):
        return [value.state_dict()]
    if getattr(getattr(value, "dtype", None), "kind", "") == "O":
        objects: list[Any] = value.ravel().tolist()
        return objects
    return list(vars(value).values()) if hasattr(value, "__dict__") and not isinstance(value, type) else ()


def _feed(digest: Any, tensor: Any) -> None:
    import torch

    if torch.nn.parameter.is_lazy(tensor) or tensor.device.type == "meta":
        digest.update(b"without values")
        return
    plain = _local(tensor).detach().cpu()
    digest.update(f"{plain.dtype}{tuple(plain.shape)}{plain.layout}".encode())
    if plain.layout == torch.sparse_coo:
        plain = plain.coalesce()
        parts = [plain.indices(), plain.values()]
    elif plain.layout in (torch.sparse_csr, torch.sparse_bsr):
        parts = [plain.crow_indices(), plain.col_indices(), plain.values()]
    elif plain.layout in (torch.sparse_csc, torch.sparse_bsc):
        parts = [plain.ccol_indices(), plain.row_indices(), plain.values()]
    else:
        parts = [plain.int_repr() if plain.is_quantized else plain]
    for part in parts:
        _feed_dense(digest, part)


def _local(tensor: Any) -> Any:
    """What this process holds of a tensor that is spread over several."""
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def _feed_dense(digest: Any, tensor: Any) -> None:
    import torch

    flat = tensor.resolve_conj().resolve_neg().contiguous().reshape(-1)
    if flat.numel() == 0:
        return
    raw = torch.view_as_real(flat).reshape(-1) if flat.is_complex() else flat
    octets = raw.view(torch.uint8)
    try:
        digest.update(octets.numpy())
    except RuntimeError:  # torch without numpy
        digest.update(bytes(octets.tolist()))
