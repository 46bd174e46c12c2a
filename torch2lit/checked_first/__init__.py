"""The error of a choice among optimizers, raised by a test of its own in front of the choice."""
