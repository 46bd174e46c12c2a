"""Mixed precision that a script switches by branches: the same with torch's own switch, ``enabled``."""
