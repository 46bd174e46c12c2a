"""The user's files: finding, decoding, notebooks, and the one door through which anything is written."""
