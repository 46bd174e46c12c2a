"""Epochs that a script passes over at the head of its loop, as a loop that begins behind them."""
