"""Samples that meet on purpose: batch norm, contrast, a graph, one long sequence, pairs."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)


class Bidirectional(nn.Module):
    """Tags one long sequence: dim 0 is time."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(6, 8, bidirectional=True)
        self.attention = nn.MultiheadAttention(16, 2)
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        h, _ = self.lstm(x.view(len(x), 1, -1))
        h = h + self.attention(h, h, h)[0]
        return self.head(h.view(len(x), -1))


class Graph(nn.Module):
    def __init__(self, adjacency):
        super().__init__()
        self.register_buffer("adjacency", adjacency)
        self.first, self.second = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.adjacency @ self.second(F.relu(self.adjacency @ self.first(x)))


normed = nn.Sequential(
    nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3)
)
adjacency = torch.softmax(torch.eye(10) + torch.rand(10, 10), 1)
models = nn.ModuleList([Bidirectional(), Graph(adjacency), normed])
pooling, ranker = nn.Linear(6, 1), nn.Linear(6, 1)
parameters = [*models.parameters(), *pooling.parameters(), *ranker.parameters()]
optimizer = torch.optim.Adam(parameters)
for _ in range(3):
    x, y = torch.randn(10, 6), torch.randint(3, (10,))
    loss = sum(F.cross_entropy(model(x), y) for model in models)
    z = F.normalize(normed(x), dim=1)
    loss = loss + F.cross_entropy(z @ z.T / 0.1, torch.arange(10))
    weights = torch.softmax(pooling(x), dim=0)  # over the instances of a bag
    loss = loss + F.cross_entropy(normed[4](F.pad((weights * x).sum(0), (0, 2))), y[0])
    scores = ranker(x)
    loss = loss + F.softplus(scores.squeeze(1) - scores).mean()  # every pair, on purpose
    kernel = torch.exp(-((x[:, :1] - x[:, 0]) ** 2))
    loss = loss + (kernel @ ranker(x) - 1).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
