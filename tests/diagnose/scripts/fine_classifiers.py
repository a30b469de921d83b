"""Losses that are right: logits, log-probabilities, soft labels, label smoothing, time first."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)


class TimeMajor(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(15, 8, padding_idx=0)
        self.lstm, self.head = nn.LSTM(8, 8), nn.Linear(8, 15)

    def forward(self, tokens):
        h, _ = self.lstm(self.embed(tokens))
        return self.head(h).view(-1, 15)


body, language = nn.Linear(6, 4), TimeMajor()
optimizer = torch.optim.AdamW([*body.parameters(), *language.parameters()])
smoothed = nn.CrossEntropyLoss(label_smoothing=0.1)
for _ in range(3):
    x, y = torch.randn(12, 6), torch.randint(4, (12,))
    logits = body(x)
    teacher = torch.softmax(3 * logits.detach() + torch.randn(12, 4), dim=1)
    loss = smoothed(logits, y) + F.cross_entropy(logits, teacher)
    loss = loss + F.nll_loss(torch.log_softmax(logits, -1), y)
    loss = loss + F.nll_loss(torch.log(torch.softmax(logits, 1) + 1e-9), y)
    loss = loss + F.kl_div(F.log_softmax(logits, 1), teacher, reduction="batchmean")
    loss = loss + F.binary_cross_entropy(torch.sigmoid(logits), F.one_hot(y, 4).float())
    loss = loss + F.binary_cross_entropy_with_logits(logits[:, 0], (y == 0).float())
    loss = loss + F.mse_loss(torch.softmax(logits, 1), F.one_hot(y, 4).float())
    loss = loss + F.gaussian_nll_loss(logits[:, 0], x[:, 0], F.softplus(logits[:, 1]) + 0.1)
    weight = torch.tensor([1.0, 2.0, 1.0, 0.5])
    focal = F.cross_entropy(logits, y, weight=weight, reduction="none")
    loss = loss + ((1 - torch.exp(-focal)) ** 2 * focal).mean()

    tokens = torch.randint(1, 15, (7, 3))
    tokens[5:, 1] = 0
    targets = tokens.roll(-1, 0).flatten()
    loss = loss + F.cross_entropy(language(tokens), targets, ignore_index=0)
    each = F.cross_entropy(language(tokens), targets, reduction="none")
    loss = loss + (each * (targets != 0)).sum() / (targets != 0).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
