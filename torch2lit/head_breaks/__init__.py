"""A `break` at the head of an epoch, as one at the end of the epoch before it."""
