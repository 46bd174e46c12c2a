"""The program: ``torch2lit``, and ``python -m torch2lit``."""

from __future__ import annotations

import gc
import os
import sys


def _look_elsewhere() -> None:
    """Take the folder that is worked in off the search path for modules.

    ``python -m`` and ``PYTHONPATH=.`` put it there, so that a ``click.py`` or a plug-in in a folder that is only to be read would run.
    What Python itself was installed with stays, wherever it lies, and so does the folder that torch2lit came from.
    """
    try:
        here = os.path.realpath(os.getcwd())
    except OSError:
        here = ""
    given = {os.path.realpath(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep)} | {here}
    home = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    safe = (os.path.realpath(sys.prefix), os.path.realpath(sys.base_prefix))

    def is_within(place: str, folder: str) -> bool:
        return bool(folder) and (place == folder or place.startswith(folder.rstrip(os.sep) + os.sep))

    def stays(entry: str) -> bool:
        place = os.path.realpath(entry or os.curdir)
        if place == home or place not in given or not is_within(place, here):
            return True
        return place != here and any(is_within(place, folder) and not is_within(here, folder) for folder in safe)

    sys.path[:] = [entry for entry in sys.path if stays(entry)]


def _open_closed_streams() -> None:
    """Take the numbers of streams that were closed: the next file that is opened must not become stdout."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)


gc.set_threshold(20_000, 20, 20)  # trees of thousands of nodes are made and dropped all the time
_look_elsewhere()
_open_closed_streams()

from .cli import main  # noqa: E402

if __name__ == "__main__":
    main(prog_name="torch2lit")
