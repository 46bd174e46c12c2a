"""The loader that starts late: Lightning starts the first epoch's loader before ``on_train_epoch_start``, a plain loop after it."""

from __future__ import annotations

FINISH_LOADER = """\
if self.trainer.is_last_batch:
    self.trainer.train_dataloader.finish()
"""


def lazy_loader_source(name: str, side_by_side: bool, asks_at_end: bool, asks_twice: bool = False) -> str:
    """The class as source.

    ``side_by_side``: it runs over several loaders at once. ``asks_at_end``: it can be told to ask for a batch too many, as a plain
    loop does at its end, for which a loader may draw random numbers. ``asks_twice``: it starts its loader once in vain, as the bar
    of ``tqdm.auto`` does.
    """
    loaders = "loaders" if side_by_side else "loader"
    length = "min(len(loader) for loader in self.loaders)" if side_by_side else "len(self.loader)"
    start = "zip(*self.loaders)" if side_by_side else "iter(self.loader)" if asks_at_end else "self.loader"
    docs = "Starts its loader when the first batch is asked for: after `on_train_epoch_start`, as a plain loop does."
    if asks_at_end:
        docs = "Starts and ends as a plain loop does: at the first batch, and with a last request after the last batch."
    lines = [
        f"class {name}:",
        f'    """{docs}"""\n',
        f"    def __init__(self, {'*' if side_by_side else ''}{loaders}):",
        f"        self.{loaders} = {loaders}\n",
        "    def __len__(self):",
        f"        return {length}\n",
        "    def __iter__(self):",
    ]
    if asks_twice:
        lines.append("        iter(self.loader)  # as `tqdm.auto` does before a loop starts: it draws a random number")
    if not asks_at_end:
        return "\n".join([*lines, f"        yield from {start}", ""])
    lines += [
        f"        self.batches = {start}",
        "        yield from self.batches\n",
        "    def finish(self):",
        "        next(self.batches, None)",
        "",
    ]
    return "\n".join(lines)
