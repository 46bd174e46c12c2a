"""A small network learns the digits from a larger one that is trained first and then kept as it is."""
import copy

import lightning as L
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(11)
device = "cuda" if torch.cuda.is_available() else "cpu"
TEMPERATURE = 4.0
ALPHA = 0.7


def get_loaders(batch_size=64):
    digits = load_digits()
    splits = train_test_split(digits.data / 16, digits.target, test_size=0.25, random_state=0)
    x_train, x_test = (torch.tensor(x, dtype=torch.float32) for x in splits[:2])
    y_train, y_test = (torch.tensor(y) for y in splits[2:])
    train = DataLoader(TensorDataset(x_train, y_train), batch_size=batch_size, shuffle=True)
    return train, DataLoader(TensorDataset(x_test, y_test), batch_size=256)


def make_mlp(*widths):
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class LitModel(L.LightningModule):
    def __init__(self, model, lr):
        super().__init__()
        self.model = model
        self.lr = lr

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self.model(x), y)
        return loss

    def on_validation_epoch_start(self):
        self.correct = 0

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.correct += (self.model(x).argmax(1) == y).sum().item()

    def on_validation_epoch_end(self):
        print(
            f"teacher epoch {self.current_epoch}: accuracy {self.correct / len(self.trainer.val_dataloaders.dataset):.3f}"
        )

    def configure_optimizers(self):
        return torch.optim.SGD(self.model.parameters(), lr=self.lr, momentum=0.9)


def train_teacher(model, train_loader, test_loader, epochs=3, lr=0.1):
    lit_model = LitModel(model, lr)
    trainer = L.Trainer(
        max_epochs=epochs,
        accelerator=device,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(lit_model, train_loader, test_loader)
    model.to(device)
    if trainer.current_epoch > 0:  # as the last validation leaves it
        model.eval()
    return copy.deepcopy(model)


class LitModel2(L.LightningModule):
    def __init__(self, teacher, student, kl, lr):
        super().__init__()
        self.teacher = teacher
        self.student = student
        self.kl = kl
        self.lr = lr

    def on_train_epoch_start(self):
        self.epoch_loss = 0.0

    def training_step(self, batch, batch_idx):
        x, y = batch
        with torch.no_grad():
            wanted = F.softmax(self.teacher(x) / TEMPERATURE, dim=1)
        logits = self.student(x)
        soft = self.kl(F.log_softmax(logits / TEMPERATURE, dim=1), wanted) * TEMPERATURE**2
        loss = ALPHA * soft + (1 - ALPHA) * F.cross_entropy(logits, y)
        self.epoch_loss += loss.item()
        return loss

    def on_validation_epoch_start(self):
        self.correct = 0

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.correct += (self.student(x).argmax(1) == y).sum().item()

    def on_validation_epoch_end(self):
        self.accuracy = self.correct / len(self.trainer.val_dataloaders.dataset)
        self.log("val_accuracy", self.accuracy)

    def on_train_epoch_end(self):
        print(
            f"student epoch {self.current_epoch}: loss {self.epoch_loss / len(self.trainer.train_dataloader):.4f}, accuracy {self.accuracy:.3f}"
        )
        self.log("loss", self.epoch_loss / len(self.trainer.train_dataloader))

    def configure_optimizers(self):
        return torch.optim.SGD(self.student.parameters(), lr=self.lr, momentum=0.9)


def distill(student, teacher, train_loader, test_loader, epochs=3, lr=0.1):
    teacher.eval()
    kl = nn.KLDivLoss(reduction="batchmean")
    lit_model2 = LitModel2(teacher, student, kl, lr)
    trainer_2 = L.Trainer(
        max_epochs=epochs,
        accelerator=device,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    student.train()
    trainer_2.fit(lit_model2, train_loader, test_loader)


if __name__ == "__main__":
    train_loader, test_loader = get_loaders()
    teacher = train_teacher(make_mlp(64, 128, 128, 10).to(device), train_loader, test_loader)
    student = make_mlp(64, 16, 10).to(device)
    distill(student, teacher, train_loader, test_loader)
    torch.save(student.state_dict(), "student.pt")
