"""Where every value lives in the module: a local of one hook, an attribute, a constructor argument, or where it was."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from ..recover.variables import Variable


@dataclass
class State:
    """Homes of variables.

    ``homes``: the text that stands for a variable inside the module, the same in every hook. ``local``: per hook,
    names that stand for something else there. ``prologue``: per hook, assignments at its top.
    """

    homes: dict[Variable, str] = field(default_factory=dict)
    in_hook: dict[tuple[str, Variable], str] = field(default_factory=dict)
    per_loader: set[Variable] = field(default_factory=set)
    """Variables whose home is a list: the validation runs over several loaders, each with a value of its own."""
    read_as: dict[Variable, str] = field(default_factory=dict)
    """What stands for a reading of a variable whose home holds an object that tells it."""
    metrics: dict[str, str] = field(default_factory=dict)
    """Attributes that hold such objects, as the constructor makes them."""
    prologue: dict[str, list[str]] = field(default_factory=dict)
    epilogue: dict[str, list[str]] = field(default_factory=dict)
    """Per hook, assignments at its end."""
    parameters: list[tuple[str, str, str]] = field(default_factory=list)
    """Constructor: parameter, attribute, argument at the entry point."""
    hyperparameters: str = ""
    """The configuration whose values become ``self.hparams``, as the entry point calls it."""
    compared: list[str] = field(default_factory=list)
    """Constructor parameters that cannot be compared with those values, as Lightning would."""
    initial: list[tuple[str, ast.stmt, str]] = field(default_factory=list)
    """Attributes that start with the value of a raw statement, which moves into the constructor, and the names that it binds there."""
    global_names: dict[str, set[str]] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)
    """Names of the entry scope that are attributes after training."""
    written_back: list[tuple[str, str]] = field(default_factory=list)
    optimizers_after: list[tuple[str, int]] = field(default_factory=list)
    """Names of optimizers that the code after the training goes on using, and their places in the Trainer's list."""
    loaded: dict[str, str] = field(default_factory=dict)
    """States that ``configure_optimizers`` loads, by their names at the entry point, as the module holds them."""
    views: dict[str, str] = field(default_factory=dict)
    """Attributes that hold models of the object whose methods train, with the attribute's name in the plain view."""
    holder: str = ""
    """The attribute that holds that object, "" when no hook needs it."""
    inside: bool = False
    """The class stands in the entry function, because it needs that function's own definitions."""
    contexts: dict[ast.withitem, str] = field(default_factory=dict)
    """For each part of a `with` that begins in one hook and ends in another: the attribute that holds it."""
    batch_parameter: dict[str, str] = field(default_factory=dict)
    aside: dict[str, str] = field(default_factory=dict)
    """Parameters of hooks that make way for a name of the script, under their new names: Lightning passes by position."""
    unpacked: dict[str, str] = field(default_factory=dict)

    def reading(self, variable: Variable) -> str:
        """The text that stands for a variable where it is read, "" for one that is what it was."""
        return self.read_as.get(variable) or self.homes.get(variable, "")
