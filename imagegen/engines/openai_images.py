"""Models behind OpenAI's Images API, or behind a server that speaks it.

The key comes from the environment and goes to the service, and into no message: what the service says of a refusal is
not repeated, as it may hold parts of the key.
"""

import base64
import hashlib
import os
import re
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import torch

from imagegen.engines.engine import AUTO, Asked, Painted
from imagegen.errors import EngineError, ImageGenError, InputError
from imagegen.images import MAX_FILE_BYTES, open_picture, to_tensor

__all__ = ["MODELS", "OpenAIImages"]

KEY = "OPENAI_API_KEY"
MODELS = ("gpt-image-2.5-flare", "gpt-image-2.5-sunburst", "gpt-image-2", "gpt-image-1.5", "gpt-image-1-mini")
"""That `openai` stands for, of those that its library names in November 2026."""
SIZES = {
    "dall-e-2": ("1024x1024", "512x512", "256x256"),
    "dall-e-3": ("1024x1024", "1792x1024", "1024x1792"),
}
NEWER_SIZES = ("1024x1024", "1536x1024", "1024x1536")
MAX_COUNT = 4
TIMEOUT = 180.0
"""Seconds that a picture may take."""
RETRIES = 2
"""After an answer that says it was too early, or that the service has a fault; the library waits as it is told."""
BEAT = 0.25
"""Seconds between looks at whether the answer is there."""
REFUSALS = ("moderation_blocked", "content_policy_violation")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)


class OpenAIImages:
    """One model. It takes no seed, so that its pictures cannot be made again.

    Raises:
        EngineError: the `openai` library or the key is missing, or the model's name is none.
    """

    remote = True
    heeds = frozenset({"size"})
    solvers: tuple[str, ...] = ()
    max_count = MAX_COUNT

    def __init__(self, model: str, timeout: float = TIMEOUT) -> None:
        if not find_spec("openai"):
            raise EngineError("The openai engine needs the openai library: pip install openai")
        if not os.environ.get(KEY):
            raise EngineError("The openai engine needs a key: put it into the environment as {key}.", key=KEY)
        if not _NAME.fullmatch(model):
            raise EngineError("{model} is not the name of a model.", model=repr(model))
        self.model, self.timeout = model, timeout
        self.name = f"openai/{model}"
        self.sizes: tuple[str, ...] = SIZES.get(model, NEWER_SIZES)

    def sha256(self) -> str:
        return hashlib.sha256(self.name.encode()).hexdigest()

    def tokenizer(self) -> Any:
        return None

    def paint(self, asked: Asked) -> Iterator[Painted]:
        """Beats while the service is waited for, so that nobody else has to, and then the pictures."""
        answered = threading.Event()
        answers: list[Any] = []

        def work() -> None:
            try:
                answers.append(self._ask(asked))
            except Exception as problem:
                answers.append(problem)
            answered.set()

        threading.Thread(target=work, name="openai", daemon=True).start()
        while not answered.wait(BEAT):
            yield Painted(index=0, total=1)
        if isinstance(answers[0], Exception):
            raise answers[0]
        yield Painted(index=1, total=1, result=torch.cat(answers[0]))

    def _ask(self, asked: Asked) -> list[torch.Tensor]:
        """Each picture as (1, 3, H, W); dall-e-3 is asked for one at a time."""
        import openai

        count = len(asked.seeds)
        options: dict[str, Any] = {"size": self.sizes[0] if asked.size == AUTO else asked.size}
        if self.model in SIZES:
            options["response_format"] = "b64_json"  # the newer ones know nothing else
        at_once = 1 if self.model == "dall-e-3" else count
        pictures: list[torch.Tensor] = []
        try:
            with openai.OpenAI(timeout=self.timeout, max_retries=RETRIES) as client:
                while len(pictures) < count:
                    answer = client.images.generate(prompt=asked.prompt, model=self.model, n=at_once, **options)
                    pictures += [_picture(each) for each in answer.data or ()][: count - len(pictures)] or [_nonsense()]
        except openai.OpenAIError as problem:
            raise self._explained(problem) from None
        except (AttributeError, TypeError, ValueError):
            _nonsense()
        if len({picture.shape for picture in pictures}) > 1:
            _nonsense()
        return pictures

    def _explained(self, problem: Exception) -> ImageGenError:
        import openai

        code = str(getattr(problem, "code", None) or "")
        match problem:
            case openai.APITimeoutError():
                return EngineError(
                    "{name} did not answer within {seconds:g} seconds. Try again.",
                    name=self.name,
                    seconds=self.timeout,
                )
            case openai.APIConnectionError():
                return EngineError("The service of {name} cannot be reached from here.", name=self.name)
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                return EngineError(
                    "The service does not let this key use {name}. Set {key} anew.", name=self.name, key=KEY
                )
            case openai.RateLimitError() if code == "insufficient_quota":
                return EngineError("The account of this key has nothing left to spend on {name}.", name=self.name)
            case openai.RateLimitError():
                return EngineError("{name} is asked too much at the moment. Try again in a minute.", name=self.name)
            case openai.NotFoundError():
                return EngineError("The service knows no model {model}.", model=self.model)
            case openai.BadRequestError() if code in REFUSALS:
                return InputError(
                    "{name} refused to paint this: its service takes the prompt or the picture for one that should not "
                    "be painted. Try another prompt.",
                    name=self.name,
                )
            case openai.APIStatusError():
                return EngineError(
                    "The service of {name} refused with status {status}.", name=self.name, status=problem.status_code
                )
        return _bad_answer()


def _picture(answer: Any) -> torch.Tensor:
    if not isinstance(answer.b64_json, str) or len(answer.b64_json) > 2 * MAX_FILE_BYTES:
        _nonsense()
    try:
        return to_tensor(open_picture(base64.b64decode(answer.b64_json, validate=True)))
    except InputError:  # its words are for a visitor who chose the file
        raise _bad_answer() from None


def _bad_answer() -> EngineError:
    return EngineError("The service answered with something that is no picture.")


def _nonsense() -> Any:
    raise _bad_answer()
