"""Linear regression on the diabetes data with a full-batch loop: no loader, one step on everything per pass.

Convert, and prove that it still trains the same:

    torch2lit convert --diff examples/diabetes_regression.py
    torch2lit verify examples/diabetes_regression.py
"""
import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes

torch.manual_seed(42)

x, y = load_diabetes(return_X_y=True)
x = torch.tensor(x, dtype=torch.float32)
y = torch.tensor(y, dtype=torch.float32).unsqueeze(1)
x = (x - x.mean(0)) / x.std(0)
y = (y - y.mean()) / y.std()
order = torch.randperm(len(x))
train_idx, test_idx = order[:350], order[350:]
x_train, y_train = x[train_idx], y[train_idx]
x_test, y_test = x[test_idx], y[test_idx]

model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 1))
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-3)

losses = []
for epoch in range(200):
    model.train()
    prediction = model(x_train)
    loss = criterion(prediction, y_train)

    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())

    if (epoch + 1) % 20 == 0:
        model.eval()
        with torch.no_grad():
            test_loss = criterion(model(x_test), y_test)
        print(f"epoch {epoch + 1:3d}  train loss {loss.item():.4f}  test loss {test_loss.item():.4f}")

model.eval()
with torch.no_grad():
    error = model(x_test) - y_test
    r2 = 1 - error.pow(2).sum() / (y_test - y_test.mean()).pow(2).sum()
print(f"lowest train loss {min(losses):.4f} in epoch {losses.index(min(losses)) + 1}, test r2 {r2.item():.3f}")
