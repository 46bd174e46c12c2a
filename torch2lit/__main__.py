"""``python -m torch2lit``."""

from __future__ import annotations

from .cli import main

if __name__ == "__main__":
    main(prog_name="torch2lit")
