"""Why a file without a training loop of its own has none: asked once the file is known to stay as it is."""

from __future__ import annotations

import ast
import re

from .files.prefilter import NO_TRAINING_LOOP, mentions_torch
from .memory import tree_of

ALREADY_LIGHTNING = "already Lightning"
_LIGHTNING = re.compile(rb"^[ \t]*(?:import|from)[ \t]+(?:lightning|pytorch_lightning)\b", re.M)
_LIGHTNING_USE = re.compile(rb"\bLightningModule\b|\bTrainer\(|\bLightningCLI\(")
_HUGGING = re.compile(rb"^[ \t]*from[ \t]+(?:transformers|trl|sentence_transformers)\b", re.M)
_HUGGING_TRAINER = re.compile(rb"\b(\w{0,40}Trainer)\(")
_FASTAI = re.compile(rb"^[ \t]*from[ \t]+fastai\b", re.M)
_HIDDEN = re.compile(r"(?<![\w.])([\w.]+)\(\s*[\w.]*loss\w*\s*,\s*[\w.]*optim")


def already_lightning(data: bytes) -> bool:
    """Whether a file trains by Lightning's Trainer; told by its bytes."""
    return b"lightning" in data and _LIGHTNING.search(data) is not None and _LIGHTNING_USE.search(data) is not None


def why_unchanged(data: bytes, path: str, torch: bool = True) -> str:
    """The reason in a few words; ``no training loop`` alone when nothing more is seen. ``torch`` is False where it is known not to be mentioned."""
    if already_lightning(data):
        return ALREADY_LIGHTNING
    if b".train(" in data and (used := _HUGGING_TRAINER.search(data)) is not None and _HUGGING.search(data):
        name = used.group(1).decode()
        return (
            f"transformers.{name} runs the loop" if name in ("Trainer", "Seq2SeqTrainer") else f"{name} runs the loop"
        )
    if (
        b"fastai" in data
        and _FASTAI.search(data)
        and (b".fit(" in data or b".fine_tune(" in data or b".fit_one_cycle(" in data)
    ):
        return "fastai runs the loop"
    if not torch or not mentions_torch(data) or b"optim" not in data or not (b"loss" in data or b"backward" in data):
        return NO_TRAINING_LOOP
    text = data.decode("utf-8", "replace")
    try:
        tree = tree_of(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return NO_TRAINING_LOOP if text.lstrip().startswith("{") else f"{NO_TRAINING_LOOP}: does not parse"
    if (hidden := _HIDDEN.search(text)) is None:
        return NO_TRAINING_LOOP
    name = hidden.group(1)
    if not (made := _made_from(tree, name)):
        return (
            f"{NO_TRAINING_LOOP}: the step is hidden in `{name}`, which the callers hand in"
            if _is_given(tree, name)
            else NO_TRAINING_LOOP
        )
    from .recover.neighbours import neighbours_of  # brings LibCST, which hardly any file that stays meets

    module = _imported_from(tree, made)
    if not module or neighbours_of(path).file(module) is not None:
        return NO_TRAINING_LOOP
    return f"{NO_TRAINING_LOOP}: the step is hidden in `{made}`, which is not in this project"


def _is_given(tree: ast.Module, name: str) -> bool:
    return any(isinstance(n, ast.arg) and n.arg == name for n in ast.walk(tree))


def _imported_from(tree: ast.Module, name: str) -> str:
    """The module that a name comes from, "" when the file does not import it by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if any((alias.asname or alias.name) == name for alias in node.names):
                return node.module
    return ""


def _made_from(tree: ast.Module, name: str) -> str:
    """The class that an object of this name is made from, "" when that is not seen."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            if any(ast.unparse(target) == name for target in node.targets):
                return ast.unparse(node.value.func).rpartition(".")[2]
    return ""
