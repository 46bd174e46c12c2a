"""A small transformer classifies sequences; gradients of several batches make one step, with warm-up per step."""
import torch
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, TensorDataset
from tqdm import tqdm

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


def evaluate(model, loader, criterion):
    model.eval()
    losses, correct, total = [], 0, 0
    for input_ids, labels in loader:
        input_ids, labels = input_ids.to(DEVICE), labels.to(DEVICE)
        with torch.no_grad():
            logits = model(input_ids)
        losses.append(criterion(logits, labels).item())
        correct += (logits.argmax(dim=-1) == labels).sum().item()
        total += len(labels)
    return sum(losses) / len(losses), correct / total


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
    optimizer = AdamW(groups, lr=LEARNING_RATE)
    scheduler = LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / WARMUP_STEPS))

    history = {"train_loss": [], "val_loss": [], "val_acc": []}
    for epoch in range(EPOCHS):
        model.train()
        optimizer.zero_grad()
        train_losses = []
        for step, (input_ids, labels) in enumerate(tqdm(train_loader, desc=f"Epoch {epoch + 1}")):
            input_ids, labels = input_ids.to(DEVICE), labels.to(DEVICE)
            loss = criterion(model(input_ids), labels) / ACCUMULATION_STEPS
            loss.backward()
            train_losses.append(loss.item() * ACCUMULATION_STEPS)
            if (step + 1) % ACCUMULATION_STEPS == 0:
                torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRAD_NORM)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()

        train_loss = sum(train_losses) / len(train_losses)
        val_loss, val_acc = evaluate(model, val_loader, criterion)
        history["train_loss"].append(train_loss)
        history["val_loss"].append(val_loss)
        history["val_acc"].append(val_acc)
        print(f"Epoch {epoch + 1}: train loss {train_loss:.4f} | val loss {val_loss:.4f} | val acc {val_acc:.4f}")

    torch.save({"model_state_dict": model.state_dict(), "history": history}, "classifier.pt")


if __name__ == "__main__":
    main()
