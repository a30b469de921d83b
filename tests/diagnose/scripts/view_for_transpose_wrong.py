"""Error: a view where a transpose was meant, which mixes samples."""

import torch
from torch import nn

torch.manual_seed(0)


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(5, 8), nn.Linear(8, 3)

    def forward(self, x):
        batch, time, features = x.shape
        x = x.view(time, batch, features)  # <-- fault
        _, (hidden, _) = self.lstm(x)
        return self.head(hidden[-1])


model = Tagger()
optimizer = torch.optim.Adam(model.parameters())
x, y = torch.randn(6, 9, 5), torch.randint(3, (6,))
for _ in range(3):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
