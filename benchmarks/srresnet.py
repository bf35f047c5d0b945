"""How fast the super-resolution network is, next to SRResNet, its most cited peer.

python -m benchmarks.srresnet [RUNS]

Both enlarge the same picture of 128x128 to 512x512 on the CPU in fp32, in turn, in the memory layout that suits
both best. Speed does not hang on the weights: both have fresh ones. Medians and their ratio are printed.
"""

import statistics
import sys
import time

import torch
from torch import Tensor, nn

from imagegen.models.sr import SuperResolver, upscale

SIDE = 128


class SRResNet(nn.Module):
    """16 blocks of 64 channels (Ledig et al. 2017), its batch norms already folded into the convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Conv2d(3, 64, 9, padding=4), nn.PReLU())
        self.body = nn.Sequential(*(Block() for _ in range(16)), nn.Conv2d(64, 64, 3, padding=1))
        self.tail = nn.Sequential(*doubled(), *doubled(), nn.Conv2d(64, 3, 9, padding=4))

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(x)
        return self.tail(x + self.body(x))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.PReLU(), nn.Conv2d(64, 64, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def doubled() -> list[nn.Module]:
    """Twice as many pixels a side."""
    return [nn.Conv2d(64, 256, 3, padding=1), nn.PixelShuffle(2), nn.PReLU()]


def seconds(network: nn.Module, picture: Tensor) -> float:
    begin = time.perf_counter()
    upscale(network, picture)
    return time.perf_counter() - begin


def main(runs: int) -> None:
    picture = torch.rand(1, 3, SIDE, SIDE).contiguous(memory_format=torch.channels_last)
    networks = [network.eval().to(memory_format=torch.channels_last) for network in (SuperResolver(), SRResNet())]
    for network in networks:
        upscale(network, picture)
    times = [[seconds(network, picture) for network in networks] for _ in range(runs)]
    ours, peer = (statistics.median(column) for column in zip(*times, strict=True))
    sizes = [sum(p.numel() for p in network.parameters()) for network in networks]
    print(f"{SIDE}² to {4 * SIDE}², {torch.get_num_threads()} threads, medians of {runs} runs in turn")  # noqa: T201
    print(f"ours {ours * 1e3:.1f} ms ({sizes[0]:,} parameters)   SRResNet {peer * 1e3:.1f} ms ({sizes[1]:,})")  # noqa: T201
    print(f"ratio {peer / ours:.1f}")  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
