"""The look: calm paper and ink, one accent, roomy; light and dark. System fonts only, nothing is fetched."""

import gradio as gr
from gradio.themes.utils import sizes

__all__ = ["theme"]

PAPER, INK = "#f7f5f1", "#23262b"
NIGHT, CHALK = "#15171c", "#e9e6df"
ACCENT = gr.themes.Color(
    *("#eef0fb", "#dde1f6", "#bcc4ee", "#97a3e2", "#7483d6", "#5566c8"),
    *("#4454b4", "#39478f", "#2f3a73", "#252e5a", "#1a2040"),
    name="accent",
)
STONE = gr.themes.Color(
    *("#faf9f6", "#f2f0eb", "#e4e1da", "#cfcbc2", "#a09c93", "#77746d"),
    *("#5a5852", "#43423e", "#2c2c2c", "#1d1f24", "#15171c"),
    name="stone",
)
FONT = [
    "ui-sans-serif",
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "Noto Sans CJK SC",
    "PingFang SC",
    "sans-serif",
]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]


def theme() -> gr.themes.Base:
    """Gradio's base theme with our colours, corners and spacing."""
    base = gr.themes.Base(
        primary_hue=ACCENT,
        neutral_hue=STONE,
        radius_size=sizes.radius_lg,
        spacing_size=sizes.spacing_md,
        font=FONT,
        font_mono=MONO,
    )
    return base.set(
        body_background_fill=PAPER,
        body_background_fill_dark=NIGHT,
        body_text_color=INK,
        body_text_color_dark=CHALK,
        block_background_fill="#ffffff",
        block_background_fill_dark="#1d2026",
        block_border_color="#e7e4dd",
        block_border_color_dark="#2d3138",
        block_border_width="1px",
        block_shadow="none",
        layout_gap="14px",
        form_gap_width="1px",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_title_text_color="#5a5852",
        block_title_text_color_dark="#b4b0a8",
        block_title_text_weight="500",
        input_background_fill="#faf9f6",
        input_background_fill_dark="#15171c",
        slider_color="#4454b4",
        slider_color_dark="#97a3e2",
        button_primary_background_fill="#4454b4",
        button_primary_background_fill_hover="#39478f",
        button_primary_background_fill_dark="#5566c8",
        button_primary_background_fill_hover_dark="#7483d6",
        button_secondary_background_fill="#ffffff",
        button_secondary_background_fill_dark="#23272e",
        button_secondary_border_color="#dcd8cf",
        button_secondary_border_color_dark="#383d46",
    )
