"""English and Chinese: the words of the page, and the language of each visitor.

Static words reach the page through `gr.I18n` and switch with the page's locale. Widgets of ours look the same
keys up in `page.js`. Errors are English templates (see `imagegen.errors`); their Chinese is looked up by template.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.requests import Request

from imagegen.errors import ImageGenError

__all__ = ["LANGUAGES", "T", "explain", "i18n", "locale", "visitor_language"]

LANGUAGES = ("en", "zh")
FOLDER = Path(__file__).parent / "locales"


@cache
def locale(language: str) -> dict[str, str]:
    """Key -> words, in one language; errors have their English template as the key."""
    return json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


@cache
def i18n() -> gr.I18n:
    """Our words under every locale code that a browser may ask for."""
    english, chinese = locale("en"), locale("zh")
    return gr.I18n(**{"en": english, "zh": chinese, "zh-CN": chinese, "zh-TW": chinese})


def T(key: str) -> Any:  # noqa: N802 (reads as the translation of a key)
    """Words that the page looks up in the visitor's language."""
    return i18n()(key)


def visitor_language(request: gr.Request | Request | None) -> str:
    """`en` or `zh`: the choice that the page keeps in a cookie, else what the browser asks for first."""
    if request is None or request.headers is None:
        return "en"
    chosen = request.cookies.get("imagegen_language")
    wanted = chosen or str(request.headers.get("accept-language", ""))
    return "zh" if wanted.lower().startswith("zh") else "en"


def explain(problem: ImageGenError, language: str) -> str:
    """What went wrong and what to do, in the visitor's language."""
    template = locale(language).get(problem.template, problem.template)
    values = {key: locale(language).get(f"field.{value}", value) for key, value in problem.values.items()}
    return template.format(**values)
