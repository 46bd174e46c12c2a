"""One epoch of training, one of evaluation."""
import torch


def train_one_epoch(model, criterion, loader, optimizer, device, epoch, print_freq):
    model.train()
    total, seen = 0.0, 0
    for step, (x, y) in enumerate(loader):
        x, y = x.to(device), y.to(device)
        loss = criterion(model(x), y)

        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

        total += loss.item() * len(x)
        seen += len(x)
        if step % print_freq == 0:
            print(f"epoch {epoch} step {step}: loss {loss.item():.4f}")
    return total / seen


@torch.no_grad()
def evaluate(model, criterion, loader, device):
    model.eval()
    total, correct, seen = 0.0, 0, 0
    for x, y in loader:
        x, y = x.to(device), y.to(device)
        output = model(x)
        total += criterion(output, y).item() * len(x)
        correct += (output.argmax(1) == y).sum().item()
        seen += len(x)
    return total / seen, 100.0 * correct / seen
