"""Fine-tune a small network: main.py, engine.py and util.py."""
import argparse
import json
import os
import math
import sys
import time

import lightning as L
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

from util import NativeScaler
from engine import adjust_learning_rate
from util import MetricLogger
from util import SmoothedValue


class LitModel(L.LightningModule):
    def __init__(self, model, criterion, args, loss_scaler):
        super().__init__()
        self.automatic_optimization = False
        self.model = model
        self.criterion = criterion
        self.args = args
        self.loss_scaler = loss_scaler
        self.max_accuracy = 0.0

    def on_train_epoch_start(self):
        self.train_one_epoch_metric_logger = MetricLogger()
        self.train_one_epoch_metric_logger.meters["lr"] = SmoothedValue(window_size=1, fmt="{value:.6f}")
        self.train_one_epoch_header = f"Epoch: [{self.current_epoch}]"

        self.train_one_epoch_print_freq = self.args.print_freq
        self.train_one_epoch_start_time = self.train_one_epoch_end = time.time()
        self.train_one_epoch_iter_time = SmoothedValue(fmt="{global_avg:.4f}")

    def training_step(self, batch, batch_idx):
        data_loader_train = self.trainer.train_dataloader
        optimizer = self.trainer.optimizers[0]
        samples, targets = batch
        # a schedule per iteration, not per epoch
        adjust_learning_rate(optimizer, batch_idx / len(data_loader_train) + self.current_epoch, self.args)
        with torch.autocast("cuda", enabled=self.device.type == "cuda"):
            loss = self.criterion(self.model(samples), targets)

        loss_value = loss.item()
        if not math.isfinite(loss_value):
            print(f"Loss is {loss_value}, stopping training")
            sys.exit(1)

        optimizer.zero_grad()
        grad_norm = self.loss_scaler(loss, optimizer, clip_grad=self.args.clip_grad, parameters=self.model.parameters())

        self.train_one_epoch_metric_logger.update(loss=loss_value)
        self.train_one_epoch_metric_logger.update(lr=optimizer.param_groups[0]["lr"])
        self.train_one_epoch_metric_logger.update(grad_norm=grad_norm.item())
        self.train_one_epoch_iter_time.update(time.time() - self.train_one_epoch_end)
        if batch_idx % self.train_one_epoch_print_freq == 0 or batch_idx == len(data_loader_train) - 1:
            print(
                f"{self.train_one_epoch_header}  [{batch_idx}/{len(data_loader_train)}]  {self.train_one_epoch_metric_logger}"
            )
            print(f"{self.train_one_epoch_header}  time: {self.train_one_epoch_iter_time}")
        self.train_one_epoch_end = time.time()

    def on_validation_epoch_start(self):
        print(f"{self.train_one_epoch_header} Total time: {time.time() - self.train_one_epoch_start_time:.1f} s")

        print("Averaged stats:", self.train_one_epoch_metric_logger)
        self.train_stats = {k: meter.global_avg for k, meter in self.train_one_epoch_metric_logger.meters.items()}
        torch.save(
            {
                "model": self.model.state_dict(),
                "optimizer": self.trainer.optimizers[0].state_dict(),
                "epoch": self.current_epoch,
            },
            f"{self.args.output_dir}/checkpoint.pth",
        )
        self.evaluate_metric_logger = MetricLogger()
        self.evaluate_print_freq = self.args.print_freq
        self.evaluate_header = "Test:"
        self.evaluate_start_time = self.evaluate_end = time.time()
        self.evaluate_iter_time = SmoothedValue(fmt="{global_avg:.4f}")

    def validation_step(self, batch, batch_idx):
        data_loader_val = self.trainer.val_dataloaders
        samples, targets = batch
        output = self.model(samples)
        self.evaluate_metric_logger.update(loss=self.criterion(output, targets).item())
        self.evaluate_metric_logger.meters["acc1"].update(
            output.argmax(1).eq(targets).float().mean().item() * 100, n=len(samples)
        )
        self.evaluate_iter_time.update(time.time() - self.evaluate_end)
        if batch_idx % self.evaluate_print_freq == 0 or batch_idx == len(data_loader_val) - 1:
            print(f"{self.evaluate_header}  [{batch_idx}/{len(data_loader_val)}]  {self.evaluate_metric_logger}")
            print(f"{self.evaluate_header}  time: {self.evaluate_iter_time}")
        self.evaluate_end = time.time()

    def on_validation_epoch_end(self):
        print(f"{self.evaluate_header} Total time: {time.time() - self.evaluate_start_time:.1f} s")
        print(
            "* Acc@1 {acc.global_avg:.3f} loss {loss.global_avg:.3f}".format(
                acc=self.evaluate_metric_logger.meters["acc1"], loss=self.evaluate_metric_logger.meters["loss"]
            )
        )
        self.log_dict(
            {
                "val_acc1": float(self.evaluate_metric_logger.meters["acc1"].global_avg),
                "val_loss": float(self.evaluate_metric_logger.meters["loss"].global_avg),
            }
        )

        self.test_stats = {k: meter.global_avg for k, meter in self.evaluate_metric_logger.meters.items()}

    def on_train_epoch_end(self):
        self.max_accuracy = max(self.max_accuracy, self.test_stats["acc1"])
        print(f"Max accuracy: {self.max_accuracy:.2f}%")
        self.log("max_accuracy", float(self.max_accuracy))

        log_stats = {
            **{f"train_{k}": v for k, v in self.train_stats.items()},
            **{f"test_{k}": v for k, v in self.test_stats.items()},
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

    lit_model = LitModel(model, criterion, args, loss_scaler)
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
    model.train()
    trainer.fit(lit_model, data_loader_train, data_loader_val)


if __name__ == "__main__":
    main(get_args_parser().parse_args())
