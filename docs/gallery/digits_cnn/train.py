"""Handwritten digits with a small convolutional network, at module level.

A learning-rate schedule, the best checkpoint and early stopping are written by hand, as in most scripts.
Convert, and prove that it still trains the same:

    torch2lit convert --diff examples/digits_cnn.py
    torch2lit verify examples/digits_cnn.py
"""
import torch
import torch.nn as nn
import torch.optim as optim
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


model = ConvNet().to(device)
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(model.parameters(), lr=learning_rate, momentum=0.9, weight_decay=1e-4)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=num_epochs)

best_loss = float("inf")
best_epoch = 0
bad_epochs = 0
history = []

for epoch in range(num_epochs):
    # train
    model.train()
    running_loss = 0.0
    for i, (x, y) in enumerate(train_loader):
        x, y = x.to(device), y.to(device)
        outputs = model(x)
        loss = criterion(outputs, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running_loss += loss.item() * x.size(0)
        if (i + 1) % 10 == 0:
            print(f"Epoch [{epoch + 1}/{num_epochs}], Step [{i + 1}/{len(train_loader)}], Loss: {loss.item():.4f}")
    train_loss = running_loss / len(train_set)

    # validate
    model.eval()
    val_loss, correct = 0.0, 0
    with torch.no_grad():
        for x, y in val_loader:
            x, y = x.to(device), y.to(device)
            outputs = model(x)
            val_loss += criterion(outputs, y).item() * x.size(0)
            correct += (outputs.argmax(1) == y).sum().item()
    val_loss /= len(val_set)
    scheduler.step()
    history.append((train_loss, val_loss))
    print(f"Epoch {epoch + 1}: train loss {train_loss:.4f}, val loss {val_loss:.4f}, accuracy {correct / len(val_set):.3f}")

    # keep the best model
    if val_loss < best_loss:
        best_loss, best_epoch, bad_epochs = val_loss, epoch, 0
        torch.save(model.state_dict(), "digits_cnn.pt")
    else:
        bad_epochs += 1
        if bad_epochs >= patience:
            print("Early stopping")
            break

print(f"best epoch {best_epoch + 1} of {len(history)} with val loss {best_loss:.4f}")
model.load_state_dict(torch.load("digits_cnn.pt"))
