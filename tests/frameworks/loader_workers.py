"""Batches that two worker processes make, in the way that the argument names."""

import sys

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Sums(Dataset):
    def __len__(self):
        return 16

    def __getitem__(self, index):
        x = torch.randn(4)  # each worker has a seed of its own
        return x, x.sum(0, keepdim=True)


if __name__ == "__main__":
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.1), nn.ReLU(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    loader = DataLoader(
        Sums(), batch_size=4, shuffle=True, num_workers=2, multiprocessing_context=sys.argv[1]
    )
    for x, y in loader:
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()
    print("weights", torch.cat([p.detach().flatten() for p in model.parameters()]).tolist())
