"""Two languages, none of them with a hole: every word on the page and every error that reaches it."""

import ast
import json
import re
import string
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from serving import ROOT
from starlette.requests import Request

from imagegen import errors
from imagegen.data.faces import ATTRIBUTES
from imagegen.errors import InputError
from imagegen.models.diffusion import SCHEDULES
from imagegen.models.gan import MEASURES
from imagegen.recipes import Recipe
from imagegen.tasks import checks, classic_gan, style_slow, vae
from imagegen.tasks.diffusion import DIGITS, FACES
from imagegen.tasks.diffusion_experiments import LANES
from imagegen.tasks.gan import DIRECTIONS
from imagegen.tasks.registry import TASKS
from imagegen.tasks.sr import FAITHFUL, PLEASING, REAL
from imagegen.ui import TABS
from imagegen.ui.bringing import EXAMPLES, STYLES
from imagegen.ui.diffusion_views import TRAITS, curves
from imagegen.ui.editing import EXAMPLES as PARTS
from imagegen.ui.editing_views import MODES
from imagegen.ui.gan_trainings import BROKEN, FIGURES, GENERATORS
from imagegen.ui.language import LANGUAGES, T, explain, i18n, locale, visitor_language
from imagegen.ui.sr_views import BICUBIC

PACKAGE = Path(errors.__file__).parent
UI = PACKAGE / "ui"
OFF_THE_PAGE = (
    "training/",
    "data/",
    "engines/fetching.py",
    "engines/folders.py",
    "engines/opening.py",
    "cli.py",
    "__main__.py",
)
"""Modules whose errors only a terminal shows."""

ENGLISH, CHINESE = locale("en"), locale("zh")


def calls(*names: str, under: Path = PACKAGE) -> Iterator[ast.Call]:
    """Calls of these functions or methods, in modules that the page reaches."""
    for module in sorted(under.rglob("*.py")):
        if not module.relative_to(PACKAGE).as_posix().startswith(OFF_THE_PAGE):
            for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in names:
                    yield node


def strings(node: ast.AST) -> list[str]:
    return [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def placeholders(words: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(words) if name is not None}


TEMPLATES = {call.args[0].value: call for call in calls(*errors.__all__) if isinstance(call.args[0], ast.Constant)}
WORDS = [key for key in CHINESE if key not in TEMPLATES and not key.startswith("field.")]
SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in sorted((UI / "static").glob("*.js"))}
"""What the page runs; its words are looked up by `t("key")`, sometimes by a key that was chosen before."""


def test_every_error_on_the_page_has_a_literal_template() -> None:
    for call in calls(*errors.__all__):
        assert isinstance(call.args[0], ast.Constant), ast.unparse(call)


@pytest.mark.parametrize("template", sorted(TEMPLATES), ids=lambda template: template[:40])
def test_an_error_can_be_said_in_chinese(template: str) -> None:
    given = {keyword.arg for keyword in TEMPLATES[template].keywords}
    assert placeholders(template) == given
    assert placeholders(CHINESE[template]) == given
    assert re.search("[\u4e00-\u9fff]", CHINESE[template])


def test_every_field_that_an_error_names_has_a_chinese_name() -> None:
    checked = [word for call in calls("whole", "number", "seed", under=PACKAGE / "tasks") for word in strings(call)]
    chosen = [word for call in calls("choice", "flag") for word in strings(call.args[0])]
    lists = [word for call in calls("choices", "numbers") for word in strings(call.args[0])]
    each = [f"each of {name}" for name in lists]
    named = {*checked, *chosen, *lists, *each, *(field.name for field in fields(Recipe))}
    assert {"digit", "seed", "each direction", "each of offsets", "each of wanted", "solver", "task"} <= named
    assert sorted(name for name in named if f"field.{name}" not in CHINESE) == []


def test_both_languages_have_the_same_words_and_placeholders() -> None:
    assert sorted(ENGLISH) == sorted(WORDS)
    for key in ENGLISH:
        assert placeholders(CHINESE[key]) == placeholders(ENGLISH[key]), key
        assert ENGLISH[key].strip()
        assert CHINESE[key].strip()


LAPSES = (*GENERATORS, *BROKEN, *vae.PLANES, vae.DIGITS, vae.FACES, DIGITS, FACES)
HISTORIES = [json.loads((ROOT / "checkpoints" / name / "assets" / "history.json").read_text()) for name in LAPSES]
LOSSES = {key for history in HISTORIES for key in history[0]} - {"step", "seconds"}
"""That the time-lapses of the shipped checkpoints plot."""

PUT_TOGETHER = {
    *(f"{tab}.tab" for tab in TABS),
    *(f"gan.direction.{name}" for name in (*MEASURES, *(f"form{i + 1}" for i in range(DIRECTIONS)))),
    *(f"made.{name}" for name in TASKS),
    *(f"start.{tab}" for tab in TABS),
    *(f"example.{name}" for name in (*EXAMPLES, *STYLES)),
    *("photo.own", "painting.own"),
    *(f"style.features.{name}" for name in style_slow.NETWORKS),
    *(f"style.pooling.{name}" for name in style_slow.POOLINGS),
    *(f"style.start.{name}" for name in (*style_slow.STARTS, "fast")),
    *(key for key in locale("en") if key.startswith("styles.")),
    *(f"grams.{name}" for name in ("painting", "photo", "result")),
    *(f"sr.way.{name}{text}" for name in (BICUBIC, FAITHFUL, PLEASING, REAL, "truth") for text in ("", ".text")),
    *(f"truth.{figure}" for figure in ("psnr", "ssim", "distance", "invented")),
    *(f"trio.{figure}" for figure in FIGURES),
    *(f"run.{name}{text}" for name in (*GENERATORS, classic_gan.FACES) for text in ("", ".text")),
    *(f"run.{name}" for name in LAPSES),
    *(f"lapse.curve.{loss}" for loss in LOSSES),
    *(f"diff.model.{name}" for name in (DIGITS, FACES)),
    *(f"diff.race.lane{i + 1}" for i in range(LANES)),
    *(f"denoise.{panel}{text}" for panel in ("x_t", "noise", "x0") for text in ("", ".text")),
    *(f"forward.{curve}" for curve in curves()),
    *(f"schedule.{name}" for name in SCHEDULES),
    *(f"edit.mode.{name}" for name in MODES),
    *(f"brush.region.{name}" for name in {*PARTS["en"].values(), *PARTS["zh"].values(), "left"}),
    *(f"edited.{panel}{text}" for panel in ("x_t", "seen", "together", "alone") for text in ("", ".text")),
    *(f"face.{name}" for name in TRAITS),
    *(f"face.attribute.{name}" for name in ATTRIBUTES),
}
"""Keys that the page makes of a word and a name."""


def keys_on_the_page() -> set[str]:
    in_python = {
        word
        for call in calls("T", "run_and_stop", under=UI)
        for part in (*call.args[:1], *(option.value for option in call.keywords if option.arg == "stop"))
        if not isinstance(part, ast.JoinedStr)
        for word in strings(part)
    }
    in_scripts = {key for script in SCRIPTS.values() for key in re.findall(r'\bt\("([^"]+)"', script)}
    sections = {key.split(".")[0] for key in ENGLISH if "." in key}
    chosen_before = {
        word
        for script in SCRIPTS.values()
        for word in re.findall(r'"([a-z]+(?:\.[a-z]+)+)"', script)
        if word.split(".")[0] in sections
    }
    on_the_server = {"error.title"}  # looked up in the visitor's language by `wiring.named`
    return in_python | on_the_server | in_scripts | chosen_before | PUT_TOGETHER


def test_every_word_that_the_page_asks_for_is_there() -> None:
    keys = keys_on_the_page()
    assert {"gan.tab", "verdict.odd", "sheet.save.one", "theme.dark"} <= keys
    assert sorted(keys - ENGLISH.keys()) == []


def test_no_word_is_left_over() -> None:
    assert sorted(ENGLISH.keys() - keys_on_the_page()) == []
    templates = {key for key in CHINESE if key not in ENGLISH and not key.startswith("field.")}
    assert sorted(templates - TEMPLATES.keys()) == []


def test_an_error_is_explained_in_the_language_of_the_visitor() -> None:
    with pytest.raises(InputError) as caught:
        checks.whole("second_digit", 11, 0, 9)
    assert explain(caught.value, "en") == "second_digit must be a whole number from 0 to 9."
    assert explain(caught.value, "zh") == "混入的数字必须是 0 到 9 的整数。"


def test_an_error_without_a_translation_is_still_explained() -> None:
    assert explain(InputError("{count} is odd.", count=3), "zh") == "3 is odd."


def visitor(**headers: str) -> gr.Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return gr.Request(Request({"type": "http", "headers": raw}))


@pytest.mark.parametrize(
    ("request_", "language"),
    [
        (None, "en"),
        (visitor(), "en"),
        (visitor(accept_language="de-DE,zh;q=0.5"), "en"),
        (visitor(accept_language="zh-TW,en;q=0.8"), "zh"),
        (visitor(accept_language="ZH"), "zh"),
        (visitor(accept_language="zh-CN", cookie="imagegen_language=en"), "en"),
        (visitor(accept_language="en-GB", cookie="a=b; imagegen_language=zh"), "zh"),
    ],
)
def test_the_choice_of_the_visitor_comes_before_that_of_the_browser(request_: Any, language: str) -> None:
    assert visitor_language(request_) == language


def test_the_page_knows_our_words_under_every_code_that_a_browser_may_ask_for() -> None:
    translations = i18n().translations
    for code in ("en", "zh", "zh-CN", "zh-TW"):
        assert translations[code]["gan.tab"] == locale(code[:2])["gan.tab"]
    assert {locale(language)["gan.tab"] for language in LANGUAGES} == {"GAN digits", "GAN 数字"}
    assert T("gan.tab").key == "gan.tab"
