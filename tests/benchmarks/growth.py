"""How the time grows with a script that assigns a name again and again."""

from __future__ import annotations

from measure import Row, Setting, ratio

from torch2lit.options import Options
from torch2lit.process import process_text

SCRIPT = """\
import torch

model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(8, 4)), batch_size=4)
{assignments}
for epoch in range(2):
    for (x,) in loader:
        optimizer.zero_grad()
        loss = model(x).mean()
        loss.backward()
        optimizer.step()
"""


def rows(setting: Setting) -> list[Row]:
    """4,000 against 1,000."""
    options = Options()
    many, few = (SCRIPT.format(assignments="total = 0\n" + "total = total + 1\n" * n) for n in (4000, 1000))
    for text in (many, few):
        process_text(text, "script.py", options)
    value = ratio(
        lambda: process_text(many, "script.py", options),
        lambda: process_text(few, "script.py", options),
        setting.rounds,
    )
    return [Row("reassigned", value, 5, "4,000 assignments : 1,000")]
