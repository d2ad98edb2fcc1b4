#!/usr/bin/env python3
"""Trains the paper's DANN for ten steps with PyTorch and writes what happened to tests/data/torch_dann_trace.json.

The tests hold the trainer and its oracle to that file, so PyTorch is needed only here, when the trace is made
again: Debian's python3-torch is enough. Images, labels and initial weights come from the integer hash of
tests/support/trace_inputs.h, repeated below. The steps run in float64, which is the trace; the losses of a float32
run stand beside it and show how far rounding alone moves an implementation.

    scripts/make_torch_trace.py [output.json]
"""

import json
import math
import pathlib
import sys

import numpy as np
import torch
from torch.nn import functional

IMAGES = 8  # per domain
STEPS = 10
CHANNEL_MEAN = 128.0
SOURCE_IMAGES, TARGET_IMAGES, SOURCE_LABELS = 100, 101, 102
ENTRIES = 16  # of each block of weights that the trace quotes

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


def hashes(stream, count):
    """hash(stream, index) for index in [0, count), as tests/support/trace_inputs.h defines it."""
    mask = np.uint64(0xFFFFFFFF)
    h = (np.arange(count, dtype=np.uint64) + np.uint64(stream * 0x9E3779B9)) & mask
    h ^= h >> np.uint64(16)
    h = (h * np.uint64(0x85EBCA6B)) & mask
    h ^= h >> np.uint64(13)
    h = (h * np.uint64(0xC2B2AE35)) & mask
    h ^= h >> np.uint64(16)
    return h


def images(stream, low, count):
    """(IMAGES, 3, 28, 28) as the network sees them; the bytes are made in the order N, H, W, C."""
    values = low + hashes(stream, IMAGES * 28 * 28 * 3) % np.uint64(count)
    nhwc = values.astype(np.float64).reshape(IMAGES, 28, 28, 3)
    return torch.from_numpy(((nhwc - CHANNEL_MEAN) / 255.0).transpose(0, 3, 1, 2).copy())


def initial_weights():
    weights = {}
    for stream, (name, shape, fan_in) in enumerate(WEIGHT_BLOCKS):
        uniform = (hashes(stream, math.prod(shape)) >> np.uint64(8)).astype(np.float64) * 2.0**-24
        values = ((2.0 * uniform - 1.0) * (1.0 / math.sqrt(fan_in))).astype(np.float32)
        weights[name] = torch.from_numpy(values.astype(np.float64).reshape(shape))
    return weights


class GradientReversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, strength):
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx, dy):
        return -ctx.strength * dy, None


def check_gradient_reversal():
    """s = 6 * sum(x^2 + y^2 + x + y) = 672; through a reversal of strength 1, ds/dx = -6 * (2x + 1)."""
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = torch.tensor([4.0, 5.0, 6.0], requires_grad=True)
    u, v = GradientReversal.apply(x, 1.0), GradientReversal.apply(y, 1.0)
    s = 6.0 * (u**2 + v**2 + u + v).sum()
    s.backward()
    assert s.item() == 672.0, s
    assert x.grad.tolist() == [-18.0, -30.0, -42.0], x.grad
    assert y.grad.tolist() == [-54.0, -66.0, -78.0], y.grad


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
    weights = {name: w.to(dtype).requires_grad_() for name, w in initial_weights().items()}
    source = images(SOURCE_IMAGES, 0, 256).to(dtype)
    target = images(TARGET_IMAGES, 64, 128).to(dtype)
    labels = torch.from_numpy((hashes(SOURCE_LABELS, IMAGES) % np.uint64(10)).astype(np.int64))
    domains = torch.cat([torch.zeros(IMAGES, dtype=dtype), torch.ones(IMAGES, dtype=dtype)])
    optimizer = torch.optim.SGD(weights.values(), lr=0.01, momentum=0.9)

    steps = []
    for step in range(STEPS):
        progress = step / STEPS
        strength = 2.0 / (1.0 + math.exp(-10.0 * progress)) - 1.0
        learning_rate = 0.01 / (1.0 + 10.0 * progress) ** 0.75
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


def describe(values):
    """The Euclidean norm, and ENTRIES entries spread evenly from the first to the last."""
    flat = values.detach().flatten()
    entries = min(ENTRIES, flat.numel())
    places = [k * (flat.numel() - 1) // max(entries - 1, 1) for k in range(entries)]
    return {
        "norm": flat.norm().item(),
        "indices": places,
        "values": [flat[place].item() for place in places],
    }


def main():
    default = pathlib.Path(__file__).resolve().parent.parent / "tests/data/torch_dann_trace.json"
    output = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    torch.set_num_threads(1)
    check_gradient_reversal()
    steps, weights = train(torch.float64)
    float32_steps, _ = train(torch.float32)
    start = initial_weights()
    for step, float32_step in zip(steps, float32_steps):
        step["float32_label_loss"] = float32_step["label_loss"]
        step["float32_domain_loss"] = float32_step["domain_loss"]
    trace = {
        "made_by": "scripts/make_torch_trace.py",
        "torch": torch.__version__,
        "images_per_domain": IMAGES,
        "steps": steps,
        "initial_weights": {name: describe(w) for name, w in start.items()},
        "weight_changes": {name: describe(w - start[name]) for name, w in weights.items()},
    }
    output.write_text(json.dumps(trace, indent=1) + "\n")


if __name__ == "__main__":
    main()
