"""The parts that values play."""

from __future__ import annotations

from enum import Enum


class Role(str, Enum):
    """The part that a value plays in training."""

    MODEL = "model"
    OPTIMIZER = "optimizer"
    SCHEDULER = "scheduler"
    LOADER = "loader"
    CRITERION = "criterion"
    DEVICE = "device"
    CONFIG = "config"
    SCALER = "scaler"
    WRITER = "writer"
    BAR = "bar"
