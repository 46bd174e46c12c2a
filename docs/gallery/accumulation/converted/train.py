"""A small transformer classifies sequences; gradients of several batches make one step, with warm-up per step."""
import lightning as L
import torch
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, TensorDataset

EPOCHS = 3
BATCH_SIZE = 8
ACCUMULATION_STEPS = 4
MAX_GRAD_NORM = 1.0
LEARNING_RATE = 2e-3
WARMUP_STEPS = 5
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Classifier(nn.Module):
    def __init__(self, vocab_size=30, dim=32, num_classes=3):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, dim)
        layer = nn.TransformerEncoderLayer(dim, nhead=4, dim_feedforward=64, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers=2)
        self.fc = nn.Linear(dim, num_classes)

    def forward(self, input_ids):
        return self.fc(self.encoder(self.embed(input_ids)).mean(dim=1))


def make_data(count):
    tokens = torch.randint(0, 30, (count, 12))
    return TensorDataset(tokens, tokens[:, :4].sum(dim=1) % 3)


class LitClassifier(L.LightningModule):
    def __init__(self, model, criterion, groups):
        super().__init__()
        self.automatic_optimization = False
        self.model = model
        self.criterion = criterion
        self.groups = groups
        self.history = {"train_loss": [], "val_loss": [], "val_acc": []}

    def on_train_epoch_start(self):
        self.optimizers().zero_grad()
        self.train_losses = []

    def training_step(self, batch, batch_idx):
        optimizer = self.optimizers()
        input_ids, labels = batch
        loss = self.criterion(self.model(input_ids), labels) / ACCUMULATION_STEPS
        self.manual_backward(loss)
        self.train_losses.append(loss.item() * ACCUMULATION_STEPS)
        if (batch_idx + 1) % ACCUMULATION_STEPS == 0:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRAD_NORM)
            optimizer.step()
            self.scheduler.step()
            optimizer.zero_grad()

    def on_validation_epoch_start(self):
        self.train_loss = sum(self.train_losses) / len(self.train_losses)
        self.losses, self.correct, self.total = [], 0, 0

    def validation_step(self, batch, batch_idx):
        input_ids, labels = batch
        logits = self.model(input_ids)
        self.losses.append(self.criterion(logits, labels).item())
        self.correct += (logits.argmax(dim=-1) == labels).sum().item()
        self.total += len(labels)

    def on_validation_epoch_end(self):
        self.val_loss, self.val_acc = sum(self.losses) / len(self.losses), self.correct / self.total
        self.log_dict({"val_loss": self.val_loss, "val_acc": self.val_acc})

    def on_train_epoch_end(self):
        self.history["train_loss"].append(self.train_loss)
        self.log("train_loss", self.train_loss)
        self.history["val_loss"].append(self.val_loss)
        self.history["val_acc"].append(self.val_acc)
        print(
            f"Epoch {self.current_epoch + 1}: train loss {self.train_loss:.4f} | val loss {self.val_loss:.4f} | val acc {self.val_acc:.4f}"
        )

    def configure_optimizers(self):
        optimizer = AdamW(self.groups, lr=LEARNING_RATE)
        self.scheduler = LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / WARMUP_STEPS))
        return optimizer


def main():
    torch.manual_seed(42)
    train_loader = DataLoader(make_data(192), batch_size=BATCH_SIZE, shuffle=True)
    val_loader = DataLoader(make_data(40), batch_size=BATCH_SIZE)

    model = Classifier().to(DEVICE)
    criterion = nn.CrossEntropyLoss()
    no_decay = ["bias", "norm"]
    groups = [
        {"params": [p for n, p in model.named_parameters() if not any(k in n for k in no_decay)], "weight_decay": 0.01},
        {"params": [p for n, p in model.named_parameters() if any(k in n for k in no_decay)], "weight_decay": 0.0},
    ]

    lit_classifier = LitClassifier(model, criterion, groups)
    trainer = L.Trainer(
        max_epochs=EPOCHS,
        accelerator=DEVICE.type,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=True,
        num_sanity_val_steps=0,
    )
    trainer.fit(lit_classifier, train_loader, val_loader)

    torch.save({"model_state_dict": model.state_dict(), "history": lit_classifier.history}, "classifier.pt")


if __name__ == "__main__":
    main()
