"""How the page's events are wired."""

QUICK = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
"""For what is done at once: no queue, no spinner, no endpoint for programs."""
