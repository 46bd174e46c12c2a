"""Functions that load states into optimizers that they are given, as functions that give the states back."""
