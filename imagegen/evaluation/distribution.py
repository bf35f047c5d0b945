"""How far generated pictures are from real ones as a whole: FID, KID and IS, by torchmetrics.

The feature network is ours and is given float pictures (N, C, H, W) in [-1, 1]: with a network of one's own
torchmetrics neither resizes nor converts, and needs neither torch-fidelity nor scipy.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn, split

from imagegen.evaluation.features import BATCH

__all__ = ["fid", "fid_from", "inception_score", "kid"]

KID_SUBSETS = 100
KID_SUBSET_SIZE = 1_000


def fid(network: nn.Module, reference: Mapping[str, Tensor], pictures: Tensor) -> float:
    """Fréchet distance between Gaussians fitted to the features of both sets (Heusel et al. 2017).

    Args:
        network: pictures (B, C, H, W) -> features (B, F), with an attribute `num_features`.
        reference: of the real pictures, from `reference_statistics`.
        pictures: generated, (N, C, H, W).
    """
    from torchmetrics.image.fid import FrechetInceptionDistance

    metric = FrechetInceptionDistance(feature=network)  # its sums are float64 whatever the network gives
    metric.real_features_sum = reference["reference_sum"]
    metric.real_features_cov_sum = reference["reference_outer"]
    metric.real_features_num_samples = reference["reference_count"]
    for batch in split(pictures, BATCH):
        metric.update(batch, real=False)
    return metric.compute().item()


def fid_from(network: nn.Module, real: Tensor) -> Callable[[Tensor], float]:
    """`fid` of one set of pictures after the other from the same real ones, (N, C, H, W), looked at once."""
    from torchmetrics.image.fid import FrechetInceptionDistance

    metric = FrechetInceptionDistance(feature=network, reset_real_features=False)
    for batch in split(real, BATCH):
        metric.update(batch, real=True)

    def distance(pictures: Tensor) -> float:
        metric.reset()
        for batch in split(pictures, BATCH):
            metric.update(batch, real=False)
        return metric.compute().item()

    return distance


def kid(network: nn.Module, real: Tensor, fake: Tensor, seed: int) -> tuple[float, float]:
    """Squared maximum mean discrepancy of the features under a cubic kernel (Bińkowski et al. 2018).

    Its mean is 0 for equal distributions, so it may come out below 0.

    Args:
        network: pictures (B, C, H, W) -> features (B, F).
        real, fake: pictures (N, C, H, W).
        seed: of the random subsets.

    Returns:
        The mean over 100 random subsets of 1,000 pictures, and its standard error.
    """
    from torchmetrics.image.kid import KernelInceptionDistance

    with _torchmetrics(seed):
        size = min(KID_SUBSET_SIZE, len(real), len(fake))
        metric = KernelInceptionDistance(network, KID_SUBSETS, size)
        for pictures, are_real in ((real, True), (fake, False)):
            for batch in split(pictures, BATCH):
                metric.update(batch, real=are_real)
        mean, deviation = metric.compute()
    return mean.item(), deviation.item() / KID_SUBSETS**0.5


def inception_score(network: nn.Module, pictures: Tensor, seed: int) -> float:
    """High when each picture is clear and all classes appear (Salimans et al. 2016).

    It runs from 1 to the number of classes.

    Args:
        network: pictures (B, C, H, W) -> logits (B, classes).
        pictures: generated, (N, C, H, W).
        seed: of the random split into ten parts.
    """
    from torchmetrics.image.inception import InceptionScore

    with _torchmetrics(seed):
        metric = InceptionScore(network)
        for batch in split(pictures, BATCH):
            metric.update(batch)
        mean, _ = metric.compute()
    return mean.item()


@contextmanager
def _torchmetrics(seed: int) -> Iterator[None]:
    """KID and IS draw from the global generator: seed it for them, and put the caller's state back.

    Their warning that features are kept in memory (5 MB) is hushed.
    """
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Metric .* will save all extracted features in buffer")
        torch.default_generator.manual_seed(seed)
        yield
