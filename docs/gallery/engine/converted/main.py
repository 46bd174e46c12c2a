"""Fine-tune a small network: main.py, engine.py and util.py."""
import argparse
import json
import os
import math
import sys

import lightning as L
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

from util import NativeScaler
from engine import adjust_learning_rate
from util import MetricLogger
from util import SmoothedValue


class LitModel(L.LightningModule):
    def __init__(self, model, criterion, args, data_loader_train, loss_scaler, data_loader_val):
        super().__init__()
        self.automatic_optimization = False
        self.model = model
        self.criterion = criterion
        self.args = args
        self.data_loader_train = data_loader_train
        self.loss_scaler = loss_scaler
        self.data_loader_val = data_loader_val
        self.max_accuracy = 0.0

    def training_step(self, batch, batch_idx):
        optimizer = self.trainer.optimizers[0]
        self.model.train(True)
        metric_logger = MetricLogger()
        metric_logger.meters["lr"] = SmoothedValue(window_size=1, fmt="{value:.6f}")
        header = f"Epoch: [{self.current_epoch}]"

        for step, (samples, targets) in enumerate(
            metric_logger.log_every(self.data_loader_train, self.args.print_freq, header)
        ):
            # a schedule per iteration, not per epoch
            adjust_learning_rate(optimizer, step / len(self.data_loader_train) + self.current_epoch, self.args)
            samples, targets = samples.to(self.device), targets.to(self.device)
            with torch.autocast("cuda", enabled=self.device.type == "cuda"):
                loss = self.criterion(self.model(samples), targets)

            loss_value = loss.item()
            if not math.isfinite(loss_value):
                print(f"Loss is {loss_value}, stopping training")
                sys.exit(1)

            optimizer.zero_grad()
            grad_norm = self.loss_scaler(
                loss, optimizer, clip_grad=self.args.clip_grad, parameters=self.model.parameters()
            )

            metric_logger.update(loss=loss_value)
            metric_logger.update(lr=optimizer.param_groups[0]["lr"])
            metric_logger.update(grad_norm=grad_norm.item())

        print("Averaged stats:", metric_logger)
        train_stats = {k: meter.global_avg for k, meter in metric_logger.meters.items()}
        torch.save(
            {"model": self.model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": self.current_epoch},
            f"{self.args.output_dir}/checkpoint.pth",
        )

        test_stats = evaluate(self.data_loader_val, self.model, self.criterion, self.device, self.args)
        self.max_accuracy = max(self.max_accuracy, test_stats["acc1"])
        print(f"Max accuracy: {self.max_accuracy:.2f}%")
        self.log("max_accuracy", float(self.max_accuracy))

        log_stats = {
            **{f"train_{k}": v for k, v in train_stats.items()},
            **{f"test_{k}": v for k, v in test_stats.items()},
            "epoch": self.current_epoch,
        }
        with open(os.path.join(self.args.output_dir, "log.txt"), "a") as f:
            f.write(json.dumps(log_stats) + "\n")

    def configure_optimizers(self):
        return torch.optim.AdamW(self.model.parameters(), lr=self.args.lr)
from engine import evaluate


def get_args_parser():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch_size", default=32, type=int)
    parser.add_argument("--epochs", default=4, type=int)
    parser.add_argument("--warmup_epochs", default=1, type=int)
    parser.add_argument("--lr", default=0.02, type=float)
    parser.add_argument("--min_lr", default=1e-4, type=float)
    parser.add_argument("--clip_grad", default=1.0, type=float)
    parser.add_argument("--print_freq", default=4, type=int)
    parser.add_argument("--output_dir", default="output")
    parser.add_argument("--seed", default=0, type=int)
    parser.add_argument("--eval", action="store_true", help="evaluate only")
    return parser


def build_model():
    return nn.Sequential(nn.Linear(20, 48), nn.LayerNorm(48), nn.GELU(), nn.Dropout(0.1), nn.Linear(48, 6))


def build_dataset(n):
    targets = torch.randint(6, (n,))
    return TensorDataset(torch.randn(n, 20) + torch.eye(6, 20)[targets] * 2, targets)


def main(args):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(args.seed)
    os.makedirs(args.output_dir, exist_ok=True)

    data_loader_train = DataLoader(build_dataset(300), batch_size=args.batch_size, shuffle=True, drop_last=True)
    data_loader_val = DataLoader(build_dataset(130), batch_size=args.batch_size)
    model = build_model().to(device)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    loss_scaler = NativeScaler(enabled=device.type == "cuda")

    if args.eval:
        evaluate(data_loader_val, model, criterion, device, args)
        return

    lit_model = LitModel(model, criterion, args, data_loader_train, loss_scaler, data_loader_val)
    trainer = L.Trainer(
        max_epochs=args.epochs,
        accelerator=device.type,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(lit_model, [0])


if __name__ == "__main__":
    main(get_args_parser().parse_args())
