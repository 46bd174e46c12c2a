"""Optimizers and schedulers that a training function is given, made inside of it."""
