"""Train on the wines; network, data, engine and helpers stand in files of their own."""
import argparse

import torch
import torch.nn as nn
from data import get_loaders
from engine import evaluate, train_one_epoch
from model import ResidualMLP
from utils import EarlyStopping, set_seed


def main(args):
    set_seed(args.seed)
    device = torch.device(args.device)
    train_loader, test_loader = get_loaders(args.batch_size, args.seed)

    model = ResidualMLP(13, args.width, args.depth, 3, args.dropout).to(device)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=args.lr, epochs=args.epochs, steps_per_epoch=1
    )
    stopping = EarlyStopping(args.patience)

    for epoch in range(args.epochs):
        train_loss = train_one_epoch(model, criterion, train_loader, optimizer, device, epoch, args.print_freq)
        scheduler.step()
        test_loss, test_acc = evaluate(model, criterion, test_loader, device)
        print(f"* epoch {epoch}: train {train_loss:.4f}, test {test_loss:.4f}, accuracy {test_acc:.2f}")
        stopping(test_loss, model)
        if stopping.early_stop:
            print("Early stopping")
            break


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--lr", type=float, default=5e-3)
    parser.add_argument("--width", type=int, default=24)
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--patience", type=int, default=2)
    parser.add_argument("--print-freq", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    main(parser.parse_args())
