"""Loops that count to a number and get a batch at the head of each turn: a source hands those batches over, each at the same moment."""
