"""Colours and type for gr.themes: warm paper by day, dark by the system's wish. The fonts come with Gradio,
whose files of other weights hold a part of the letters only."""

import gradio as gr

_STONE = gr.themes.Color(
    name="stone",
    c50="#fbfaf8", c100="#f4f1ec", c200="#e7e2da", c300="#d3ccc1", c400="#a39c92", c500="#7d766c",
    c600="#655f57", c700="#4a453f", c800="#34312c", c900="#1f1e1b", c950="#171614",
)  # fmt: skip
_RUST = gr.themes.Color(
    name="rust",
    c50="#fdf5ef", c100="#f6e7dc", c200="#edccb6", c300="#e3ab87", c400="#e08a57", c500="#c9652c",
    c600="#b4531f", c700="#974318", c800="#6f3213", c900="#4a2310", c950="#2c1509",
)  # fmt: skip

THEME = gr.themes.Base(
    primary_hue=_RUST,
    neutral_hue=_STONE,
    radius_size=gr.themes.sizes.radius_lg,
    font=[gr.themes.LocalFont("IBM Plex Sans", weights=(400, 700)), "system-ui", "sans-serif"],
    font_mono=[gr.themes.LocalFont("IBM Plex Mono", weights=(400, 700)), "ui-monospace", "monospace"],
).set(
    body_background_fill="*neutral_50",
    block_background_fill_dark="*neutral_900",
    block_border_width="0px",
    block_title_text_weight="600",
    block_title_text_color="*neutral_900",
    block_title_text_color_dark="*neutral_100",
    body_text_color="*neutral_900",
    body_text_color_dark="#ece8e1",
    body_text_color_subdued="*neutral_600",
    button_primary_background_fill="*primary_600",
    button_primary_background_fill_hover="*primary_700",
    button_secondary_background_fill="white",
    button_secondary_background_fill_dark="*neutral_900",
    button_secondary_border_color="*neutral_300",
    button_secondary_border_color_dark="*neutral_700",
    button_secondary_background_fill_hover="*neutral_100",
    button_secondary_background_fill_hover_dark="*neutral_800",
    input_border_width="1px",
    input_border_color="*neutral_300",
    input_placeholder_color="*neutral_500",
    input_placeholder_color_dark="*neutral_400",
    input_background_fill="white",
    input_background_fill_dark="*neutral_900",
)
