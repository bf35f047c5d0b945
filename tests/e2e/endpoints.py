"""Every named endpoint with a small call that succeeds, and the limits that its refusals name.

What is true of all of them is tested over this list: documentation, bad inputs, fuzzing, leaving in mid-run.
"""

from typing import Any

import httpx
from e2e.visiting import Answer, call, digit_picture, encoded, photo, upload
from made_up_style import STYLES
from PIL import Image

PICTURE = digit_picture(seven=True).resize((40, 40))
"""One that every network can take: a digit, a square as faces are, and large enough to be painted."""
DIGIT: dict[str, Any] = {"model": "ddpm-mnist", "digit": 7, "wanted": [], "unwanted": []}
MASK = Image.new("L", PICTURE.size)
MASK.paste(255, (5, 5, 25, 20))
WORDS: dict[str, Any] = {
    "prompt": "a smiling woman", "negative_prompt": "", "strength": 1, "count": 1, "seed": 0, "solver": "ddim",
    "steps": 1, "guidance_scale": 4, "engine": "sd-mini",
}  # fmt: skip
ENDPOINTS: dict[str, dict[str, Any]] = {
    "diffuse_forward": {"picture": PICTURE, "t": 500, "seed": 0},
    "diffuse_race": {**DIGIT, "seed": 0, "guidance_scale": 1.5, "lanes": [["ddim", 1], ["unipc", 2]]},
    "diffuse_sample": {
        **DIGIT, "count": 1, "seed": 0, "solver": "unipc", "steps": 1, "guidance_scale": 1.5, "eta": 0,
    },
    "edit_image": {"picture": PICTURE, **WORDS},
    "gan_sample": {
        "digit": 7, "second_digit": None, "mix": 0, "count": 2, "seed": 0, "truncation": 1, "directions": [],
    },
    "gan_score": {"picture": PICTURE, "digit": None},
    "gan_walk": {"digit": 3, "second_digit": 8, "seed": 0, "second_seed": None, "frames": 3},
    "inpaint": {"picture": PICTURE, "mask": MASK, **WORDS},
    "stylize": {
        "photo": PICTURE, "painting": None, "style": [STYLES[0]], "weights": [], "strength": 1, "keep_colours": False,
        "size": 96,
    },
    "stylize_slow": {
        "photo": PICTURE, "painting": PICTURE, "picture": None, "features": "style-features", "pooling": "average",
        "size": 64, "iterations": 1, "optimizer": "lbfgs", "start": "photo", "content_layer": "relu4_2",
        "content_weight": 1, "style_weight": 100, "layer_weights": [1, 1, 1, 1, 1], "smoothness": 3, "seed": 0,
    },
    "text_to_image": {
        "prompt": "a smiling woman", "negative_prompt": "", "count": 1, "seed": 0, "solver": "ddim", "steps": 1,
        "guidance_scale": 4, "engine": "sd-mini", "size": "auto",
    },
    "upscale": {"picture": PICTURE, "model": "sr-x4", "pleasing": 0, "shrink_first": False},
    "vae_decode": {"z": [0, 0], "plane": "vae-mnist-2d"},
    "vae_edit_face": {"picture": None, "seed": 0, "attributes": {}, "offsets": []},
    "vae_encode": {"picture": PICTURE, "checkpoint": "vae-mnist", "seed": 0},
    "vae_interpolate": {
        "start_picture": None, "end_picture": None, "start_seed": 0, "end_seed": 1, "checkpoint": "vae-mnist",
        "path": "straight", "frames": 3,
    },
}  # fmt: skip
LONG: dict[str, dict[str, Any]] = {
    "diffuse_race": {"lanes": [["ddpm", 100]] * 3},
    "diffuse_sample": {"count": 32, "steps": 100},
    "edit_image": {"count": 32, "steps": 100},
    "gan_walk": {"frames": 60},
    "inpaint": {"count": 32, "steps": 100},
    "stylize": {"size": 2048},
    "stylize_slow": {"iterations": 1000},
    "text_to_image": {"count": 32, "steps": 100},
    "upscale": {"picture": photo(512, 512)},
    "vae_interpolate": {"frames": 60},
}
"""What makes a call of each endpoint that streams take long."""

_FIELD_LIMITS = {
    "content_weight": "a number from 0 to 100",
    "count": "a whole number from 1 to 64",
    "digit": "a whole number from 0 to 9",
    "end_seed": "a whole number from 0 to 4294967295",
    "eta": "a number from 0 to 1",
    "frames": "a whole number from 2 to 60",
    "guidance_scale": "a number from 0 to 8",
    "iterations": "a whole number from 1 to 1000",
    "mix": "a number from 0 to 1",
    "negative_prompt": "a text of at most 1000 characters",
    "pleasing": "a number from 0 to 1",
    "prompt": "a text of at most 1000 characters",
    "second_digit": "a whole number from 0 to 9",
    "second_seed": "a whole number from 0 to 4294967295",
    "seed": "a whole number from 0 to 4294967295",
    "smoothness": "a number from 0 to 100",
    "start_seed": "a whole number from 0 to 4294967295",
    "steps": "a whole number from 1 to 100",
    "strength": "a number from 0 to 1",
    "style_weight": "a number from 0 to 10000",
    "t": "a whole number from 0 to 999",
    "truncation": "a number from 0 to 1.5",
}
_ENDPOINT_LIMITS = {
    ("edit_image", "guidance_scale"): "a number from 0 to 12",
    ("inpaint", "guidance_scale"): "a number from 0 to 12",
    ("stylize", "size"): "a whole number from 64 to 2048",
    ("stylize_slow", "size"): "a whole number from 64 to 512",
    ("text_to_image", "guidance_scale"): "a number from 0 to 12",
}
LIMITS = {
    (name, field): limit
    for name, values in ENDPOINTS.items()
    for field in values
    if (limit := _ENDPOINT_LIMITS.get((name, field), _FIELD_LIMITS.get(field)))
}
"""By endpoint and field, as its refusals and its documentation put it."""
NUMBERS = {each: limit for each, limit in LIMITS.items() if "number" in limit}
PICTURES = [
    (name, field)
    for name, values in ENDPOINTS.items()
    for field in values
    if field.endswith("picture") or field in ("photo", "painting", "mask")
]


def ask(http: httpx.Client, name: str, **values: object) -> Answer:
    """Call an endpoint with its small call's values, but for these; pictures and files (bytes) are uploaded first."""
    return call(http, name, [brought(http, value) for value in {**ENDPOINTS[name], **values}.values()])


def brought(http: httpx.Client, value: object) -> object:
    """As a call names it."""
    if isinstance(value, Image.Image):
        value = encoded(value)
    return upload(http, value) if isinstance(value, bytes) else value


def made(http: httpx.Client, answer: Answer) -> bytes:
    """The file of the first output."""
    assert answer.event == "complete", answer
    return http.get(answer.data[0]["url"]).content
