#!/usr/bin/env python3
"""Trains fungtion's DANN for ten steps with PyTorch and writes what happened to tests/data/torch_fungtion_trace.json.

The network and the recipe are those of fungtion/DANN (model.py, main.py): each domain goes through the whole network
by itself, the source first, so that batch normalisation takes each domain's own mean and variance and folds both into
the same running ones. What dropout drops and which rows images are in are gradflip's: functions of a seed, repeated in
philox.py. Layers ahead of a normalisation have no bias, which it would take off again. Where channels are dropped and
ReLU stands is as there, ahead of the pool and behind it. The rest is as in make_torch_trace.py.

    scripts/make_fungtion_trace.py [output.json]
"""

import pathlib
import sys

import numpy as np
import torch
from philox import check_philox, dropout_mask, epoch_order
from torch import nn
from torch.nn import functional
from torch_trace import (
    STEPS,
    GradientReversal,
    check_gradient_reversal,
    describe,
    initial_weights,
    reversal_strength,
    source_bytes,
    source_labels,
    target_bytes,
    write,
)

SEED = 6  # most others do not pass check_smooth
BATCHES = (8, 6)  # of the source and the target: all images that a domain trains on are in each step
DROPPED = 0.5


def normalisation(name, channels):
    """Scales around 1, with a spread of .25; shifts around 0, with .1."""
    return [(name + ".weight", (channels,), 16, 1.0), (name + ".bias", (channels,), 100, 0.0)]


WEIGHT_BLOCKS = [
    ("feature_extractor.conv1.weight", (64, 3, 5, 5), 75),
    *normalisation("feature_extractor.bn1", 64),
    ("feature_extractor.conv2.weight", (50, 64, 5, 5), 1600),
    *normalisation("feature_extractor.bn2", 50),
    ("label_predictor.fc1.weight", (100, 800), 800),
    *normalisation("label_predictor.bn1", 100),
    ("label_predictor.fc2.weight", (100, 100), 100),
    *normalisation("label_predictor.bn2", 100),
    ("label_predictor.fc3.weight", (10, 100), 100),
    ("label_predictor.fc3.bias", (10,), 100),
    ("domain_classifier.fc1.weight", (100, 800), 800),
    *normalisation("domain_classifier.bn1", 100),
    ("domain_classifier.fc2.weight", (2, 100), 100),
    ("domain_classifier.fc2.bias", (2,), 100),
]


class Drop(nn.Module):
    """Dropout, or with maps Dropout2d; `domain` and `step` say which mask is next."""

    def __init__(self, name):
        super().__init__()
        self.stream = name + "#0"
        self.domain = self.step = None

    def forward(self, x):
        if not self.training:
            return x
        mask = dropout_mask(SEED, self.stream, self.domain, self.step, x.shape[0], x.shape[1], DROPPED)
        scale = torch.from_numpy(mask / (1.0 - DROPPED)).to(x.dtype)
        return x * scale.reshape(x.shape[:2] + (1,) * (x.dim() - 2))


class Fungtion(nn.Module):
    def __init__(self):
        super().__init__()
        self.feature_extractor = nn.ModuleDict(
            {
                "conv1": nn.Conv2d(3, 64, 5, bias=False),
                "bn1": nn.BatchNorm2d(64),
                "conv2": nn.Conv2d(64, 50, 5, bias=False),
                "bn2": nn.BatchNorm2d(50),
                "drop1": Drop("feature_extractor.drop1"),
            }
        )
        self.label_predictor = nn.ModuleDict(
            {
                "fc1": nn.Linear(800, 100, bias=False),
                "bn1": nn.BatchNorm1d(100),
                "drop1": Drop("label_predictor.drop1"),
                "fc2": nn.Linear(100, 100, bias=False),
                "bn2": nn.BatchNorm1d(100),
                "fc3": nn.Linear(100, 10),
            }
        )
        self.domain_classifier = nn.ModuleDict(
            {
                "fc1": nn.Linear(800, 100, bias=False),
                "bn1": nn.BatchNorm1d(100),
                "fc2": nn.Linear(100, 2),
            }
        )

    def forward(self, x, strength):
        part = self.feature_extractor
        x = functional.relu(functional.max_pool2d(part["bn1"](part["conv1"](x)), 2))
        x = part["drop1"](part["bn2"](part["conv2"](x)))
        features = functional.relu(functional.max_pool2d(x, 2)).flatten(1)
        part = self.label_predictor
        h = part["drop1"](functional.relu(part["bn1"](part["fc1"](features))))
        labels = part["fc3"](functional.relu(part["bn2"](part["fc2"](h))))
        part = self.domain_classifier
        h = part["fc1"](GradientReversal.apply(features, strength))
        return labels, part["fc2"](functional.relu(part["bn1"](h)))

    def draw(self, domain, step):
        for module in self.modules():
            if isinstance(module, Drop):
                module.domain, module.step = domain, step


def inputs():
    """Of the source and the target."""
    source = (source_bytes() / 255.0 - 0.1307) / 0.3081
    target = (target_bytes() / 255.0 - 0.5) / 0.5
    return torch.from_numpy(source), torch.from_numpy(target)


def train(dtype, start):
    """The steps' records and the network afterwards, from initial weights by name."""
    network = Fungtion().to(dtype)
    network.load_state_dict({**network.state_dict(), **{name: w.to(dtype) for name, w in start.items()}})
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    source, target = (x.to(dtype) for x in inputs())
    labels = source_labels()

    steps = []
    for step in range(STEPS):
        strength = reversal_strength(step)
        order = [epoch_order(SEED, domain, size, step) for domain, size in enumerate(BATCHES)]
        network.draw(0, step)
        label_logits, source_logits = network(source[order[0]], strength)
        network.draw(1, step)
        _, target_logits = network(target[order[1]], strength)
        label_loss = functional.cross_entropy(label_logits, labels[order[0]])
        source_loss = functional.cross_entropy(source_logits, torch.zeros(BATCHES[0], dtype=torch.int64))
        target_loss = functional.cross_entropy(target_logits, torch.ones(BATCHES[1], dtype=torch.int64))
        optimizer.zero_grad()
        (label_loss + source_loss + target_loss).backward()
        optimizer.step()
        domain_loss = np.average([source_loss.item(), target_loss.item()], weights=BATCHES)
        steps.append(
            {
                "lambda": strength,
                "learning_rate": 1e-3,
                "label_loss": label_loss.item(),
                "domain_loss": float(domain_loss),
            }
        )
    return steps, network


def evaluate(network):
    """Logits of all images of each domain, by the running statistics."""
    network.eval()
    result = {}
    with torch.no_grad():
        for domain, x in zip(("source", "target"), inputs()):
            labels, domains = network(x, 0.0)
            result[domain] = {
                "label_logits": labels.flatten().tolist(),
                "domain_logits": domains.flatten().tolist(),
            }
    return result


def check_smooth(evaluation):
    """Noise in the initial weights, of ten roundings each, may move logits by no more than 1e-4.

    It moves them by percents where one of the millions of ReLUs and pools in these steps is so close to its edge that
    rounding decides: no implementation in float32 could be held to such a trace.
    """
    generator = torch.Generator()
    for attempt in range(5):
        generator.manual_seed(attempt)
        start = {
            name: w * (1.0 + 1e-6 * (2.0 * torch.rand(w.shape, generator=generator, dtype=w.dtype) - 1.0))
            for name, w in initial_weights(WEIGHT_BLOCKS).items()
        }
        noisy = evaluate(train(torch.float64, start)[1])
        for domain, kinds in evaluation.items():
            for kind, logits in kinds.items():
                error = np.abs(np.subtract(noisy[domain][kind], logits)).max()
                assert error <= 1e-4 * np.abs(logits).max(), (SEED, domain, kind, error)


def main():
    default = pathlib.Path(__file__).resolve().parent.parent / "tests/data/torch_fungtion_trace.json"
    output = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    torch.set_num_threads(1)
    check_gradient_reversal()
    check_philox()
    start = initial_weights(WEIGHT_BLOCKS)
    steps, network = train(torch.float64, start)
    state = {name: values.clone() for name, values in network.state_dict().items()}
    evaluation = evaluate(network)
    check_smooth(evaluation)
    running = {name: describe(values) for name, values in state.items() if ".running_" in name}
    write(
        output,
        "scripts/make_fungtion_trace.py",
        (steps, state),
        train(torch.float32, start)[0],
        start,
        {"seed": SEED, "batches": BATCHES, "running": running, "evaluation": evaluation},
    )


if __name__ == "__main__":
    main()
