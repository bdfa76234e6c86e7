"""How the page's events are wired."""

SILENT = {"show_progress": "hidden", "show_progress_on": [], "api_visibility": "private"}
"""No spinner, no endpoint for programs. With nothing to show progress on: Gradio otherwise tells every component that any
event has ever written to, at each piece that a stream brings, and copies all that it holds for it."""

QUICK = {"queue": False, **SILENT}
"""For what is done at once: no queue either."""

AS_WRITTEN = {"postprocess": False}
"""For what shows a model's text: Gradio takes away the indentation that all lines of it but the first share, which flattens
lists, and changes threads for every component at every update."""

BUSY = "Too many people are waiting at the moment; try again in a minute."
"""What a visitor is told whom the queue does not take."""
