"""The page's parts. Only these modules and app.py import gradio."""
