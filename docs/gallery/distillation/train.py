"""A small network learns the digits from a larger one that is trained first and then kept as it is."""
import copy

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


def evaluate(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            x, y = x.to(device), y.to(device)
            correct += (model(x).argmax(1) == y).sum().item()
    return correct / len(loader.dataset)


def train_teacher(model, train_loader, test_loader, epochs=3, lr=0.1):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    for epoch in range(epochs):
        model.train()
        for x, y in train_loader:
            x, y = x.to(device), y.to(device)
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        print(f"teacher epoch {epoch}: accuracy {evaluate(model, test_loader):.3f}")
    return copy.deepcopy(model)


def distill(student, teacher, train_loader, test_loader, epochs=3, lr=0.1):
    teacher.eval()
    optimizer = torch.optim.SGD(student.parameters(), lr=lr, momentum=0.9)
    kl = nn.KLDivLoss(reduction="batchmean")
    for epoch in range(epochs):
        student.train()
        epoch_loss = 0.0
        for x, y in train_loader:
            x, y = x.to(device), y.to(device)
            with torch.no_grad():
                wanted = F.softmax(teacher(x) / TEMPERATURE, dim=1)
            optimizer.zero_grad()
            logits = student(x)
            soft = kl(F.log_softmax(logits / TEMPERATURE, dim=1), wanted) * TEMPERATURE**2
            loss = ALPHA * soft + (1 - ALPHA) * F.cross_entropy(logits, y)
            loss.backward()
            optimizer.step()
            epoch_loss += loss.item()
        accuracy = evaluate(student, test_loader)
        print(f"student epoch {epoch}: loss {epoch_loss / len(train_loader):.4f}, accuracy {accuracy:.3f}")


if __name__ == "__main__":
    train_loader, test_loader = get_loaders()
    teacher = train_teacher(make_mlp(64, 128, 128, 10).to(device), train_loader, test_loader)
    student = make_mlp(64, 16, 10).to(device)
    distill(student, teacher, train_loader, test_loader)
    torch.save(student.state_dict(), "student.pt")
