"""What the scripts that make PyTorch's traces share: the inputs of tests/support/trace_inputs.h, and the reversal."""

import json
import math

import numpy as np
import torch

IMAGES = 8  # per domain
STEPS = 10
SOURCE_IMAGES, TARGET_IMAGES, SOURCE_LABELS = 100, 101, 102
ENTRIES = 16  # of each block of weights that a trace quotes


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


def image_bytes(stream, low, count):
    """(IMAGES, 3, 28, 28); the bytes are made in the order N, H, W, C."""
    values = low + hashes(stream, IMAGES * 28 * 28 * 3) % np.uint64(count)
    return values.astype(np.float64).reshape(IMAGES, 28, 28, 3).transpose(0, 3, 1, 2).copy()


def source_bytes():
    return image_bytes(SOURCE_IMAGES, 0, 256)


def target_bytes():
    return image_bytes(TARGET_IMAGES, 64, 128)


def source_labels():
    return torch.from_numpy((hashes(SOURCE_LABELS, IMAGES) % np.uint64(10)).astype(np.int64))


def initial_weights(blocks):
    """By name, of blocks (name, shape, fan_in) or (name, shape, fan_in, centre)."""
    weights = {}
    for stream, (name, shape, fan_in, *centre) in enumerate(blocks):
        uniform = (hashes(stream, math.prod(shape)) >> np.uint64(8)).astype(np.float64) * 2.0**-24
        values = (centre[0] if centre else 0.0) + (2.0 * uniform - 1.0) * (1.0 / math.sqrt(fan_in))
        weights[name] = torch.from_numpy(values.astype(np.float32).astype(np.float64).reshape(shape))
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


def reversal_strength(step):
    """The paper's lambda of a step."""
    return 2.0 / (1.0 + math.exp(-10.0 * (step / STEPS))) - 1.0


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


def write(output, made_by, trained, rounded, start, more):
    """steps, weights = trained in float64; rounded: the steps in float32, whose losses stand beside them."""
    steps, weights = trained
    for step, float32_step in zip(steps, rounded):
        step["float32_label_loss"] = float32_step["label_loss"]
        step["float32_domain_loss"] = float32_step["domain_loss"]
    trace = {
        "made_by": made_by,
        "torch": torch.__version__,
        **more,
        "steps": steps,
        "initial_weights": {name: describe(w) for name, w in start.items()},
        "weight_changes": {name: describe(weights[name] - w) for name, w in start.items()},
    }
    output.write_text(json.dumps(trace, indent=1) + "\n")
