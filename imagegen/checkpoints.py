"""Trained weights on disk: written, checked, described and loaded here and nowhere else.

checkpoints/NAME/
    config.json            {"class": "gan.ConditionalGenerator", "args": {...}}
    model.safetensors      fp16 weights, loaded into an fp32 module
    assets.safetensors     tensors that the tab needs beside the weights (directions, statistics, ...)
    assets/                pictures and curves
    golden/                inputs and outputs of one call, and for generators a picture with its recipe
    README.md              the card
    SHA256SUMS             of every file above

A diffusers pipeline has its own `model_index.json` and a folder a part, where the others have config and weights.
"""

import copy
import hashlib
import importlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor, nn

from imagegen.cards import Card
from imagegen.errors import CheckpointError
from imagegen.models.attention import WatchedAttention

__all__ = ["ASSETS", "CLASSES", "SUMS", "Checkpoint", "golden_output", "networks_of", "write_checkpoint"]

CLASSES = (
    "attributes.FaceAttributes",
    "autoencoder.FaceAutoencoder",
    "classic_gan.DcganGenerator",
    "classic_gan.MlpGenerator",
    "classifier.DigitClassifier",
    "diffusion.Denoiser",
    "gan.ConditionalDiscriminator",
    "gan.ConditionalGenerator",
    "sr.SuperResolver",
    "style.FastStyle",
    "style.FeatureNetwork",
    "vae.Vae",
)
"""Every class that a config may name, below `imagegen.models`."""
PIPELINES = ("StableDiffusionPipeline",)
"""Every class of diffusers that a `model_index.json` may name."""

MAX_SHARD = "8900KB"
"""Of tensors in a file, which with its header stays below 9 MB."""
SUMS = "SHA256SUMS"
ASSETS = "assets/tensors.safetensors"
PIPELINE_INDEX = "model_index.json"


class Checkpoint:
    """One folder of `checkpoints/`, opened without reading any weights."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name

    def card(self) -> Card:
        return Card.from_markdown(self._read("README.md").decode(errors="replace"))

    def rewrite_card(self, card: Card) -> None:
        """The card shows every drawing and sheet of pictures among the assets, but no time-lapse."""
        drawings = [name for name in self.files("assets") if re.fullmatch(r"assets/[\w-]+\.(svg|webp)", name)]
        self.add("README.md", card.to_markdown(self.name, drawings).encode())

    def add(self, name: str, content: bytes) -> None:
        """Write or replace one file, and with it the sums."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        _write_sums(self.folder)

    def sha256(self) -> str:
        """Names exactly these weights: the hash of the sums of config and weights."""
        lines = sorted(f"{digest}  {name}" for name, digest in self._sums().items() if _is_weights(name))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def verify(self) -> None:
        """Hash every file.

        Raises:
            CheckpointError: a file is missing, changed or not listed.
        """
        sums = self._sums()
        here = {p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if p.is_file()} - {SUMS}
        for name in sorted(here - sums.keys()):
            raise CheckpointError(
                "{file} is not listed in SHA256SUMS; take checkpoints/ again from git.", file=f"{self.name}/{name}"
            )
        for name, digest in sums.items():
            self._check(name, digest)

    def load(self) -> Any:
        """The network or pipeline in fp32 on the CPU, in evaluation mode, after hash and finiteness were checked.

        Raises:
            CheckpointError: something is missing, damaged, or not finite.
        """
        self.verify()
        try:
            model = self._load_pipeline() if (self.folder / PIPELINE_INDEX).exists() else self._load_network()
        except (AttributeError, KeyError, OSError, RuntimeError, TypeError, ValueError, SafetensorError) as problem:
            raise CheckpointError(
                "{name}: the weights do not fit: {problem}", name=self.name, problem=problem
            ) from problem
        for network in networks_of(model):
            for key, tensor in network.state_dict().items():
                if not tensor.isfinite().all():
                    raise CheckpointError(
                        "{name}: {tensor} holds values that are not finite.", name=self.name, tensor=key
                    )
            network.float().eval().requires_grad_(False)
        return model

    def files(self, folder: str) -> list[str]:
        """Names of the files in one of its folders, such as `assets/moments`, sorted."""
        return sorted(name for name in self._sums() if name.startswith(f"{folder}/"))

    def read(self, name: str) -> bytes:
        """One file, checked against its sum.

        Raises:
            CheckpointError: it is missing or damaged.
        """
        digest = self._sums().get(name)
        if digest is None:
            raise CheckpointError("{file} is missing; take checkpoints/ again from git.", file=f"{self.name}/{name}")
        self._check(name, digest)
        return self._read(name)

    def tensors(self, name: str) -> dict[str, Tensor]:
        """Tensors of `assets/tensors.safetensors` or `golden/tensors.safetensors`."""
        content = self.read(name)
        try:
            return load(content)
        except SafetensorError as problem:
            raise CheckpointError("{file} cannot be read.", file=f"{self.name}/{name}") from problem

    def _load_network(self) -> nn.Module:
        from huggingface_hub import load_torch_model

        model = self._build()
        load_torch_model(model, self.folder, strict=True, safe=True)
        return model

    def _load_pipeline(self) -> Any:
        import diffusers
        import transformers

        if (class_name := json.loads(self._read(PIPELINE_INDEX)).get("_class_name")) not in PIPELINES:
            raise CheckpointError("{name} names an unknown class.", name=self.name)
        for library in (diffusers, transformers):
            library.utils.logging.disable_progress_bar()
        pipeline = getattr(diffusers, class_name).from_pretrained(
            self.folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
        )
        pipeline.set_progress_bar_config(disable=True)
        pipeline.unet.set_attn_processor(WatchedAttention())
        return pipeline

    def _build(self) -> nn.Module:
        config = json.loads(self._read("config.json"))
        if config.get("class") not in CLASSES:
            raise CheckpointError("{name} names an unknown class.", name=self.name)
        file, _, class_name = config["class"].partition(".")
        cls = getattr(importlib.import_module(f"imagegen.models.{file}"), class_name)
        return cls(**config["args"])  # type: ignore[no-any-return]

    def _read(self, name: str) -> bytes:
        try:
            return (self.folder / name).read_bytes()
        except OSError:
            raise CheckpointError(
                "{file} is missing; take checkpoints/ again from git.", file=f"{self.name}/{name}"
            ) from None

    def _sums(self) -> dict[str, str]:
        sums = {}
        for line in self._read(SUMS).decode(errors="replace").splitlines():
            digest, _, name = line.partition("  ")
            sums[name] = digest
        return sums

    def _check(self, name: str, digest: str) -> None:
        if hashlib.sha256(self._read(name)).hexdigest() != digest:
            raise CheckpointError(
                "{file} is damaged (its SHA-256 is not the one in SHA256SUMS); take checkpoints/ again from git.",
                file=f"{self.name}/{name}",
            )


def _is_weights(name: str) -> bool:
    return not name.startswith(("README.md", "assets/", "golden/"))


def _write_sums(folder: Path) -> None:
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != SUMS)
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(folder).as_posix()}" for p in files]
    (folder / SUMS).write_text("\n".join(lines) + "\n")


def write_checkpoint(
    folder: Path,
    model: Any,
    config: Mapping[str, Any],
    card: Card,
    example: Mapping[str, Tensor],
    assets: Mapping[str, Tensor],
) -> Checkpoint:
    """Make or replace `folder` whole.

    Args:
        model: a network or a diffusers pipeline; its weights are stored as fp16.
        config: {"class": ..., "args": ...} that rebuilds a network; a pipeline brings its own.
        example: inputs of one call; they and the outputs of the weights as stored are the golden tensors.
        assets: tensors for `assets/tensors.safetensors`.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "golden").mkdir(parents=True)
    if isinstance(model, nn.Module):
        _save_network(model, config, partial)
    else:
        _save_pipeline(model, partial)
    if assets:
        (partial / "assets").mkdir()
        save_file({key: t.contiguous() for key, t in assets.items()}, partial / ASSETS)
    _write_sums(partial)
    with torch.no_grad():
        output = golden_output(Checkpoint(partial).load(), example)
    save_file({**example, "output": output.contiguous()}, partial / "golden" / "tensors.safetensors")
    (partial / "README.md").write_text(card.to_markdown(folder.name), encoding="utf-8")
    _write_sums(partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return Checkpoint(folder)


def golden_output(model: Any, example: Mapping[str, Tensor]) -> Tensor:
    """What the golden tensors hold: `model(**example)`, for a pipeline one call through each of its networks.

    Args:
        example: of a pipeline: `input_ids` (B, L), `x_t` (B, C, H, W) and `timesteps` (B,).
    """
    if isinstance(model, nn.Module):
        return model(**example)  # type: ignore[no-any-return]
    words = model.text_encoder(example["input_ids"]).last_hidden_state
    prediction = model.unet(example["x_t"], example["timesteps"], words).sample
    return model.vae.decode(prediction).sample  # type: ignore[no-any-return]


def _save_network(model: nn.Module, config: Mapping[str, Any], folder: Path) -> None:
    from huggingface_hub import save_torch_state_dict

    half = {key: t.half() if t.is_floating_point() else t for key, t in model.state_dict().items()}
    save_torch_state_dict(half, folder, max_shard_size=MAX_SHARD)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def _save_pipeline(pipeline: Any, folder: Path) -> None:
    """Each part by its own library, and the index that names them."""
    for name, part in pipeline.components.items():
        if isinstance(part, nn.Module):
            half: Any = copy.deepcopy(part).half()
            half.save_pretrained(folder / name, max_shard_size=MAX_SHARD)
        elif part is not None:
            part.save_pretrained(folder / name)
    pipeline.save_config(folder)
    # transformers computes in the type that its config names: without this, plain diffusers would mix fp16 and fp32
    config = folder / "text_encoder" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"dtype": "float32"}, indent=2) + "\n")


def networks_of(model: Any) -> list[nn.Module]:
    """The model itself, or the networks among the parts of a pipeline."""
    parts = [model] if isinstance(model, nn.Module) else model.components.values()
    return [part for part in parts if isinstance(part, nn.Module)]
