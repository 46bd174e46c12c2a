"""How other files of a project use what a file defines, told from their text."""

from __future__ import annotations

import re
from pathlib import Path

from ..files.asked import entries
from ..files.reading import read_text

_PLAIN = "parameters|state_dict|load_state_dict|train|eval|to|cuda|cpu|zero_grad|step|param_groups|dataset|batch_size"
_MOST_FILES = 100


def uses_oddly(folder: Path | None, owner: str, attribute: str) -> bool:
    """Whether a file in a folder or the one above asks an attribute of a class's instances for more than its common methods.

    True as well when the files cannot be seen.
    """
    if folder is None:
        return True
    odd = re.compile(rf"\.{re.escape(attribute)}\b(?!\s*\.\s*(?:{_PLAIN})\b)")
    made = re.compile(rf"^\s*class {re.escape(owner)}\b", re.MULTILINE)
    for place in (folder, folder / ".."):
        files = [place / entry.name for entry in entries(place) if entry.name.endswith(".py")]
        if len(files) > _MOST_FILES:
            return True
        for file in files:
            try:
                text = read_text(file)
            except (OSError, UnicodeDecodeError):
                continue
            if owner in text and not made.search(text) and odd.search(text):
                return True
    return False
