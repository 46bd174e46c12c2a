"""Evaluations under a condition inside of another one: found, and written under one condition."""
