def train_one_epoch(model, criterion, loader, optimizer, epoch, loss_scaler, clip=0.0):
    model.train()
    total = 0.0
    for data, target in loader:
        loss = criterion(model(data), target)
        total += loss.item()
        optimizer.zero_grad()
        loss_scaler(loss, optimizer, clip_grad=clip, parameters=model.parameters())
    print(epoch, round(total, 5))
