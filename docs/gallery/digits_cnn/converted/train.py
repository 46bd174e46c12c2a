"""Handwritten digits with a small convolutional network, at module level.

A learning-rate schedule, the best checkpoint and early stopping are written by hand, as in most scripts.
Convert, and prove that it still trains the same:

    torch2lit convert --diff examples/digits_cnn.py
    torch2lit verify examples/digits_cnn.py
"""
import lightning as L
import torch
import torch.nn as nn
import torch.optim as optim
from lightning.pytorch.callbacks import EarlyStopping
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset, random_split

# settings
num_epochs = 30
batch_size = 64
learning_rate = 0.05
patience = 4

torch.manual_seed(0)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

# data: 1797 images of 8 x 8 pixels
digits = load_digits()
images = torch.tensor(digits.images / 16.0, dtype=torch.float32).unsqueeze(1)
targets = torch.tensor(digits.target)
train_set, val_set = random_split(TensorDataset(images, targets), [1500, 297])
train_loader = DataLoader(train_set, batch_size=batch_size, shuffle=True)
val_loader = DataLoader(val_set, batch_size=batch_size)


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2))
        self.layer2 = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2))
        self.dropout = nn.Dropout(0.3)
        self.fc = nn.Linear(16 * 2 * 2, 10)

    def forward(self, x):
        out = self.layer2(self.layer1(x))
        return self.fc(self.dropout(out.flatten(1)))


model = ConvNet()
criterion = nn.CrossEntropyLoss()


class LitConvNet(L.LightningModule):
    def __init__(self, model, criterion, train_set, val_set):
        super().__init__()
        self.model = model
        self.criterion = criterion
        self.train_set = train_set
        self.val_set = val_set
        self.best_epoch = 0
        self.best_loss = float("inf")
        self.history = []

    def on_train_epoch_start(self):
        self.running_loss = 0.0

    def training_step(self, batch, batch_idx):
        x, y = batch
        outputs = self.model(x)
        loss = self.criterion(outputs, y)
        self.running_loss += loss.item() * x.size(0)
        if (batch_idx + 1) % 10 == 0:
            print(
                f"Epoch [{self.current_epoch + 1}/{num_epochs}], Step [{batch_idx + 1}/{len(self.trainer.train_dataloader)}], Loss: {loss.item():.4f}"
            )
            self.log("loss", loss)
        return loss

    def on_validation_epoch_start(self):
        self.train_loss = self.running_loss / len(self.train_set)
        self.val_loss, self.correct = 0.0, 0

    def validation_step(self, batch, batch_idx):
        x, y = batch
        outputs = self.model(x)
        self.val_loss += self.criterion(outputs, y).item() * x.size(0)
        self.correct += (outputs.argmax(1) == y).sum().item()

    def on_validation_epoch_end(self):
        self.val_loss /= len(self.val_set)
        self.log("val_loss", torch.tensor(self.val_loss, dtype=torch.float64))

    def on_train_epoch_end(self):
        self.history.append((self.train_loss, self.val_loss))
        self.log("train_loss", self.train_loss)
        print(
            f"Epoch {self.current_epoch + 1}: train loss {self.train_loss:.4f}, val loss {self.val_loss:.4f}, accuracy {self.correct / len(self.val_set):.3f}"
        )
        self.log("val_accuracy", self.correct / len(self.val_set))

        # keep the best model
        if self.val_loss < self.best_loss:
            self.best_loss, self.best_epoch = self.val_loss, self.current_epoch
            torch.save(self.model.state_dict(), "digits_cnn.pt")

    def configure_optimizers(self):
        optimizer = optim.SGD(self.model.parameters(), lr=learning_rate, momentum=0.9, weight_decay=1e-4)
        scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=num_epochs)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "epoch"}}


lit_conv_net = LitConvNet(model, criterion, train_set, val_set)
trainer = L.Trainer(
    max_epochs=num_epochs,
    accelerator=device.type,
    devices=1,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
    callbacks=[EarlyStopping("val_loss", patience=patience, check_finite=False)],
)
trainer.fit(lit_conv_net, train_loader, val_loader)
if trainer.should_stop:
    print("Early stopping")

print(f"best epoch {lit_conv_net.best_epoch + 1} of {len(lit_conv_net.history)} with val loss {lit_conv_net.best_loss:.4f}")
model.load_state_dict(torch.load("digits_cnn.pt"))
