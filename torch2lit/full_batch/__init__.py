"""Loops that show the whole training set to the model in every turn: each turn is an epoch, and the set its one batch."""
