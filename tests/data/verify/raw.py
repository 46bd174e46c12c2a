"""A raw script with what conversions get wrong most: shuffling, dropout, clipping, schedulers, validation."""

import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 12)
        self.drop = nn.Dropout(0.3)
        self.last = nn.Linear(12, 1)

    def forward(self, x):
        return self.last(self.drop(torch.relu(self.first(x))))


def points(n):
    x = torch.randn(n, 6)
    return TensorDataset(x, x.sum(1, keepdim=True) * 3)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=3)
    args = parser.parse_args()
    torch.manual_seed(1)
    train_loader = DataLoader(points(40), batch_size=8, shuffle=True)
    val_loader = DataLoader(points(16), batch_size=8)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    for epoch in range(args.epochs):
        model.train()
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
        scheduler.step()
        model.eval()
        total = 0.0
        with torch.no_grad():
            for x, y in val_loader:
                total += nn.functional.mse_loss(model(x), y).item()
        print(f"epoch {epoch} val {total:.6f}")
        torch.save(model.state_dict(), "last.pt")


if __name__ == "__main__":
    main()
