"""Loops over the phases of an epoch, whose one body trains in one turn and evaluates in another."""
