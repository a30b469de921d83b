"""Sequences with time as the first dimension, as recurrent layers expect them."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)


class Forecaster(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(2, 8), nn.Linear(8, 2)

    def forward(self, x):
        h, _ = self.gru(x)
        return self.head(h)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(2, 8), nn.Linear(8, 3)

    def forward(self, x):
        time, batch, features = x.shape
        flat = x.reshape(time * batch, features) * 0.5
        _, (h, _) = self.lstm(flat.view(time, batch, features))
        return self.head(h[-1])


forecaster, classifier = Forecaster(), Classifier()
optimizer = torch.optim.Adam([*forecaster.parameters(), *classifier.parameters()])
for _ in range(3):
    x = torch.randn(6, 4, 2)
    loss = F.mse_loss(forecaster(x), x.cumsum(0))
    loss = loss + F.cross_entropy(classifier(x), torch.randint(3, (4,)))
    square = torch.randn(5, 5, 2)
    loss = loss + F.cross_entropy(classifier(square), torch.randint(3, (5,)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
