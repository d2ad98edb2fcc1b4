#!/usr/bin/env python3
"""Trains the paper's DANN for ten steps with PyTorch and writes what happened to tests/data/torch_dann_trace.json.

The tests hold the trainer and its oracle to that file, so PyTorch is needed only here, when the trace is made
again: Debian's python3-torch is enough. Images, labels and initial weights come from the integer hash of
tests/support/trace_inputs.h, repeated in torch_trace.py. The steps run in float64, which is the trace; the losses of a float32
run stand beside it and show how far rounding alone moves an implementation.

    scripts/make_torch_trace.py [output.json]
"""

import pathlib
import sys

import torch
from torch.nn import functional
from torch_trace import (
    IMAGES,
    STEPS,
    GradientReversal,
    check_gradient_reversal,
    initial_weights,
    reversal_strength,
    source_bytes,
    source_labels,
    target_bytes,
    write,
)

CHANNEL_MEAN = 128.0

WEIGHT_BLOCKS = [
    ("feature_extractor.conv1.weight", (32, 3, 5, 5), 75),
    ("feature_extractor.conv1.bias", (32,), 75),
    ("feature_extractor.conv2.weight", (48, 32, 5, 5), 800),
    ("feature_extractor.conv2.bias", (48,), 800),
    ("label_predictor.fc1.weight", (100, 768), 768),
    ("label_predictor.fc1.bias", (100,), 768),
    ("label_predictor.fc2.weight", (100, 100), 100),
    ("label_predictor.fc2.bias", (100,), 100),
    ("label_predictor.fc3.weight", (10, 100), 100),
    ("label_predictor.fc3.bias", (10,), 100),
    ("domain_classifier.fc1.weight", (100, 768), 768),
    ("domain_classifier.fc1.bias", (100,), 768),
    ("domain_classifier.fc2.weight", (1, 100), 100),
    ("domain_classifier.fc2.bias", (1,), 100),
]


def network_input(pixels):
    return torch.from_numpy((pixels - CHANNEL_MEAN) / 255.0)


def linear(weights, layer, x):
    return functional.linear(x, weights[layer + ".weight"], weights[layer + ".bias"])


def conv_block(weights, layer, x):
    x = functional.conv2d(x, weights[layer + ".weight"], weights[layer + ".bias"])
    return functional.max_pool2d(functional.relu(x), 2)


def forward(weights, x, strength):
    x = conv_block(weights, "feature_extractor.conv1", x)
    features = conv_block(weights, "feature_extractor.conv2", x).flatten(1)
    h = functional.relu(linear(weights, "label_predictor.fc1", features))
    h = functional.relu(linear(weights, "label_predictor.fc2", h))
    label_logits = linear(weights, "label_predictor.fc3", h)
    reversed_features = GradientReversal.apply(features, strength)
    h = functional.relu(linear(weights, "domain_classifier.fc1", reversed_features))
    return label_logits, linear(weights, "domain_classifier.fc2", h).squeeze(1)


def train(dtype):
    """The steps' records and the final weights, for the paper's recipe (JMLR 17, 2016, section 5.2)."""
    weights = {name: w.to(dtype).requires_grad_() for name, w in initial_weights(WEIGHT_BLOCKS).items()}
    source = network_input(source_bytes()).to(dtype)
    target = network_input(target_bytes()).to(dtype)
    labels = source_labels()
    domains = torch.cat([torch.zeros(IMAGES, dtype=dtype), torch.ones(IMAGES, dtype=dtype)])
    optimizer = torch.optim.SGD(weights.values(), lr=0.01, momentum=0.9)

    steps = []
    for step in range(STEPS):
        strength = reversal_strength(step)
        learning_rate = 0.01 / (1.0 + 10.0 * (step / STEPS)) ** 0.75
        optimizer.param_groups[0]["lr"] = learning_rate

        label_logits, domain_logits = forward(weights, torch.cat([source, target]), strength)
        label_loss = functional.cross_entropy(label_logits[:IMAGES], labels)
        domain_losses = functional.binary_cross_entropy_with_logits(
            domain_logits, domains, reduction="none"
        )
        domain_objective = domain_losses[:IMAGES].mean() + domain_losses[IMAGES:].mean()
        optimizer.zero_grad()
        (label_loss + domain_objective).backward()
        optimizer.step()
        steps.append(
            {
                "lambda": strength,
                "learning_rate": learning_rate,
                "label_loss": label_loss.item(),
                "domain_loss": domain_losses.mean().item(),
            }
        )
    return steps, weights


def main():
    default = pathlib.Path(__file__).resolve().parent.parent / "tests/data/torch_dann_trace.json"
    output = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    torch.set_num_threads(1)
    check_gradient_reversal()
    write(
        output,
        "scripts/make_torch_trace.py",
        train(torch.float64),
        train(torch.float32)[0],
        initial_weights(WEIGHT_BLOCKS),
        {"images_per_domain": IMAGES},
    )


if __name__ == "__main__":
    main()
