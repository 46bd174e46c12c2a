"""Functions with one body for training and evaluation: a switch among their parameters says which of the two a call is."""
