"""`style-features`: the feature network of style transfer, and `style-fast`: any style in one pass."""

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagegen.data.photos import made_up_photos, photos
from imagegen.data.pictures import Pictures, Sources
from imagegen.data.styles import made_up_styles, squares, styles
from imagegen.images import to_tensor
from imagegen.models.perceptual import SqueezeNet, Vgg19, load_squeezenet, load_vgg
from imagegen.models.style import STYLE_WEIGHT, FastStyle, FeatureNetwork, Objective, distance
from imagegen.training.recipe import Export, Step, follow

__all__ = ["FastStyleRecipe", "StyleFeaturesRecipe"]

PHOTO_SIDE, PAINTING_SIDE = 256, 512
"""Pixels of the squares that are kept."""
WARMUP = 0.02
PHOTOS = "T91, the 200 photos of BSDS500's train/ and 1,000 samples of ImageNet, without those of Set5 and Set14"
TERMS = "For non-commercial research only, as its data are."

FEATURES_SIDE = 128
FEATURES_LEARNING_RATE = 2e-3
TAUGHT = {"relu1_1": 64, "relu2_1": 128, "relu3_1": 256, "relu4_2": 256, "relu5_1": 512}
"""Layers with a teacher, and the teacher's channels: VGG-19's own layers, then places of SqueezeNet."""
SQUEEZENET_PLACES = {"relu4_2": 2, "relu5_1": 6}
"""Which of SqueezeNet's stages, at the same eighth and sixteenth of the size."""

LEARNING_RATE = 1e-3
EMA_STEPS, EMA_SHARE = 1_000, 0.05
"""Steps that the average of weights looks back, or this share of those so far."""
PHOTO_STYLES, NAMED_STYLES = 0.2, 0.4
"""Shares of a batch whose style is another photo, and one of the named paintings."""
MIXED = 0.25
"""Share whose style lies between two."""
EASY = 5.0
"""Distances from photo to painting below this count less: there is little to learn from them."""
PREVIEWS = 5


class StyleFeaturesRecipe:
    """Distillation: what VGG-19 and SqueezeNet see must be readable from the narrow network, channel by channel.

    Readable through a 1x1 convolution, which is left behind: a Gram matrix of the narrow layer then says what
    that of the wide layer does.
    """

    name = "style-features"
    needs = ("photos",)
    compiled = ("network", "heads")

    def __init__(self, size: str) -> None:
        self.steps, self.batch = {"small": (5_000, 8), "large": (20_000, 64)}[size]
        self.network = FeatureNetwork()
        self.heads = nn.ModuleDict(
            {layer: nn.Conv2d(self.network.channels[layer], wide, 1) for layer, wide in TAUGHT.items()}
        )
        self.networks: dict[str, nn.Module] = {"network": self.network, "heads": self.heads}
        self.frozen: dict[str, nn.Module] = {}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "adam": torch.optim.AdamW(
                [*self.network.parameters(), *self.heads.parameters()], betas=(0.9, 0.99), weight_decay=0, fused=True
            )
        }

    def load_data(self, sources: Sources) -> Pictures:
        self.frozen = {"vgg": load_vgg(sources.features), "squeezenet": load_squeezenet(sources.features)}
        return _photos(sources)

    def made_up_data(self) -> Pictures:
        self.frozen = {"vgg": Vgg19("relu3_1").requires_grad_(False), "squeezenet": SqueezeNet().requires_grad_(False)}
        return _unlabelled(squares(made_up_photos(), FEATURES_SIDE))

    def step(self, pictures: Tensor, labels: Tensor, step: Step) -> dict[str, Tensor]:
        pictures = _recoloured(_cut(pictures, FEATURES_SIDE, 1 / 8, step), step)
        with step.autocast():
            with torch.no_grad():
                wanted = self._teachers(pictures)
            features = self.network.features(pictures)
            unexplained = {
                layer: _unexplained(self.heads[layer](_thinned(features[layer], layer)), _thinned(target, layer))
                for layer, target in wanted.items()
            }
        step.update(
            self.optimizers["adam"],
            torch.stack(list(unexplained.values())).sum(),
            FEATURES_LEARNING_RATE * _warm_cosine(step.progress),
        )
        return {f"unexplained {layer}": share.detach() for layer, share in unexplained.items()}

    def _teachers(self, pictures: Tensor) -> dict[str, Tensor]:
        vgg, squeezenet = self.frozen["vgg"](pictures), self.frozen["squeezenet"](pictures)
        return {
            layer: squeezenet[SQUEEZENET_PLACES[layer]] if layer in SQUEEZENET_PLACES else vgg[layer]
            for layer in TAUGHT
        }

    def preview(self) -> None:
        return None

    def exports(self, sources: Sources) -> list[Export]:
        return [
            Export(
                name=self.name,
                model=self.network,
                class_name="style.FeatureNetwork",
                args={"width": self.network.width},
                example={"x": _patterns(PHOTO_SIDE)},
                summary="A narrow VGG for style transfer, taught to see what VGG-19 (to relu3_1) and SqueezeNet "
                f"(beyond) see. {TERMS}",
                data=PHOTOS,
                licence="other",
                details={
                    "loss": "unexplained variance of the teachers' features, read by 1x1 convolutions",
                    "learning rate": f"{FEATURES_LEARNING_RATE} to 0",
                    "augmentation": "crops from an eighth of the side, flips, mixed colour channels",
                },
            )
        ]


class FastStyleRecipe:
    """The loss of Gatys et al. at three scales, over photos and styles that never repeat.

    Every style is a new crop, half of them recoloured; some are photos, some lie between two styles. Each pair's
    loss is divided by how far it has to go, so that garish paintings do not outvote the rest.
    """

    name = "style-fast"
    needs = ("photos", "styles")
    compiled = ("network",)

    def __init__(self, size: str) -> None:
        self.steps, self.batch, self.side = {"small": (6_000, 8, 128), "large": (24_000, 24, 256)}[size]
        self.network = FastStyle()
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.networks: dict[str, nn.Module] = {"network": self.network, "average": self.average}
        self.frozen: dict[str, nn.Module] = {}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "adam": torch.optim.AdamW(self.network.parameters(), betas=(0.9, 0.99), weight_decay=0, fused=True)
        }

    def load_data(self, sources: Sources) -> Pictures:
        named, others = (
            squares(styles(sources.root(1), split).values(), PAINTING_SIDE) for split in ("named", "train")
        )
        self.frozen = {"vgg": load_vgg(sources.features), "gallery": Gallery(named, others)}
        return _photos(sources)

    def made_up_data(self) -> Pictures:
        paintings = squares(made_up_styles(), 64)
        self.frozen = {"vgg": Vgg19("relu3_1").requires_grad_(False), "gallery": Gallery(paintings, paintings)}
        self.side = 32
        return _unlabelled(squares(made_up_photos(), 64))

    def step(self, pictures: Tensor, labels: Tensor, step: Step) -> dict[str, Tensor]:
        photos = _cut(pictures, self.side, 1 / 2, step)
        paintings = self._paintings(photos, step)
        mixed, share = step.uniform(2).unbind(1)
        share = torch.where(mixed < MIXED, share, 0.0)
        objective = Objective(self.frozen["vgg"])
        with step.autocast():
            with torch.no_grad():
                contents, photo_grams = objective.measure(photos)
                _, grams = objective.measure(paintings)
            grams = [_towards_next(gram, share) for gram in grams]
            painted = self.network.paint(photos, _towards_next(self.network.encode(paintings), share))
            content, style = objective.losses(painted, contents, grams)
        unchanged = STYLE_WEIGHT * distance(photo_grams, grams)
        loss = content + STYLE_WEIGHT * style
        step.update(
            self.optimizers["adam"],
            (loss / (unchanged + EASY)).mean(),
            LEARNING_RATE * _warm_cosine(step.progress),
            clip=1.0,
        )
        follow(self.average, self.network, 1 - 1 / min(EMA_STEPS, 1 + EMA_SHARE * step.index))
        return {
            "content": content.detach().mean(),
            "style": style.detach().mean(),
            "over unchanged": (loss.detach() / (unchanged + EASY)).mean(),
        }

    def _paintings(self, photos: Tensor, step: Step) -> Tensor:
        """A style for each photo: a crop of a painting, or the next photo."""
        kind, place = step.uniform(2).unbind(1)
        paintings = self.frozen["gallery"](kind < PHOTO_STYLES + NAMED_STYLES, place)
        paintings = _cut(paintings, self.side, 1 / 8, step)
        return _recoloured(torch.where((kind < PHOTO_STYLES)[:, None, None, None], photos.roll(1, 0), paintings), step)

    @torch.no_grad()
    def preview(self) -> Tensor:
        """Made-up patterns in the first named styles: no photo or painting that was trained on is shown."""
        device = next(self.average.parameters()).device
        place = (torch.arange(PREVIEWS, device=device) + 0.5) / PREVIEWS
        paintings = self.frozen["gallery"](torch.ones_like(place, dtype=torch.bool), place)
        codes = self.average.encode(F.interpolate(paintings, scale_factor=0.5, mode="area"))
        patterns = _patterns(128).to(device)
        return torch.cat(
            [self.average.paint(pattern.expand(PREVIEWS, -1, -1, -1), codes) for pattern in torch.split(patterns, 1)]
        )

    def exports(self, sources: Sources) -> list[Export]:
        named = styles(sources.root(1), "named")
        with torch.no_grad():
            codes = self.average.encode(squares(named.values(), PHOTO_SIDE) / 127.5 - 1)
        return [
            Export(
                name=self.name,
                model=self.average,
                class_name="style.FastStyle",
                args={"code": self.average.code, "width": self.average.width, "blocks": self.average.blocks},
                example={"photos": _patterns(64), "paintings": squares(made_up_styles()[:2], 64) / 127.5 - 1},
                assets=dict(zip(named, codes, strict=True)),
                summary=f"Paints a photo in any style in one pass. {TERMS}",
                data=f"{PHOTOS}; {len(named)} paintings in the public domain; 80 paintings and textures of mixed terms",
                licence="other",
                details={
                    "loss": f"content relu3_1 + {STYLE_WEIGHT:g} x Gram relu1_1, relu2_1, relu3_1 of VGG-19, at three "
                    "scales, over that of the unchanged photo",
                    "learning rate": f"{LEARNING_RATE} to 0",
                    "augmentation": "crops from an eighth of the side, flips, mixed colour channels, mixed styles",
                    "EMA": f"of the last {EMA_STEPS:,} steps",
                },
            )
        ]


class Gallery(nn.Module):
    """Paintings as bytes, beside the networks because they too are moved to the device.

    Args:
        named, others: uint8 (N, 3, S, S).
    """

    def __init__(self, named: Tensor, others: Tensor) -> None:
        super().__init__()
        self.named_count = len(named)
        self.pixels: Tensor
        self.register_buffer("pixels", torch.cat([named, others]))

    def forward(self, named: Tensor, place: Tensor) -> Tensor:
        """The painting at each place (B,) in [0, 1) of the named or of the others: (B, 3, S, S) in [-1, 1]."""
        others = len(self.pixels) - self.named_count
        index = torch.where(named, place * self.named_count, self.named_count + place * others).long()
        return self.pixels[index].float() / 127.5 - 1


def _photos(sources: Sources) -> Pictures:
    return _unlabelled(squares(photos(sources.root(), "train"), PHOTO_SIDE))


def _unlabelled(pixels: Tensor) -> Pictures:
    return Pictures(pixels, torch.zeros(len(pixels)))


def _thinned(features: Tensor, layer: str) -> Tensor:
    """Every fourth or second place of the large layers, which have as much to say as small ones but cost more."""
    every = {"relu1_1": 4, "relu2_1": 2}.get(layer, 1)
    return features[:, :, ::every, ::every]


def _unexplained(guess: Tensor, target: Tensor) -> Tensor:
    """Share of the target's variance (B, C, H, W) that the guess misses; a guess of another size is resized."""
    target = target.float()
    if guess.shape[2:] != target.shape[2:]:
        guess = F.interpolate(guess, target.shape[2:], mode="bilinear")
    return (guess.float() - target).square().mean() / target.var(dim=(0, 2, 3)).mean()


def _cut(pictures: Tensor, side: int, smallest: float, step: Step) -> Tensor:
    """Of each (B, 3, S, S) a random square, at least this share of its side, maybe flipped: (B, 3, side, side)."""
    size, left, top, flip = step.uniform(4).unbind(1)
    size = smallest ** (size**1.5)
    frame = torch.zeros(len(pictures), 2, 3, device=pictures.device)
    frame[:, 0, 0], frame[:, 1, 1] = torch.where(flip < 0.5, size, -size), size
    frame[:, 0, 2], frame[:, 1, 2] = (2 * left - 1) * (1 - size), (2 * top - 1) * (1 - size)
    places = F.affine_grid(frame, [len(pictures), 3, 2 * side, 2 * side], align_corners=False)
    double = F.grid_sample(pictures, places, padding_mode="reflection", align_corners=False)
    return F.avg_pool2d(double, 2).contiguous(memory_format=torch.channels_last)


def _recoloured(pictures: Tensor, step: Step) -> Tensor:
    """Half of them with their colour channels mixed at random, from a little to beyond recognition."""
    strength = (2 * step.uniform(1, 1, 1) - 1).clamp(min=0)
    mixing = torch.eye(3, device=pictures.device) + 0.5 * strength[:, 0] * step.normal(3, 3)
    mixed = torch.einsum("bij,bjhw->bihw", mixing, pictures) + 0.3 * strength * step.normal(3, 1, 1)
    return mixed.clamp(-1, 1).contiguous(memory_format=torch.channels_last)


def _towards_next(x: Tensor, share: Tensor) -> Tensor:
    """Each of (B, ...) moved by this share (B,) towards the next of the batch."""
    return torch.lerp(x, x.roll(1, 0), share.view(-1, *[1] * (x.dim() - 1)))


def _patterns(side: int) -> Tensor:
    """Two made-up pictures (2, 3, side, side) in [-1, 1]."""
    return torch.cat([to_tensor(picture.resize((side, side))) for picture in made_up_photos()[:2]])


def _warm_cosine(progress: float) -> float:
    """Up in a line to 1, then down a cosine to 0."""
    if progress < WARMUP:
        return progress / WARMUP
    return 0.5 * (1 + math.cos(math.pi * (progress - WARMUP) / (1 - WARMUP)))
