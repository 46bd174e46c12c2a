"""Gives the site generator the pages that are made from the code, and leaves out links that lead out of the site."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]

from mkdocs.structure.files import File  # noqa: E402
from pages import made_pages  # noqa: E402

_OUT = re.compile(r"\[([^\]]+)\]\(\.\./[^)]*\)")


def on_files(files: Any, config: Any, **_: Any) -> Any:
    """Add the made pages to those in docs/."""
    for place, text in made_pages().items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Name files of the repository instead of linking to them."""
    return _OUT.sub(lambda match: f"`{match[1].strip('`')}`", markdown)
