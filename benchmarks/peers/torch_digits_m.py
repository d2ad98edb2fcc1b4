#!/usr/bin/env python3
"""A step of the network digits-m in PyTorch, on a CPU: batch norm, dropout, and two augmented views of each picture.

What `step_bench --mode dann-two-views --network digits-m --batch-norm per-domain --optimizer adam --augment strong` times,
the same network (models/networks/digits_m_parts.cpp) and step (benchmarks/two_views.h):

  feature_extractor   three times a convolution without bias, batch norm, leaky ReLU (0.1), max pool 2, dropout (0.1):
                      5x5 x 32, 5x5 x 64, 3x3 x 128 with a margin of 1                              (3x28x28 -> 512)
  label_predictor     512-128 without bias, batch norm, leaky ReLU, 128-10; softmax cross-entropy on the source's rows
  domain_classifier   gradient reversal, 512-128 without bias, batch norm, leaky ReLU, 128-1; binary cross-entropy, mean over source + mean over target
  batch norm          statistics of each domain; scale and shift are shared
  optimizer           Adam, learning rate 0.001; lambda 0.1

A batch of B is B pictures, half of each domain. Each is changed in two ways, so that 2 B images go through the feature
extractor, a domain at a time, which needs no copy between batch norm and the rest. Pictures are bytes in memory; sampling,
changing (torch_augment.py: tensor operations on groups of pictures, or torchvision's one by one) and normalising them is part
of a step, as it is of gradflip's.

--verify STEPS trains for so many steps, of which it takes some 300. Exit code 1 unless the network has its 260,779
parameters, every loss is finite, the label loss falls below four fifths of ln 10, which is chance (changed pictures of neighbouring
classes look alike), and the domains' running statistics differ.
"""
import argparse
import math
import statistics

import torch
import torch.nn.functional as F
from torch import nn

import torch_augment
import torch_dann

PICTURES = 16_384
PARAMETERS = 260_779
LEAK, DROPOUT, LAMBDA, LEARNING_RATE = 0.1, 0.1, 0.1, 1e-3
DOMAINS = ("source", "target")


def dropped(x):
    """Dropout. Four elements a random number: PyTorch's own draws one for each, on one thread, and takes 9 ms of a step."""
    count = x.numel()
    numbers = torch.empty((count + 3) // 4, dtype=torch.int64).random_(-2**63, None).view(torch.int16)[:count]
    kept = numbers >= round(DROPOUT * 65_536) - 32_768
    # In the order of memory, which is the fastest and not x's.
    factors = torch.empty_like(x, memory_format=torch.preserve_format)
    factors.as_strided((count,), (1,)).copy_(kept)
    return x * factors.mul_(1 / (1 - DROPOUT))


class DomainBatchNorm(nn.Module):
    """Normalises rows of one domain, and keeps running statistics for each."""

    def __init__(self, channels):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        for domain in DOMAINS:
            self.register_buffer(domain + "_mean", torch.zeros(channels))
            self.register_buffer(domain + "_var", torch.ones(channels))

    def forward(self, x, domain):
        return F.batch_norm(x, getattr(self, domain + "_mean"), getattr(self, domain + "_var"), self.weight, self.bias,
                            training=True, momentum=0.1)


class DigitsM(nn.Module):
    def __init__(self, reverse):
        super().__init__()
        self.reverse = reverse
        self.convs = nn.ModuleList([nn.Conv2d(3, 32, 5, bias=False), nn.Conv2d(32, 64, 5, bias=False),
                                    nn.Conv2d(64, 128, 3, padding=1, bias=False)])
        self.norms = nn.ModuleList([DomainBatchNorm(channels) for channels in (32, 64, 128)])
        self.label1, self.label_norm, self.label2 = nn.Linear(512, 128, bias=False), DomainBatchNorm(128), nn.Linear(128, 10)
        self.domain1, self.domain_norm, self.domain2 = nn.Linear(512, 128, bias=False), DomainBatchNorm(128), nn.Linear(128, 1)

    def features(self, x, domain):
        for conv, norm in zip(self.convs, self.norms):
            x = F.leaky_relu(norm(conv(x), domain), LEAK, inplace=True)
            x = dropped(F.max_pool2d(x, 2))
        return x.flatten(1)

    def labels(self, features):
        return self.label2(F.leaky_relu(self.label_norm(self.label1(features), "source"), LEAK))

    def domains(self, of_domains, strength):
        """Logits of the rows of both, the source's first."""
        hidden = [self.domain_norm(self.domain1(self.reverse(features, strength)), domain)
                  for features, domain in zip(of_domains, DOMAINS)]
        return self.domain2(F.leaky_relu(torch.cat(hidden), LEAK)).squeeze(1)


def bar_pictures(generator):
    """Dark noise with a bright bar at a height that tells the class, as step_bench draws them: N x 3 x 28 x 28 bytes."""
    labels = torch.arange(PICTURES) % 10
    pictures = torch.randint(0, 64, (PICTURES, 3, 28, 28), dtype=torch.uint8, generator=generator)
    bar = torch.arange(28)[None, :] // 2 == labels[:, None] + 2
    return pictures.masked_fill_(bar[:, None, :, None], 255), labels


class Workload(torch_dann.Workload):
    def make_model(self, reverse):
        return DigitsM(reverse)

    def make_pool(self, layout):
        self.layout = layout
        self.images = 2 * self.args.batch
        self.rows = self.args.batch // 2  # of each domain, in each view
        generator = torch.Generator().manual_seed(self.args.seed)
        change = torch_augment.CHANGES[self.args.augment]
        self.changed, self.orders = [], []
        for _ in DOMAINS:
            pictures, self.picture_labels = bar_pictures(generator)
            self.changed.append(change(pictures))
            self.orders.append(torch.randperm(PICTURES, generator=generator))

    def make_schedule(self):
        self.strength = torch.tensor(LAMBDA)

    def make_optimizer(self):
        try:
            self.optimizer = torch.optim.Adam(self.parameters, lr=LEARNING_RATE, fused=True)
        except (TypeError, RuntimeError):  # an older PyTorch's are for a GPU alone
            self.optimizer = torch.optim.Adam(self.parameters, lr=LEARNING_RATE)

    def batch(self):
        """Both views of source and target, ready for the network, and the source's labels."""
        begin = self.steps * self.rows % (PICTURES - self.rows + 1)
        views, labels = [], None
        for changed, order in zip(self.changed, self.orders):
            indices = order[begin:begin + self.rows]
            labels = self.picture_labels[indices] if labels is None else labels
            views.append(changed(indices.repeat(2)).contiguous(memory_format=self.layout))
        return views, labels.repeat(2)

    def loss_or_logits(self, x, y):
        source, target = (self.model.features(views, domain) for views, domain in zip(x, DOMAINS))
        loss = F.cross_entropy(self.model.labels(source), y)
        self.label_loss = loss.detach()
        logits = self.model.domains((source, target), self.strength).float()
        # The losses of domain 0 and domain 1, each a mean.
        return loss + F.softplus(logits[:len(source)]).mean() + F.softplus(-logits[len(source):]).mean()

    def step(self):
        x, y = self.batch()
        self.forget_gradients()
        self.compute(x, y)
        self.steps += 1


def verify(args):
    workload = Workload(args)
    losses = []
    for _ in range(args.verify):
        workload.step()
        losses.append(float(workload.label_loss))
    parameters = sum(parameter.numel() for parameter in workload.parameters)
    some = max(1, min(10, args.verify // 2))
    first, last = statistics.mean(losses[:some]), statistics.mean(losses[-some:])
    norm = workload.model.norms[0]
    apart = float((norm.source_mean - norm.target_mean).abs().max())
    ok = parameters == PARAMETERS and all(map(math.isfinite, [*losses, float(workload.last)])) and last < 0.8 * math.log(10) and apart > 0
    return {**torch_dann.settings(args), "steps": args.verify, "ok": ok, "parameters": parameters, "first": first,
            "last": last, "domains_apart": apart}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    torch_dann.add_arguments(parser)
    parser.set_defaults(mode="dann-two-views")
    parser.add_argument("--augment", choices=sorted(torch_augment.CHANGES), default="tensors",
                        help="how pictures are changed: strong, in tensors or by torchvision, or not at all")
    args = parser.parse_args()
    if args.device != "cpu" or args.mode != "dann-two-views":
        parser.error("this peer has one mode, dann-two-views, and runs on a CPU")
    if args.batch % 2:
        parser.error("--batch must be even")
    torch_dann.prepare(parser, args)
    torch_dann.print_result(args, verify(args) if args.verify else torch_dann.measure(args, Workload(args)))


if __name__ == "__main__":
    main()
