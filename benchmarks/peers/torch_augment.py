"""Changes pictures of bytes on a CPU as `--augment strong` of gradflip does (docs/augmentation.md), each in its own way:

  shift=3, 2 of (contrast=0.9, brightness=0.9, channels=0.5, invert, solarize, posterize=4, blur=1, rotate=30, shear=0.3,
  translate=0.3, scale=0.75..1), cutout=14

CHANGES has a class for each way to do it. An object of it holds pictures, and called with indices gives these pictures,
changed and normalised, as floats N x 3 x H x W.
"""
import math

import torch
import torch.nn.functional as F

MEAN, CUTOUT = 40.0, 14
SHIFT = 3


def uniform(count, low, high):
    """A number for each picture, which all of its elements see."""
    return torch.empty(count, 1, 1, 1).uniform_(low, high)


class Unchanged:
    def __init__(self, pictures):
        self.pictures = pictures

    def __call__(self, indices):
        return (self.pictures[indices].float() - MEAN) / 255


class Tensors:
    """Each operation once, on all pictures that drew it. In floats from beginning to end, where gradflip rounds to bytes."""

    def __init__(self, pictures):
        # Shifted pictures are windows of what is reflected once and for all.
        padded = F.pad(pictures.float(), (SHIFT,) * 4, mode="reflect").byte()
        size = pictures.shape[-1]
        self.windows = padded.unfold(2, size, 1).unfold(3, size, 1)
        self.operations = [self.contrast, self.brightness, self.channels, self.invert, self.solarize, self.posterize,
                           self.blur, self.rotate, self.shear, self.translate, self.scale]

    def __call__(self, indices):
        count = len(indices)
        down, across = torch.randint(0, 2 * SHIFT + 1, (2, count))
        x = self.windows[indices, :, down, across].float()
        chosen = torch.rand(count, len(self.operations)).topk(2, dim=1).indices
        for choice in chosen.unbind(1):
            groups = choice.argsort().split(torch.bincount(choice, minlength=len(self.operations)).tolist())
            for operation, rows in zip(self.operations, groups):
                if len(rows):
                    x.index_copy_(0, rows, operation(x[rows]))
        return self.cut_out(x).sub_(MEAN).mul_(1 / 255)

    @staticmethod
    def cut_out(x):
        count, _, height, width = x.shape
        y, z = torch.randint(0, height, (count, 1)), torch.randint(0, width, (count, 1))
        half = CUTOUT // 2
        rows = (torch.arange(height) - y + half).div(CUTOUT, rounding_mode="floor") == 0
        columns = (torch.arange(width) - z + half).div(CUTOUT, rounding_mode="floor") == 0
        return x.masked_fill_((rows[:, :, None] & columns[:, None, :])[:, None], 128.0)

    @staticmethod
    def contrast(x):
        return (x - 127.5).mul_(uniform(len(x), 0.1, 1.9)).add_(127.5).clamp_(0, 255)

    @staticmethod
    def brightness(x):
        return (x * uniform(len(x), 0.1, 1.9)).clamp_(0, 255)

    @staticmethod
    def channels(x):
        gain, offset = torch.empty(2, len(x), 3, 1, 1).uniform_(-0.5, 0.5)
        return (x - 127.5).mul_(1 + gain).add_(127.5 * (1 + offset)).clamp_(0, 255)

    @staticmethod
    def invert(x):
        return 255 - x

    @staticmethod
    def solarize(x):
        return torch.where(x >= uniform(len(x), 0, 256), 255 - x, x)

    @staticmethod
    def posterize(x):
        step = 2.0 ** torch.randint(0, 5, (len(x), 1, 1, 1))
        return (x / step).floor_().mul_(step)

    @staticmethod
    def blur(x):
        deviation = uniform(len(x), 1e-3, 1)
        taps = [torch.exp(-0.5 * (offset / deviation) ** 2) for offset in range(3)]
        whole = taps[0] + 2 * (taps[1] + taps[2])
        near = [tap / whole for tap in taps]
        height, width = x.shape[2:]
        padded = F.pad(x, (2, 2, 2, 2), mode="reflect")
        across = [padded[..., i:i + width] for i in range(5)]
        rows = across[2] * near[0] + (across[1] + across[3]) * near[1] + (across[0] + across[4]) * near[2]
        down = [rows[:, :, i:i + height] for i in range(5)]
        return down[2] * near[0] + (down[1] + down[3]) * near[1] + (down[0] + down[4]) * near[2]

    @staticmethod
    def affine(x, a=1.0, b=0.0, c=0.0, d=1.0, across=0.0, down=0.0):
        """Bilinear, with the outermost pixels beyond the border."""
        matrix = torch.empty(len(x), 2, 3)
        for place, value in zip(((0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (1, 2)), (a, b, c, d, across, down)):
            matrix[:, place[0], place[1]] = value
        grid = F.affine_grid(matrix, x.shape, align_corners=False)
        return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)

    def rotate(self, x):
        angle = torch.empty(len(x)).uniform_(-math.pi / 6, math.pi / 6)
        cos, sin = angle.cos(), angle.sin()
        return self.affine(x, cos, -sin, sin, cos)

    def shear(self, x):
        amount = torch.empty(len(x)).uniform_(-0.3, 0.3)
        of_rows = torch.rand(len(x)) < 0.5
        return self.affine(x, b=amount * of_rows, c=amount * ~of_rows)

    def translate(self, x):
        across, down = torch.empty(2, len(x)).uniform_(-0.6, 0.6)  # the grid is 2 wide
        return self.affine(x, across=across, down=down)

    def scale(self, x):
        factor = 1 / torch.empty(len(x)).uniform_(0.75, 1)
        return self.affine(x, a=factor, d=factor)


class Torchvision:
    """The same by torchvision's transforms, which draw one set of numbers a call: one picture after the other."""

    def __init__(self, pictures):
        from torchvision.transforms import v2

        self.pictures = pictures
        some = [v2.ColorJitter(contrast=0.9), v2.ColorJitter(brightness=0.9), v2.RandomChannelPermutation(),
                v2.RandomInvert(1), v2.RandomSolarize(128, 1), v2.RandomPosterize(4, 1), v2.GaussianBlur(5, (0.01, 1)),
                v2.RandomRotation(30, v2.InterpolationMode.BILINEAR), v2.RandomAffine(0, shear=16),
                v2.RandomAffine(0, translate=(0.3, 0.3)), v2.RandomAffine(0, scale=(0.75, 1))]
        self.change = v2.Compose([v2.RandomCrop(28, padding=SHIFT, padding_mode="reflect"), v2.RandomChoice(some),
                                  v2.RandomChoice(some), v2.RandomErasing(1, (0.25, 0.25), (1, 1), 128)])

    def __call__(self, indices):
        return (torch.stack([self.change(picture) for picture in self.pictures[indices]]).float() - MEAN) / 255


CHANGES = {"none": Unchanged, "tensors": Tensors, "torchvision": Torchvision}
