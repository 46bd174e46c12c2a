"""What a view's new lines call torch, in scripts that import parts of it only, too."""

from __future__ import annotations

import ast

from ..files.lines import dominant_newline
from ..plan.placement import torch_name
from .way import Program


def named_torch(program: Program) -> tuple[str, dict[int, list[str]]]:
    """The name and the lines to put above those of the script, by their numbers from 1, so that it stands for torch.

    ``from torch import nn`` has imported torch without a name for it: ``import torch`` above it gives it one. The name is ""
    where the script uses the word for something of its own, or imports nothing of torch at its beginning.
    """
    if name := torch_name(program.roles):
        return name, {}
    if "torch" in program.source.names:
        return "", {}
    for statement in program.source.tree.body:
        if isinstance(statement, ast.Import):
            modules = [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom) and not statement.level:
            modules = [statement.module or ""]
        else:
            continue
        if any(module.partition(".")[0] == "torch" for module in modules):
            return "torch", {statement.lineno: [f"import torch{dominant_newline(program.text)}"]}
    return "", {}
