"""The loader that starts late: Lightning starts a loader before the hook at an epoch's or a validation's start, a plain loop after it."""

from __future__ import annotations

from ..plan.draft import Draft
from ..plan.late_validation import has_untold_sampler

FINISH_LOADER = """\
if self.trainer.is_last_batch:
    self.trainer.train_dataloader.finish()
"""


def lazy_loader_source(draft: Draft, name: str) -> str:
    """The class as source.

    It may run over several loaders at once, can be told to ask for a batch too many, as a plain loop does at its end, for which a
    loader may draw random numbers, and may start its loader once in vain, as the bar of ``tqdm.auto`` does.
    """
    data = draft.train_data if draft.train_data is not None and draft.train_data.lazy else None
    late = draft.validation if draft.validation is not None and draft.validation.late else None
    side_by_side, asks_at_end = data is not None and len(data.texts) > 1, data is not None and data.asks_at_end
    asks_twice = data.asks_twice if data is not None else late is not None and late.loop.asks_twice
    loaders = "loaders" if side_by_side else "loader"
    length = "min(len(loader) for loader in self.loaders)" if side_by_side else "len(self.loader)"
    start = "zip(*self.loaders)" if side_by_side else "iter(self.loader)" if asks_at_end else "self.loader"
    said = _said(data is not None, late is not None, asks_at_end)
    if late is not None and has_untold_sampler(draft, late):
        said = f"{said}\n\n    Lightning does not see the sampler, which the script does not tell the epoch.\n    "
    lines = [
        f"class {name}:",
        f'    """{said}"""\n',
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


def _said(trains: bool, validates: bool, asks_at_end: bool) -> str:
    if asks_at_end:
        return "Starts and ends as a plain loop does: at the first batch, and with a last request after the last batch."
    hooks = ["`on_train_epoch_start`"] * trains + ["`on_validation_epoch_start`"] * validates
    return f"Starts its loader when the first batch is asked for: after {' and '.join(hooks)}, as a plain loop does."
