"""Scripts for an older torch or Python: what no longer runs is modernised before the program is understood."""
