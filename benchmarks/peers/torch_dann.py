#!/usr/bin/env python3
"""The DANN of Ganin et al. (JMLR 2016, digits) in PyTorch, timed step by step: what gradflip is compared with.

The same network and the same step as models/methods/dann.h:

  feature_extractor   conv 5x5 x 32, ReLU, max pool 2; conv 5x5 x 48, ReLU, max pool 2      (3x28x28 -> 768)
  label_predictor     768-100, ReLU, 100-100, ReLU, 100-10; softmax cross-entropy on the source half
  domain_classifier   gradient reversal, 768-100, ReLU, 100-1; binary cross-entropy, mean over source + mean over target
  optimizer           SGD, momentum 0.9; learning rate and lambda follow their schedules, every step

A batch of B counts B images through the feature extractor: B/2 source and B/2 target (dann), B source (source-only),
B (infer). Source and target go through the extractor in one pass. Images are floats that lie in the device's memory,
ready to use, in a pool larger than caches; gradflip gathers and normalises bytes inside of its step.

Runs with PyTorch 1.13 to 2.x. --compile needs 2.x, --cuda-graph a GPU (the whole step is captured and replayed).

--verify STEPS trains for so many steps as asked, and plainly (eager, f32) from the same start, on schedules that run
through all of their values meanwhile; it compares the losses and how far each of the three parts of the network moved.
A learning rate or a reversal that a captured step does not follow shows there. Exit code 1 if they differ by more than
the precision explains.
"""
import argparse
import contextlib
import json
import math
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

SCHEDULE_STEPS = 18_740  # 20 epochs of MNIST's 60,000 images at 64 a step
MOMENTUM = 0.9
POOL_MIB = 64
MOST_POOL_BATCHES = 2048
# Of --verify, by precision: the largest relative difference of a loss, and of a part's way from where it started.
LOSS_BOUNDS = {"f32": 1e-3, "tf32": 1e-2, "bf16": 3e-2}
WAY_BOUNDS = {"f32": 1e-2, "tf32": 5e-2, "bf16": 2e-1}


class ReverseGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, strength):
        ctx.save_for_backward(strength)
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        (strength,) = ctx.saved_tensors
        return -strength.to(gradient.dtype) * gradient, None


def reverse_by_arithmetic(x, strength):
    """The same value and gradient without a custom Function, which not every compiler takes."""
    return x.detach() + (x.detach() - x) * strength.to(x.dtype)


class Dann(nn.Module):
    def __init__(self, reverse):
        super().__init__()
        self.reverse = reverse
        self.conv1, self.conv2 = nn.Conv2d(3, 32, 5), nn.Conv2d(32, 48, 5)
        self.label1, self.label2, self.label3 = nn.Linear(768, 100), nn.Linear(100, 100), nn.Linear(100, 10)
        self.domain1, self.domain2 = nn.Linear(768, 100), nn.Linear(100, 1)

    def features(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        return F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)

    def labels(self, features):
        return self.label3(F.relu(self.label2(F.relu(self.label1(features)))))

    def domains(self, features, strength):
        return self.domain2(F.relu(self.domain1(self.reverse(features, strength)))).squeeze(1)


class ForeachSgd:
    """SGD whose learning rate is a tensor on the device, where torch.optim has no such thing."""

    def __init__(self, parameters, rate):
        self.parameters, self.rate = parameters, rate
        self.velocities = [torch.zeros_like(parameter) for parameter in parameters]

    @torch.no_grad()
    def step(self):
        torch._foreach_mul_(self.velocities, MOMENTUM)
        torch._foreach_add_(self.velocities, [parameter.grad for parameter in self.parameters])
        torch._foreach_sub_(self.parameters, torch._foreach_mul(self.velocities, self.rate))


def set_tf32(allowed):
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


class Workload:
    def __init__(self, args):
        self.args = args
        self.device = torch.device(args.device)
        self.on_gpu = args.device == "cuda"
        self.training = args.mode != "infer"
        torch.manual_seed(args.seed)
        set_tf32(args.precision == "tf32")
        if self.on_gpu:
            torch.backends.cudnn.benchmark = True
        self.labelled = args.batch // 2 if args.mode == "dann" else args.batch
        layout = torch.channels_last if args.channels_last else torch.contiguous_format
        reverse = reverse_by_arithmetic if args.compile else ReverseGradient.apply
        self.model = self.make_model(reverse).to(self.device).to(memory_format=layout)
        self.parameters = list(self.model.parameters())
        self.images = args.batch  # of a step, through the feature extractor
        self.make_pool(layout)
        self.make_schedule()
        self.make_optimizer()
        self.function = torch.compile(self.loss_or_logits, dynamic=False) if args.compile else self.loss_or_logits
        self.graph = None
        self.steps = 0
        self.last = None

    def make_model(self, reverse):
        return Dann(reverse)

    def make_pool(self, layout):
        batch = self.args.batch
        image_mib = 3 * 28 * 28 * 4 / 2**20
        count = min(MOST_POOL_BATCHES, max(4, math.ceil(self.args.pool_mib / (batch * image_mib))))
        generator = torch.Generator().manual_seed(self.args.seed)
        self.pool = []
        for _ in range(count):
            x = torch.rand(batch, 3, 28, 28, generator=generator) - 0.5
            y = torch.randint(0, 10, (self.labelled,), generator=generator)
            self.pool.append((x.to(self.device).contiguous(memory_format=layout), y.to(self.device)))

    def make_schedule(self):
        count = self.args.schedule_steps
        progress = torch.arange(count, dtype=torch.float64) / count
        strength = 2 / (1 + torch.exp(-10 * progress)) - 1
        rate = 0.01 / (1 + 10 * progress) ** 0.75
        schedule = torch.stack([strength, rate], dim=1).float()
        self.rates = rate.tolist()
        self.schedule = schedule.to(self.device)
        self.now = self.schedule[0].clone()
        self.strength, self.rate = self.now[0], self.now[1]

    def make_optimizer(self):
        """The fastest SGD that this PyTorch has here; a captured step needs its learning rate on the device."""
        self.rate_on_device = False
        self.optimizer = None
        if not self.training:
            return
        if self.on_gpu and (self.args.cuda_graph or self.args.compile):
            self.rate_on_device = True
            try:
                self.optimizer = torch.optim.SGD(self.parameters, lr=self.rate, momentum=MOMENTUM, fused=True)
                for group in self.optimizer.param_groups:
                    group["lr"] = self.rate  # the tensor that the schedule writes, never a copy
            except (TypeError, RuntimeError, ValueError):
                self.optimizer = ForeachSgd(self.parameters, self.rate)
            return
        self.optimizer = torch.optim.SGD(self.parameters, lr=0.01, momentum=MOMENTUM, foreach=self.on_gpu)

    def loss_or_logits(self, x, y):
        features = self.model.features(x)
        if self.args.mode == "infer":
            return self.model.labels(features)
        loss = F.cross_entropy(self.model.labels(features[: self.labelled]), y)
        if self.args.mode == "dann":
            logits = self.model.domains(features, self.strength).float()
            # The losses of domain 0 and domain 1, each a mean.
            loss = loss + F.softplus(logits[: self.labelled]).mean() + F.softplus(-logits[self.labelled :]).mean()
        return loss

    def autocast(self):
        if self.args.precision != "bf16":
            return contextlib.nullcontext()
        return torch.autocast(self.args.device, dtype=torch.bfloat16, cache_enabled=not self.args.cuda_graph)

    def compute(self, x, y):
        """What a graph captures: forward, backward and the update."""
        if not self.training:
            with torch.no_grad(), self.autocast():
                self.last = self.function(x, y)
            return
        with self.autocast():
            loss = self.function(x, y)
        loss.backward()
        self.optimizer.step()
        self.last = loss.detach()

    def forget_gradients(self):
        for parameter in self.parameters:
            parameter.grad = None

    def step(self):
        x, y = self.pool[self.steps % len(self.pool)]
        moment = self.steps % self.args.schedule_steps
        if self.training:
            self.now.copy_(self.schedule[moment])
            if not self.rate_on_device:
                for group in self.optimizer.param_groups:
                    group["lr"] = self.rates[moment]
        if self.graph is None:
            self.forget_gradients()
            self.compute(x, y)
        else:
            self.static_x.copy_(x)
            self.static_y.copy_(y)
            self.graph.replay()
        self.steps += 1

    def capture(self):
        self.static_x, self.static_y = (tensor.clone() for tensor in self.pool[0])
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(4):
                self.forget_gradients()
                self.compute(self.static_x, self.static_y)
        torch.cuda.current_stream().wait_stream(stream)
        self.forget_gradients()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.compute(self.static_x, self.static_y)
        self.graph = graph

    def seconds_of(self, steps):
        self.synchronize()
        begin = time.perf_counter()
        for _ in range(steps):
            self.step()
        self.synchronize()
        return time.perf_counter() - begin

    def synchronize(self):
        if self.on_gpu:
            torch.cuda.synchronize()


def train(args, count):
    """The losses of the first steps, and where each parameter is after them, less where it was."""
    workload = Workload(args)
    before = [parameter.detach().clone() for parameter in workload.parameters]
    if args.cuda_graph:
        # Capturing trains on the way; put everything back to where a fresh start is.
        workload.seconds_of(1)
        workload.capture()
        restore(workload, before)
    values = []
    for _ in range(count):
        workload.step()
        values.append(float(workload.last.float().mean()))
    names = [name for name, _ in workload.model.named_parameters()]
    ways = {name: (parameter.detach() - start).double()
            for name, parameter, start in zip(names, workload.parameters, before)}
    return values, ways


@torch.no_grad()
def restore(workload, before):
    workload.steps = 0
    for parameter, value in zip(workload.parameters, before):
        parameter.copy_(value)
    if isinstance(workload.optimizer, ForeachSgd):
        velocities = workload.optimizer.velocities
    elif workload.optimizer is not None:
        velocities = [state["momentum_buffer"] for state in workload.optimizer.state.values()]
    else:
        velocities = []
    for velocity in velocities:
        velocity.zero_()


def relative_distance(got, want):
    """Of what the parameters of one part of the network moved."""
    worst = 0.0
    for part in ("conv", "label", "domain"):
        pairs = [(got[name], want[name]) for name in want if name.startswith(part)]
        reference = math.sqrt(sum(float(b.square().sum()) for _, b in pairs))
        if reference > 0:
            worst = max_or_nan(worst, math.sqrt(sum(float((a - b).square().sum()) for a, b in pairs)) / reference)
    return worst


def max_or_nan(a, b):
    return b if math.isnan(b) or b > a else a


def settings(args):
    return {"mode": args.mode, "batch": args.batch, "precision": args.precision, "device": args.device,
            "compile": args.compile, "cuda_graph": args.cuda_graph, "channels_last": args.channels_last,
            "torch": torch.__version__}


def verify(args):
    """Against plain eager f32 on the same device, from the same start."""
    args = argparse.Namespace(**{**vars(args), "schedule_steps": args.verify})
    plain = argparse.Namespace(**{**vars(args), "precision": "f32", "compile": False, "cuda_graph": False,
                                  "channels_last": False})
    got, got_ways = train(args, args.verify)
    want, want_ways = train(plain, args.verify)
    loss = 0.0
    for a, b in zip(got, want):
        loss = max_or_nan(loss, abs(a - b) / max(abs(b), 1e-6))
    way = relative_distance(got_ways, want_ways)
    # Not "greater than": what is no number must not pass.
    ok = loss <= LOSS_BOUNDS[args.precision] and way <= WAY_BOUNDS[args.precision]
    result = {**settings(args), "steps": args.verify, "ok": ok, "largest_relative_difference": loss,
              "relative_distance": way, "last": [got[-1], want[-1]]}
    if not ok:
        result["error"] = f"not what plain f32 computes: losses differ by {loss:.2g}, ways by {way:.2g}"
    return result


def measure(args, workload):
    begin = time.perf_counter()
    workload.seconds_of(3)
    if args.cuda_graph:
        workload.capture()
    steps, spent = 1, 0.0
    while True:
        last = workload.seconds_of(steps)
        spent += last
        if spent > args.warmup:
            break
        steps *= 2
    setup = time.perf_counter() - begin
    steps = max(2, math.ceil(args.min_time * steps / last))
    windows = [workload.seconds_of(steps) / steps for _ in range(args.repeats)]
    step = statistics.median(windows)
    result = {
        **settings(args),
        "optimizer": type(workload.optimizer).__name__ if workload.optimizer else None,
        "threads": torch.get_num_threads(),
        "images_per_second": workload.images / step,
        "images_per_second_min": workload.images / max(windows),
        "images_per_second_max": workload.images / min(windows),
        "step_us": step * 1e6, "windows": len(windows), "setup_seconds": setup,
    }
    if workload.on_gpu:
        result["device"] = torch.cuda.get_device_name()
    if workload.training and not math.isfinite(float(workload.last)):
        raise SystemExit("the loss is no longer finite")
    return result


def add_arguments(parser):
    """Those that all peers share."""
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--mode", default="dann", help="dann, source-only or infer")
    parser.add_argument("--batch", type=int, default=128, help="pictures per step, source and target together")
    parser.add_argument("--precision", choices=["f32", "tf32", "bf16"], default="f32")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--compile", action="store_true", help="torch.compile forward, losses and backward")
    parser.add_argument("--cuda-graph", action="store_true", help="capture the whole step and replay it")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--repeats", type=int, default=5, help="windows; the median counts")
    parser.add_argument("--min-time", type=float, default=0.5, help="seconds a window")
    parser.add_argument("--warmup", type=float, default=0.5, help="seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verify", type=int, default=0, metavar="STEPS", help="look at what is computed instead")
    parser.add_argument("--json", action="store_true")


def prepare(parser, args):
    """Refuses what this PyTorch cannot do."""
    if args.compile and not hasattr(torch, "compile"):
        parser.error("this PyTorch has no torch.compile")
    if args.device == "cuda" and not torch.cuda.is_available():
        sys.exit(f"{parser.prog}: this PyTorch sees no GPU")
    if args.cuda_graph and args.device != "cuda":
        parser.error("--cuda-graph needs --device cuda")
    if args.threads:
        torch.set_num_threads(args.threads)


def print_result(args, result):
    """Ends the program if it is a verification that failed."""
    if args.json or args.verify:
        print(json.dumps(result))
    else:
        print(f"{args.mode}, batch {args.batch}, {args.precision}: {result['images_per_second']:.0f} images/s, "
              f"{result['step_us']:.1f} us a step")
    if args.verify and not result["ok"]:
        sys.exit(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--pool-mib", type=float, default=POOL_MIB, help="distinct images that are kept")
    args = parser.parse_args()
    args.schedule_steps = SCHEDULE_STEPS
    if args.mode not in ("dann", "source-only", "infer"):
        parser.error(f"--mode: there is no {args.mode}")
    if args.mode == "dann" and args.batch % 2:
        parser.error("--batch must be even for a DANN")
    prepare(parser, args)
    print_result(args, verify(args) if args.verify else measure(args, Workload(args)))


if __name__ == "__main__":
    main()
