"""Notebooks of many shapes, as lists of cells: what people do with cells, magics and the state between them."""

from __future__ import annotations

HEAD = """import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
torch.manual_seed(0)
X = torch.randn(70, 4)
Y = X @ torch.tensor([1.0, -2, 3, 0.5]).unsqueeze(1)
loader = DataLoader(TensorDataset(X[:50], Y[:50]), batch_size=8, shuffle=True)
val_loader = DataLoader(TensorDataset(X[50:], Y[50:]), batch_size=8)"""
NET = """model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
loss_fn = nn.MSELoss()"""
FN = """def train_epoch(model, loader):
    model.train()
    total = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader)"""
EV = """@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    return sum(loss_fn(model(x), y).item() for x, y in loader) / len(loader)"""
EV2 = """def evaluate(model, loader):
    model.eval()
    total = 0
    with torch.no_grad():
        for x, y in loader:
            total += loss_fn(model(x), y).item()
    return total / len(loader)"""
LOOP = """for epoch in range(3):
    for i, (x, y) in enumerate(loader):
        loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())"""
VARIATIONS: dict[str, list[str]] = {}
VARIATIONS["plain"] = [HEAD + "\n# a trailing comment", NET, LOOP, "print(epoch, i, loss.item(), x.shape)"]
VARIATIONS["time-cell"] = [
    HEAD,
    NET + "\n\n# the function\n" + FN,
    "%%time\n\n# go\nfor e in range(2):\n    print(train_epoch(model, loader))",
]
VARIATIONS["time-line"] = [
    HEAD,
    NET,
    FN,
    "losses = []\nfor e in range(2):\n    %time losses.append(train_epoch(model, loader))\nprint(losses)",
]
VARIATIONS["time-fit"] = [
    HEAD,
    NET,
    "def fit(n):\n    hist = []\n    for epoch in range(n):\n        for x, y in loader:\n            loss = loss_fn(model(x), y)\n            optimizer.zero_grad()\n            loss.backward()\n            optimizer.step()\n        hist.append(loss.item())\n    return hist",
    "hist = %time fit(3)",
    "print(hist)",
]
VARIATIONS["time-fit2"] = [
    HEAD,
    NET,
    "hist = []\ndef fit(n):\n    for epoch in range(n):\n        for x, y in loader:\n            loss = loss_fn(model(x), y)\n            optimizer.zero_grad()\n            loss.backward()\n            optimizer.step()\n        hist.append(loss.item())",
    "%time fit(3)",
    "print(hist)",
]
VARIATIONS["shell-in-loop"] = [
    HEAD,
    NET,
    LOOP.replace("    print(epoch", "    !echo {epoch}\n    print(epoch"),
    "!echo done {loss}",
]
VARIATIONS["timeit-function"] = [
    HEAD,
    NET,
    FN,
    EV2,
    "for e in range(2):\n    a = train_epoch(model, loader)\n    b = evaluate(model, val_loader)\n    print(a, b)",
    "%timeit -n1 -r1 evaluate(model, val_loader)",
]
VARIATIONS["timeit-cell"] = [
    HEAD,
    NET,
    FN,
    EV2,
    "for e in range(2):\n    a = train_epoch(model, loader)\n    b = evaluate(model, val_loader)\n    print(a, b)",
    "%%timeit -n1 -r1\nevaluate(model, val_loader)\nc = 1",
]
VARIATIONS["optimizer-later"] = [
    HEAD,
    NET,
    "scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)",
    LOOP + "\n    scheduler.step()",
    'print(optimizer.param_groups[0]["lr"], scheduler.get_last_lr())\nprint(sorted(optimizer.state_dict()["state"]))',
]
VARIATIONS["two-loops"] = [
    HEAD,
    NET,
    LOOP,
    'for g in optimizer.param_groups:\n    g["lr"] = 1e-4',
    LOOP,
    "print(loss.item())",
]
VARIATIONS["two-optimizers"] = [
    HEAD,
    NET,
    LOOP,
    "optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)",
    LOOP,
    "print(loss.item())",
]
VARIATIONS["fit-twice"] = [
    HEAD,
    "loss_fn = nn.MSELoss()",
    "def fit(model, optimizer, epochs):\n    hist = []\n    for epoch in range(epochs):\n        for x, y in loader:\n            loss = loss_fn(model(x), y)\n            optimizer.zero_grad()\n            loss.backward()\n            optimizer.step()\n        hist.append(loss.item())\n    return hist",
    "a = nn.Linear(4, 1)\nha = fit(a, torch.optim.SGD(a.parameters(), lr=0.01), 2)",
    "b = nn.Linear(4, 1)\nhb = fit(b, torch.optim.Adam(b.parameters(), lr=0.01), 3)",
    "print(ha, hb)",
]
VARIATIONS["future"] = [HEAD, "from __future__ import annotations\n" + NET, LOOP]
VARIATIONS["main-guard"] = [
    HEAD,
    NET,
    "def main():\n    " + LOOP.replace("\n", "\n    "),
    'if __name__ == "__main__":\n    main()',
]
VARIATIONS["display-last"] = [
    HEAD,
    NET,
    "losses = []",
    LOOP + "\n    losses.append(loss.item())\nlosses",
    "losses[-1];",
]
VARIATIONS["empty-cells"] = [
    "",
    HEAD,
    "# only a comment",
    "",
    NET,
    FN,
    "",
    "# another one\n",
    "for e in range(2):\n    train_epoch(model, loader)",
    "",
    "print(1)",
]
VARIATIONS["unparsable-mentions"] = [
    HEAD,
    NET,
    FN,
    EV2,
    "what is train_epoch(model and evaluate",
    "for e in range(2):\n    a = train_epoch(model, loader)\n    b = evaluate(model, val_loader)\n    print(a, b)",
]
VARIATIONS["evaluate-later"] = [
    HEAD,
    NET,
    FN,
    EV2,
    "for e in range(2):\n    a = train_epoch(model, loader)\n    b = evaluate(model, val_loader)\n    print(a, b)",
    "print(evaluate(model, loader))",
]
VARIATIONS["generator-evaluate"] = [
    HEAD,
    NET,
    FN,
    EV,
    "for e in range(2):\n    a = train_epoch(model, loader)\n    b = evaluate(model, val_loader)\n    print(a, b)",
    "print(evaluate(model, loader))",
]
VARIATIONS["global-step"] = [
    HEAD,
    NET,
    "step = 0",
    FN.replace("    model.train()", "    global step\n    model.train()").replace(
        "        total +=", "        step += 1\n        total +="
    ),
    "for e in range(2):\n    print(train_epoch(model, loader), step)",
    "print(step)",
]
VARIATIONS["clear-output"] = [
    HEAD + "\nfrom IPython.display import clear_output, display",
    NET,
    LOOP.replace("    print(", "    clear_output(wait=True)\n    display(epoch)\n    print("),
    "print(loss.item())",
]
VARIATIONS["inline-validation"] = [
    HEAD,
    NET,
    LOOP
    + '\n    model.eval()\n    with torch.no_grad():\n        v = 0\n        for x, y in val_loader:\n            v += loss_fn(model(x), y).item()\n    model.train()\n    print("val", v / len(val_loader))',
    "print(v)",
]
VARIATIONS["capture-tqdm"] = [
    HEAD + "\nfrom tqdm.auto import tqdm",
    NET,
    "%%capture\n" + LOOP.replace("enumerate(loader)", "enumerate(tqdm(loader))"),
    "print(loss.item())",
]
VARIATIONS["early-stop"] = [
    HEAD,
    NET,
    'best, bad = float("inf"), 0\n'
    + LOOP
    + '\n    if loss.item() < best:\n        best, bad = loss.item(), 0\n    else:\n        bad += 1\n        if bad > 1:\n            print("stop")\n            break',
    "print(best, bad, epoch)",
]
VARIATIONS["device-last"] = [
    HEAD,
    'device = torch.device("cuda" if torch.cuda.is_available() else "cpu")',
    "model = nn.Linear(4, 1)\nmodel.to(device)",
    "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\nloss_fn = nn.MSELoss()",
    LOOP.replace("        loss = ", "        x, y = x.to(device), y.to(device)\n        loss = "),
    "print(model(X.to(device))[:2])",
]
VARIATIONS["await"] = [HEAD, NET, "import asyncio\nawait asyncio.sleep(0)", LOOP]
VARIATIONS["crlf"] = [
    c.replace("\n", "\r\n") for c in [HEAD, NET, FN, "for e in range(2):\n    print(train_epoch(model, loader))"]
]
VARIATIONS["env-magics"] = [
    "%env ABC=1\n%load_ext autoreload\n%autoreload 2\n" + HEAD,
    "?model\n" + NET,
    "%pdb off\n" + LOOP,
    "model?",
]
VARIATIONS["magic-between-imports"] = [
    "import os\n%matplotlib --list\nimport sys\n" + HEAD,
    NET + "\n\n\n",
    LOOP + "\n\n",
]
VARIATIONS["loop-ends-cell-with-comment"] = [
    HEAD,
    NET,
    "# before\n" + LOOP + "\n    # at the end of the body\n# after the loop",
    "# head of the last cell\nprint(1)",
]
VARIATIONS["same-cell-twice"] = [
    HEAD,
    NET,
    FN,
    "train_epoch(model, loader)",
    "for e in range(2):\n    print(train_epoch(model, loader))",
    "train_epoch(model, loader)",
]
VARIATIONS["weights-after"] = [
    HEAD,
    NET,
    LOOP,
    'torch.save(model.state_dict(), "m.pt")\nother = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 1))\nother.load_state_dict(torch.load("m.pt"))\nother.eval()\nprint(other(X[:3]))',
]
VARIATIONS["grad-after"] = [HEAD, NET, LOOP, "print([p.grad.norm().item() for p in model.parameters()])"]
VARIATIONS["underscore-output"] = [HEAD, NET, LOOP, "loss.item()", "print(_)"]
VARIATIONS["prun"] = [HEAD, NET, "%%prun -q\n" + LOOP, "print(loss.item())"]
VARIATIONS["magic-names"] = [
    HEAD,
    NET,
    FN,
    "from math import sqrt\nfor e in range(2):\n    r = train_epoch(model, loader)\n    %env R={r}\n    print(sqrt(r))",
]
VARIATIONS["watermark"] = [
    "%watermark -a 'x and optimizer' -v -p torch",
    HEAD,
    NET,
    "out = []\n" + LOOP + "\n    for p in model.parameters():\n        p.data.clamp_(-1, 1)",
    "print(loss.item())",
]
VARIATIONS["capture-name"] = [HEAD, NET, "%%capture loss\nprint(1)", LOOP, "print(loss.item())"]
VARIATIONS["help-on-loop-state"] = [HEAD, NET, LOOP, "print(epoch)\nX?"]
VARIATIONS["store-loop-state"] = [HEAD, NET, LOOP, "%store loss", "print(epoch)"]
