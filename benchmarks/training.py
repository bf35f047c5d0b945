"""Pictures a second that each recipe trains with, on made-up data: python benchmarks/training.py --size small

Steps go in turn through the recipe's own code, batch and precision; the median of `--steps` is taken after warm-up.
"""

import statistics
import sys
import time
from pathlib import Path
from typing import Annotated

import torch
import typer
from accelerate import Accelerator
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parent.parent))

from imagegen.devices import choose_device, layout
from imagegen.training.loop import compile_networks
from imagegen.training.recipe import Step
from imagegen.training.recipes import RECIPES, build, made_up_data


def main(
    names: Annotated[list[str] | None, typer.Argument(help="All recipes by default.")] = None,
    size: Annotated[str, typer.Option(help="small or large.")] = "small",
    device: str = "auto",
    precision: Annotated[str, typer.Option(help="bf16 or no.")] = "bf16",
    steps: Annotated[int, typer.Option(min=1)] = 8,
    warm_up: Annotated[int, typer.Option(min=0)] = 3,
) -> None:
    accelerator = Accelerator(cpu=choose_device(device).type == "cpu", mixed_precision=precision)
    where = torch.cuda.get_device_name() if accelerator.device.type == "cuda" else f"{torch.get_num_threads()} threads"
    typer.echo(f"| recipe | batch | pictures a second ({size}, {precision}, {where}) |\n| --- | --- | --- |")
    for name in tqdm(names or list(RECIPES)):
        seconds, batch = time_steps(name, size, accelerator, steps, warm_up)
        tqdm.write(f"| `{name}` | {batch} | {batch / seconds:.0f} |")


def time_steps(name: str, size: str, accelerator: Accelerator, steps: int, warm_up: int) -> tuple[float, int]:
    """Median seconds of a step, and the pictures in it."""
    recipe = build(name, size, seed=0)
    data = made_up_data(recipe).to(accelerator.device)
    for network in (*recipe.networks.values(), *recipe.frozen.values()):
        network.to(accelerator.device, memory_format=layout(network, accelerator.device))  # type: ignore[call-overload]
    if accelerator.device.type == "cuda":
        compile_networks(recipe)
    rng = torch.Generator().manual_seed(0)
    times = []
    for index in range(warm_up + steps):
        chosen = torch.randint(len(data), (recipe.batch,), generator=rng).to(accelerator.device)
        start = time.perf_counter()
        measured = recipe.step(*data[chosen], Step(accelerator, 0, index, 1000, recipe.batch))
        float(sum(measured.values()))  # waits for the device
        times.append(time.perf_counter() - start)
    return statistics.median(times[warm_up:]), recipe.batch


if __name__ == "__main__":
    typer.run(main)
