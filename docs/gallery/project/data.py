"""The wines that ship with scikit-learn."""
import torch
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset


def get_loaders(batch_size, seed):
    wine = load_wine()
    x = StandardScaler().fit_transform(wine.data)
    train, test = train_test_split(range(len(x)), test_size=0.3, random_state=seed, stratify=wine.target)
    sets = [TensorDataset(torch.tensor(x[part]).float(), torch.tensor(wine.target[part])) for part in (train, test)]
    return DataLoader(sets[0], batch_size=batch_size, shuffle=True), DataLoader(sets[1], batch_size=batch_size)
