"""A script's own way to go on from a file: what its block above the loop does, and the program without it."""
