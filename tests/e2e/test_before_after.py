"""The before/after widget by itself, on the app's own page: mouse, finger and keys move the handle."""

import io

import pytest
from e2e.browsing import PATIENCE, SETTLED
from e2e.visiting import encoded
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from imagegen.ui.language import locale
from imagegen.ui.widgets import STATIC, data_url

pytestmark = pytest.mark.browser

START = """([script, value]) => {
  const element = document.body.appendChild(document.createElement("div"));
  element.innerHTML = '<div class="before-after" style="width:400px;position:fixed;top:0;left:0;z-index:99"></div>';
  const told = {};
  const props = {};
  let kept = value;
  Object.defineProperty(props, "value", { get: () => kept, set: (next) => { kept = next; told.value?.(); } });
  window.shown = props;
  const run = new Function("element", "props", "watch", "trigger", script);
  run(element, props, (name, call) => { told[name] = call; }, () => {});
}"""


def pair(*colours: str, size: tuple[int, int] = (80, 40)) -> dict[str, str]:
    urls = [data_url(encoded(Image.new("RGB", size, colour))) for colour in colours]
    return dict(zip(("before", "after"), urls, strict=True))


@pytest.fixture
def widget(page: Page) -> Locator:
    page.evaluate(START, [(STATIC / "before-after.js").read_text(encoding="utf-8"), pair("red", "blue")])
    widget = page.locator(".before-after")
    expect(widget).to_have_attribute("data-drawn", "1", timeout=PATIENCE)
    return widget


def share(widget: Locator) -> float:
    """How far to the right the second picture begins."""
    return float(widget.locator(".compare").evaluate("root => parseFloat(root.style.getPropertyValue('--at'))")) / 100


def test_the_handle_follows_mouse_and_keys(widget: Locator, page: Page) -> None:
    box = widget.locator(".compare").bounding_box()
    assert box
    assert box["width"] / box["height"] == pytest.approx(2, abs=0.05)  # as the pictures are
    assert share(widget) == 0.5
    for x in (0.2, 0.8, 0.37):
        page.mouse.click(box["x"] + x * box["width"], box["y"] + 10)
        assert share(widget) == pytest.approx(x, abs=0.02)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 10, steps=4)
    page.mouse.up()
    assert share(widget) == pytest.approx(0.9, abs=0.02)
    for key, step in (("ArrowLeft", -0.01), ("ArrowRight", 0.01), ("Home", None)):
        before = share(widget)
        widget.get_by_role("slider").press(key)
        assert share(widget) == (0 if step is None else pytest.approx(before + step))


def test_left_of_the_handle_is_before_and_right_of_it_after(widget: Locator) -> None:
    for name in ("compare.before", "compare.after"):
        expect(widget).to_contain_text(locale("en")[name])
    widget.page.wait_for_timeout(SETTLED)
    seen = Image.open(io.BytesIO(widget.locator(".compare").screenshot())).convert("RGB")
    assert seen.getpixel((seen.width // 4, 10)) == (255, 0, 0)
    assert seen.getpixel((3 * seen.width // 4, 10)) == (0, 0, 255)


def test_new_pictures_leave_the_handle_where_it_stands(widget: Locator, page: Page) -> None:
    widget.get_by_role("slider").press("End")
    page.evaluate("value => { window.shown.value = value; }", pair("red", "lime", size=(40, 40)))
    expect(widget).to_have_attribute("data-drawn", "2", timeout=PATIENCE)
    assert share(widget) == 1
    page.evaluate("window.imagegen.setLanguage('zh')")
    expect(widget).to_contain_text(locale("zh")["compare.after"])
    assert share(widget) == 1


def test_a_finger_moves_it_too(widget: Locator, page: Page) -> None:
    box = widget.locator(".compare").bounding_box()
    assert box
    wire = page.context.new_cdp_session(page)
    for kind, x in (("touchStart", 0.5), ("touchMove", 0.6), ("touchMove", 0.7), ("touchEnd", None)):
        points = [] if x is None else [{"x": box["x"] + x * box["width"], "y": box["y"] + 30}]
        wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert share(widget) == pytest.approx(0.7, abs=0.03)
