"""An average of the weights that a script keeps beside its model: as a callback that keeps it."""
