"""What a value of a model's constructor is to autocast, and which functions of torch cast the weights that they are given."""

from __future__ import annotations

from enum import Enum

CASTS = {
    "linear", "bilinear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
    "conv_tbc", "matmul", "mm", "bmm", "addmm", "addbmm", "baddbmm", "mv", "addmv", "dot", "inner", "outer", "einsum",
    "tensordot", "chain_matmul", "multi_dot", "prelu", "scaled_dot_product_attention", "multi_head_attention_forward",
    "kron", "cdist",
}  # fmt: skip


class Kind(Enum):
    """What a value of the constructor is to autocast."""

    PLAIN = "no weights"
    FREE = "a module without weights that are cast"
    WEIGHT = "a parameter"
    MODULE = "a module of its own"
    MANY = "modules of their own"
    UNKNOWN = "not known"


class Twice(Exception):
    """A weight may be used twice; the text says which."""
