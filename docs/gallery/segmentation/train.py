"""Segment blobs with a small U-Net; keeps the best weights and can go on from a checkpoint."""
import argparse
import os

import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, Dataset


class Blobs(Dataset):
    """Bright discs on a noisy ground, and where they are."""

    def __init__(self, count, size, seed):
        generator = torch.Generator().manual_seed(seed)
        grid = torch.stack(torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")).float()
        centres = torch.rand(count, 2, generator=generator) * size
        radii = 2 + 3 * torch.rand(count, generator=generator)
        distance = (grid[None] - centres[:, :, None, None]).pow(2).sum(1).sqrt()
        self.masks = (distance < radii[:, None, None]).float().unsqueeze(1)
        self.images = self.masks + 0.7 * torch.randn(self.masks.shape, generator=generator)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index], self.masks[index]


def block(inputs, outputs):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class UNet(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.down = block(1, width)
        self.bottom = block(width, 2 * width)
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.fuse = block(2 * width, width)
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        skip = self.down(x)
        x = self.bottom(nn.functional.max_pool2d(skip, 2))
        return self.head(self.fuse(torch.cat([skip, self.up(x)], dim=1)))


def dice_loss(logits, masks):
    probabilities = torch.sigmoid(logits)
    overlap = (probabilities * masks).sum()
    return 1 - (2 * overlap + 1) / (probabilities.sum() + masks.sum() + 1)


def mean_iou(model, loader, device):
    model.eval()
    overlap, union = 0.0, 0.0
    with torch.no_grad():
        for images, masks in loader:
            images, masks = images.to(device), masks.to(device)
            found = model(images) > 0
            overlap += (found & (masks > 0)).sum().item()
            union += (found | (masks > 0)).sum().item()
    return overlap / max(union, 1.0)


def main():
    parser = argparse.ArgumentParser(description="Segmentation of blobs")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--resume", default="", help="checkpoint to go on from")
    parser.add_argument("--out", default="checkpoints")
    args = parser.parse_args()

    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train_loader = DataLoader(Blobs(60, 16, seed=1), batch_size=args.batch_size, shuffle=True)
    val_loader = DataLoader(Blobs(20, 16, seed=2), batch_size=args.batch_size)

    model = UNet(args.width).to(device)
    criterion = nn.BCEWithLogitsLoss()
    optimizer = optim.AdamW(model.parameters(), lr=args.lr, weight_decay=1e-4)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=args.epochs)

    start_epoch, best = 0, 0.0
    if args.resume:
        state = torch.load(args.resume, map_location=device)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        scheduler.load_state_dict(state["scheduler"])
        start_epoch, best = state["epoch"], state["best"]
        print(f"resumed {args.resume} at epoch {start_epoch}")

    os.makedirs(args.out, exist_ok=True)
    for epoch in range(start_epoch, args.epochs):
        model.train()
        total = 0.0
        for images, masks in train_loader:
            images, masks = images.to(device), masks.to(device)
            optimizer.zero_grad()
            logits = model(images)
            loss = criterion(logits, masks) + dice_loss(logits, masks)
            loss.backward()
            optimizer.step()
            total += loss.item()
        scheduler.step()

        iou = mean_iou(model, val_loader, device)
        print(f"epoch {epoch + 1}/{args.epochs}  loss {total / len(train_loader):.4f}  iou {iou:.4f}")
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(),
            "epoch": epoch + 1,
            "best": max(best, iou),
        }
        torch.save(state, os.path.join(args.out, "last.pt"))
        if iou > best:
            best = iou
            torch.save(model.state_dict(), os.path.join(args.out, "best.pt"))

    model.load_state_dict(torch.load(os.path.join(args.out, "best.pt")))
    print(f"best iou {mean_iou(model, val_loader, device):.4f}")


if __name__ == "__main__":
    main()
