"""`style-fast`: any style in one pass."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagegen.data.photos import made_up_photos, photos
from imagegen.data.pictures import Pictures, Sources
from imagegen.data.styles import made_up_styles, squares, styles
from imagegen.devices import choose_device
from imagegen.images import to_tensor
from imagegen.models.perceptual import Vgg19, load_vgg
from imagegen.models.style import STYLE_WEIGHT, FastStyle, Objective, distance
from imagegen.training.recipe import Export, Step, came_from, follow, start_of, warm_cosine

__all__ = [
    "PHOTOS",
    "PHOTO_SIDE",
    "TERMS",
    "WARMUP",
    "FastStyleRecipe",
    "Gallery",
    "cut",
    "patterns",
    "recoloured",
    "refined",
    "square_photos",
    "unlabelled",
]

PHOTO_SIDE, PAINTING_SIDE = 256, 512
"""Pixels of the squares that are kept."""
WARMUP = 0.02
PHOTOS = "T91, the 200 photos of BSDS500's train/ and 1,000 samples of ImageNet, every 20th kept back"
TERMS = "For non-commercial research only, as its data are."

LEARNING_RATE = 1e-3
EMA_STEPS, EMA_SHARE = 1_000, 0.05
"""Steps that the average of weights looks back, or this share of those so far."""
COARSE = 0.6
"""Share of the steps at half the side: colours and coarse textures are learned there at a quarter of the cost."""
PHOTO_STYLES, NAMED_STYLES = 0.2, 0.4
"""Shares of a batch whose style is another photo, and one of the named paintings."""
MIXED = 0.25
"""Share whose style lies between two."""
EASY = 5.0
"""Distances from photo to painting below this count less: there is little to learn from them."""
PREVIEWS = 5

REFINING = {"small": (40, 128), "large": (400, 256)}
"""Steps by which the named styles' codes are made better, and the side of the photos that they are tried on."""
REFINING_STEP, REFINING_BATCH = 0.2, 2
"""The first step's share of a code's size, and photos in each."""
REFINING_PHOTOS = 16
"""The codes are made on these, spread over those trained on."""


class FastStyleRecipe:
    """The loss of Gatys et al. at three scales, over photos and styles that never repeat.

    Every style is a new crop, half of them recoloured; some are photos, some lie between two styles. Each pair's
    loss is divided by how far it has to go, so that garish paintings do not outvote the rest. It starts from nothing,
    or goes on from an earlier `style-fast`, given as the third data set.
    """

    name = "style-fast"
    needs: tuple[str, ...] = ("photos", "styles", "style-fast")
    compiled: tuple[str, ...] = ()

    def __init__(self, size: str) -> None:
        self.steps, self.batch, self.side = {"small": (8_000, 8, 128), "large": (12_000, 16, 256)}[size]
        self.coarse = COARSE
        self.refining, self.refining_side = REFINING[size]
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
        if (start := start_of(sources)) is not None:
            self.coarse = 0.0  # what is coarse has been learned
            for network in (self.network, self.average):
                network.load_state_dict(start.load().state_dict())
        return square_photos(sources)

    def made_up_data(self) -> Pictures:
        paintings = squares(made_up_styles(), 64)
        self.frozen = {"vgg": Vgg19("relu3_1").requires_grad_(False), "gallery": Gallery(paintings, paintings)}
        self.side = 64
        return unlabelled(squares(made_up_photos(), 64))

    def step(self, pictures: Tensor, labels: Tensor, step: Step) -> dict[str, Tensor]:
        side = self.side // 2 if step.progress < self.coarse else self.side
        photos = cut(pictures, side, 1 / 2, step)
        paintings = self._paintings(photos, step)
        mixed, share = step.uniform(2).unbind(1)
        share = torch.where(mixed < MIXED, share, 0.0)
        objective = Objective(self.frozen["vgg"])
        with step.autocast():
            with torch.no_grad():
                contents, photo_grams = objective.measure(photos)
                _, grams = objective.measure(paintings)
            grams = [_towards_next(gram, share) for gram in grams]
            painted = self.network.paint(photos, _towards_next(self.network.encode(paintings).float(), share))
            content, style = objective.losses(painted, contents, grams)
        unchanged = STYLE_WEIGHT * distance(photo_grams, grams)
        loss = content + STYLE_WEIGHT * style
        step.update(
            self.optimizers["adam"],
            (loss / (unchanged + EASY)).mean(),
            LEARNING_RATE * warm_cosine(step.progress, WARMUP),
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
        paintings = cut(paintings, photos.shape[-1], 1 / 8, step)
        return recoloured(torch.where((kind < PHOTO_STYLES)[:, None, None, None], photos.roll(1, 0), paintings), step)

    @torch.no_grad()
    def preview(self) -> Tensor:
        """Made-up patterns in the first named styles: no photo or painting that was trained on is shown."""
        device = next(self.average.parameters()).device
        place = (torch.arange(PREVIEWS, device=device) + 0.5) / PREVIEWS
        paintings = self.frozen["gallery"](torch.ones_like(place, dtype=torch.bool), place)
        codes = self.average.encode(F.interpolate(paintings, scale_factor=0.5, mode="area"))
        pictures = patterns(128).to(device).repeat_interleave(PREVIEWS, 0)
        return self.average.paint(pictures, codes.repeat(2, 1))

    def exports(self, sources: Sources) -> list[Export]:
        start = start_of(sources)
        named = styles(sources.root(1), "named")
        trained_on = photos(sources.root(), "train")
        device = choose_device(sources.device)
        chosen, paintings = (
            squares(pictures, side).to(device) / 127.5 - 1
            for pictures, side in (
                (trained_on[:: -(-len(trained_on) // REFINING_PHOTOS)], self.refining_side),
                (named.values(), PHOTO_SIDE),
            )
        )
        objective = Objective(load_vgg(sources.features).to(device))
        codes = refined(self.average.to(device), objective, paintings, chosen, self.refining).cpu()
        self.average.cpu()
        return [
            Export(
                name=self.name,
                model=self.average,
                class_name="style.FastStyle",
                args={"code": self.average.code, "width": self.average.width, "blocks": self.average.blocks},
                example={"photos": patterns(64), "paintings": squares(made_up_styles()[:2], 64) / 127.5 - 1},
                assets={style: code.clone() for style, code in zip(named, codes, strict=True)},
                summary=f"Paints a photo in any style in one pass. {TERMS}",
                data=f"{PHOTOS}; {len(named)} paintings in the public domain; 80 paintings and textures of mixed terms",
                licence="other",
                details={
                    "start": came_from(self.name, start),
                    "side": f"{self.side} pixels{'' if start else f', half of that for {COARSE:.0%} of the steps'}",
                    "loss": f"content relu3_1 + {STYLE_WEIGHT:g} x Gram relu1_1, relu2_1, relu3_1 of VGG-19, at three "
                    "scales, over that of the unchanged photo",
                    "learning rate": f"{LEARNING_RATE} to 0",
                    "augmentation": "crops from an eighth of the side, flips, mixed colour channels, mixed styles",
                    "EMA": f"of the last {EMA_STEPS:,} steps",
                    "named styles": f"the encoder's code, {self.refining} steps of Adam on it, the network as it is",
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


def refined(network: FastStyle, objective: Objective, paintings: Tensor, photos: Tensor, steps: int) -> Tensor:
    """Codes (S, code) by which a finished network comes nearest to S paintings; where steps do not help, its own.

    Args:
        paintings: (S, 3, H, H) in [-1, 1], on the network's device like all else.
        photos: (N, 3, H, H) in [-1, 1], on which they are tried, `REFINING_BATCH` at a time.
    """
    rng = torch.Generator().manual_seed(0)
    count = len(paintings)

    def loss(codes: Tensor, photos: Tensor) -> Tensor:
        """Of each style, (S,), the mean over the photos."""
        each = len(photos)
        with torch.no_grad():
            contents, _ = objective.measure(photos)
        painted = network.paint(photos.repeat(count, 1, 1, 1), codes.repeat_interleave(each, 0))
        wanted = [content.repeat(count, 1, 1, 1) for content in contents], [g.repeat_interleave(each, 0) for g in grams]
        content, style = objective.losses(painted, *wanted)
        return (content + STYLE_WEIGHT * style).view(count, each).mean(dim=1)

    with torch.no_grad():
        _, grams = objective.measure(paintings)
        own = network.encode(paintings)
    moved = torch.zeros_like(own, requires_grad=True)
    unit = own.std(dim=1, keepdim=True)
    descend = torch.optim.Adam([moved])
    for step in range(steps):
        chosen = torch.randint(len(photos), (REFINING_BATCH,), generator=rng)
        descend.param_groups[0]["lr"] = REFINING_STEP * (1 - step / steps)
        descend.zero_grad()
        loss(own + unit * moved, photos[chosen]).sum().backward()  # type: ignore[no-untyped-call]
        descend.step()
    with torch.no_grad():
        codes = own + unit * moved
        tried = [(loss(codes, part), loss(own, part)) for part in torch.split(photos, REFINING_BATCH)]
        ours, theirs = (torch.stack(losses).mean(dim=0) for losses in zip(*tried, strict=True))
    return torch.where((ours < theirs)[:, None], codes.detach(), own)


def square_photos(sources: Sources) -> Pictures:
    return unlabelled(squares(photos(sources.root(), "train"), PHOTO_SIDE))


def unlabelled(pixels: Tensor) -> Pictures:
    return Pictures(pixels, torch.zeros(len(pixels)))


def cut(pictures: Tensor, side: int, smallest: float, step: Step) -> Tensor:
    """Of each (B, 3, S, S) a random square, at least this share of its side, maybe flipped: (B, 3, side, side)."""
    size, left, top, flip = step.uniform(4).unbind(1)
    size = smallest ** (size**1.5)
    frame = torch.zeros(len(pictures), 2, 3, device=pictures.device)
    frame[:, 0, 0], frame[:, 1, 1] = torch.where(flip < 0.5, size, -size), size
    frame[:, 0, 2], frame[:, 1, 2] = (2 * left - 1) * (1 - size), (2 * top - 1) * (1 - size)
    places = F.affine_grid(frame, [len(pictures), 3, 2 * side, 2 * side], align_corners=False)
    double = F.grid_sample(pictures, places, padding_mode="reflection", align_corners=False)
    return F.avg_pool2d(double, 2).contiguous(memory_format=torch.channels_last)


def recoloured(pictures: Tensor, step: Step) -> Tensor:
    """Half of them with their colour channels mixed at random, from a little to beyond recognition."""
    strength = (2 * step.uniform(1, 1, 1) - 1).clamp(min=0)
    mixing = torch.eye(3, device=pictures.device) + 0.4 * strength[:, 0] * step.normal(3, 3)
    mixed = torch.einsum("bij,bjhw->bihw", mixing, pictures) + 0.3 * strength * step.normal(3, 1, 1)
    return mixed.clamp(-1, 1).contiguous(memory_format=torch.channels_last)


def _towards_next(x: Tensor, share: Tensor) -> Tensor:
    """Each of (B, ...) moved by this share (B,) towards the next of the batch."""
    return torch.lerp(x, x.roll(1, 0), share.view(-1, *[1] * (x.dim() - 1)))


def patterns(side: int) -> Tensor:
    """Two made-up pictures (2, 3, side, side) in [-1, 1]."""
    return torch.cat([to_tensor(picture.resize((side, side))) for picture in made_up_photos()[:2]])
