"""Loops over generators of the script's own that run through a loader, seen as the loops over the loader that they are."""
