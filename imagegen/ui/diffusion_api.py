"""The diffusion tab's named endpoints, for programs: `/diffuse_forward`, `/diffuse_sample` and `/diffuse_race`."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import Any

from PIL import Image

from imagegen.errors import InputError
from imagegen.images import grid, to_pictures
from imagegen.models.diffusion import SCHEDULES
from imagegen.recipes import to_png
from imagegen.store import ModelStore
from imagegen.tasks import checks
from imagegen.tasks import diffusion as task
from imagegen.tasks import diffusion_experiments as experiments
from imagegen.tasks.registry import recipe_of, task_of
from imagegen.ui import diffusion_views as views
from imagegen.ui.widgets import handed_over, plain_png
from imagegen.ui.wiring import JOB, NOTHING, Pace, endpoint, fields, picture_out, pictures_in, steps_in_turn

__all__ = ["add_endpoints"]

COLUMNS = 10


def add_endpoints(store: ModelStore) -> None:
    """Add all to the page's API."""
    models = views.models(store)

    def asked(model: str, digit: int | None, wanted: Any, unwanted: Any, **values: Any) -> task.DiffusionRequest:
        if checks.choice("model", model, models) == task.DIGITS:
            return task.DigitRequest(digit=digit, **values)
        return task.FaceRequest(wanted=wanted, unwanted=unwanted, **values)

    def diffuse_forward(picture: Image.Image | None, t: int, seed: int) -> tuple[str | None, Any]:
        """Drown a picture in noise.

        Args:
            picture: at least 8 pixels a side; it is made smaller first where a side is longer than 128.
            t: noise level, 0 to 999.
            seed: of the noise, 0 to 2^32 - 1.

        Returns:
            One PNG with x_t by the cosine, linear and scaled-linear schedules, and the share of the picture's
            variance that is left in each.
        """
        if picture is None:
            raise InputError("There is no picture yet; draw one, upload one or make one first.")
        request = experiments.ForwardRequest(views.small(picture), t, seed)
        step = store.turn.run("live", lambda: experiments.drown(request))
        sheet = grid(to_pictures(step.images), len(SCHEDULES), gap=0)
        left = dict(zip(SCHEDULES, step.alphas_cumprod.tolist(), strict=True))
        return handed_over(plain_png(sheet), "drowned.png", {"t": request.t, "alphas_cumprod": left})

    def diffuse_sample(
        model: str,
        digit: int | None,
        wanted: list[str],
        unwanted: list[str],
        count: int,
        seed: int,
        solver: str,
        steps: int,
        guidance_scale: float,
        eta: float,
    ) -> Iterator[tuple[str | None, Any]]:
        """Draw pictures out of noise, step by step.

        Args:
            model: ddpm-mnist or ddpm-celeba.
            digit: for ddpm-mnist, 0 to 9, or nothing for all ten in turn.
            wanted: for ddpm-celeba, CelebA's names of attributes, such as Smiling.
            unwanted: attributes that are not to be there.
            count: how many, 1 to 64; picture i is drawn from seed + i.
            seed: 0 to 2^32 - 1.
            solver: ddim, ddpm, dpm++, euler or unipc.
            steps: calls of the network, 1 to 100.
            guidance_scale: 0 draws whatever comes, 1 what is asked for, up to 8 more so.
            eta: fresh noise of ddim's steps, 0 to 1.

        Returns:
            Now and then one PNG with what the network takes the pictures to be, ten in a row, and where it stands;
            the last is the result, with its recipe.
        """
        values = {"count": count, "seed": seed, "solver": solver, "steps": steps, "eta": eta}
        request = asked(model, digit, wanted, unwanted, guidance_scale=guidance_scale, **values)
        recipe = recipe_of(task_of(request), request, store)
        pace = Pace()
        for step in steps_in_turn(task.run(request, store), store, "job"):
            done = step.index == step.total
            if not (pace.due() or done):
                yield NOTHING
                continue
            sheet = grid(to_pictures(store.turn.run("job", partial(getattr, step, "images"))), COLUMNS, gap=0)
            about = {"step": step.index, "of": step.total, "timestep": step.timestep}
            if done:
                yield handed_over(to_png(sheet, recipe), "pictures.png", about | {"recipe": asdict(recipe)})
            else:
                yield handed_over(plain_png(sheet), "preview.png", about)

    def diffuse_race(
        model: str,
        digit: int | None,
        wanted: list[str],
        unwanted: list[str],
        seed: int,
        guidance_scale: float,
        lanes: list[tuple[str, int]],
    ) -> Iterator[tuple[str | None, Any]]:
        """Let solvers race from the same noise.

        Args:
            model: ddpm-mnist or ddpm-celeba.
            digit: for ddpm-mnist, 0 to 9, or nothing for 0.
            wanted: for ddpm-celeba, CelebA's names of attributes, such as Smiling.
            unwanted: attributes that are not to be there.
            seed: 0 to 2^32 - 1.
            guidance_scale: 0 draws whatever comes, 1 what is asked for, up to 8 more so.
            lanes: two or three pairs of solver and steps, such as [["ddim", 10], ["unipc", 10]].

        Returns:
            At the end, one PNG with the pictures side by side, and of each lane its steps, network calls and seconds.
        """
        diffusion = asked(model, digit, wanted, unwanted, seed=seed, guidance_scale=guidance_scale)
        request = experiments.RaceRequest(diffusion, lanes)
        last: dict[int, experiments.RaceStep] = {}
        for step in steps_in_turn(experiments.race(request, store), store, "job"):
            last[step.lane] = step
            yield NOTHING
        ends = [last[lane] for lane in range(len(request.lanes))]
        about = [
            {"solver": name, "steps": steps, "calls": end.calls, "seconds": round(end.seconds, 4)}
            for (name, steps), end in zip(request.lanes, ends, strict=True)
        ]
        yield handed_over(
            plain_png(grid([to_pictures(end.images)[0] for end in ends], len(ends), gap=0)), "race.png", about
        )

    endpoint(diffuse_forward, {**pictures_in("picture"), **fields(t=500, seed=0)}, picture_out())
    common: dict[str, Any] = {"model": task.DIGITS, "digit": None, "wanted": [], "unwanted": []}
    rest = {"count": 1, "seed": 0, "solver": "unipc", "steps": 20, "guidance_scale": 1.25, "eta": 0}
    endpoint(diffuse_sample, fields(**common, **rest), picture_out(), JOB)
    lanes = [["ddim", 10], ["unipc", 10]]
    endpoint(diffuse_race, fields(**common, seed=0, guidance_scale=1.25, lanes=lanes), picture_out(), JOB)
