"""Fine-tune the head of a small network that was trained before; every epoch runs over a training and a validation phase."""
import argparse
import copy
import time

import lightning as L
import torch
import torch.nn as nn
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, TensorDataset


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        x = torch.relu(self.conv1(x))
        x = torch.relu(self.norm(self.conv2(x)))
        return self.fc(x.mean(dim=(2, 3)))


def make_pictures(count, seed):
    """Stripes of two directions on noise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 2, (count,), generator=generator)
    pictures = 0.3 * torch.randn(count, 1, 12, 12, generator=generator)
    for picture, label in zip(pictures, labels):
        if label:
            picture[:, :, ::3] += 1
        else:
            picture[:, ::3, :] += 1
    return TensorDataset(pictures, labels)


class LitModel(L.LightningModule):
    def __init__(self, model, best_model_wts, criterion, num_epochs, dataset_sizes, lr):
        super().__init__()
        self.model = model
        self.best_model_wts = best_model_wts
        self.criterion = criterion
        self.num_epochs = num_epochs
        self.dataset_sizes = dataset_sizes
        self.lr = lr
        self.best_acc = 0.0

    def on_train_epoch_start(self):
        print(f"Epoch {self.current_epoch}/{self.num_epochs - 1}")
        print("-" * 10)

        self.running_loss = 0.0
        self.running_corrects = 0

    def training_step(self, batch, batch_idx):
        inputs, labels = batch
        # forward, track history if only in train
        outputs = self.model(inputs)
        _, preds = torch.max(outputs, 1)
        loss = self.criterion(outputs, labels)

        # statistics
        self.running_loss += loss.item() * inputs.size(0)
        self.log("loss", loss)
        self.running_corrects += torch.sum(preds == labels.data)
        return loss

    def on_validation_epoch_start(self):
        self.epoch_loss = self.running_loss / self.dataset_sizes["train"]
        self.epoch_acc = self.running_corrects.double() / self.dataset_sizes["train"]

        print(f"train Loss: {self.epoch_loss:.4f} Acc: {self.epoch_acc:.4f}")
        self.log_dict({"epoch_loss": self.epoch_loss, "epoch_acc": self.epoch_acc})

        self.running_loss = 0.0
        self.running_corrects = 0

    def validation_step(self, batch, batch_idx):
        inputs, labels = batch
        # forward, track history if only in train
        outputs = self.model(inputs)
        _, preds = torch.max(outputs, 1)
        loss = self.criterion(outputs, labels)

        # statistics
        self.running_loss += loss.item() * inputs.size(0)
        self.running_corrects += torch.sum(preds == labels.data)

    def on_validation_epoch_end(self):
        self.epoch_loss = self.running_loss / self.dataset_sizes["val"]
        self.epoch_acc = self.running_corrects.double() / self.dataset_sizes["val"]

    def on_train_epoch_end(self):
        print(f"val Loss: {self.epoch_loss:.4f} Acc: {self.epoch_acc:.4f}")
        self.log_dict({"val_epoch_loss": self.epoch_loss, "val_epoch_acc": self.epoch_acc})

        # deep copy the model
        if self.epoch_acc > self.best_acc:
            self.best_acc = self.epoch_acc
            self.best_model_wts = copy.deepcopy(self.model.state_dict())

        print()

    def configure_optimizers(self):
        # Only the parameters of the final layer are optimized
        optimizer = torch.optim.SGD(self.model.fc.parameters(), lr=self.lr, momentum=0.9)
        scheduler = lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.1)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "epoch"}}


def train_model(model, dataloaders, dataset_sizes, criterion, lr, device, num_epochs=5):
    since = time.time()

    best_model_wts = copy.deepcopy(model.state_dict())

    lit_model = LitModel(model, best_model_wts, criterion, num_epochs, dataset_sizes, lr)
    trainer = L.Trainer(
        max_epochs=num_epochs,
        accelerator="cuda" if torch.cuda.is_available() else "cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(lit_model, dataloaders["train"], dataloaders["val"])
    model.to(torch.device("cuda:0" if torch.cuda.is_available() else "cpu"))

    time_elapsed = time.time() - since
    print(f"Training complete in {time_elapsed // 60:.0f}m {time_elapsed % 60:.0f}s")
    print(f"Best val Acc: {lit_model.best_acc:4f}")

    # load best model weights
    model.load_state_dict(lit_model.best_model_wts)
    return model


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--batch-size", type=int, default=16)
    args = parser.parse_args()

    torch.manual_seed(7)
    device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    datasets = {"train": make_pictures(150, 1), "val": make_pictures(60, 2)}
    dataloaders = {p: DataLoader(datasets[p], batch_size=args.batch_size, shuffle=True) for p in ["train", "val"]}
    dataset_sizes = {p: len(datasets[p]) for p in ["train", "val"]}

    model = Backbone()
    for param in model.parameters():
        param.requires_grad = False
    model.fc = nn.Linear(model.fc.in_features, 2)
    model = model.to(device)

    criterion = nn.CrossEntropyLoss()

    model = train_model(
        model, dataloaders, dataset_sizes, criterion, args.lr, device, num_epochs=args.epochs
    )
    torch.save(model.state_dict(), "model.pt")


if __name__ == "__main__":
    main()
