"""The errors meant for users: their text is one plain sentence with the remedy, fit for a page or a terminal."""


def first_sentence(said: BaseException | str, most: int = 300) -> str:
    """Of what others say, for a sentence of ours; the kind of an error without words."""
    text = str(said).strip() or (type(said).__name__ if isinstance(said, BaseException) else "")
    return text.partition("\n")[0].partition(". ")[0].rstrip(".\r")[:most]


class Z1Error(Exception):
    """Base of every error this project raises on purpose; `str(error)` may be shown to a visitor."""


class BadInput(Z1Error, ValueError):
    """A value that came from outside is not usable; the text names the value and the remedy."""


class ContextOverflow(BadInput):
    """Prompt, window, hint and answer do not fit into the model's context together."""


class ModelUnavailable(Z1Error):
    """A model, or a benchmark's data, cannot be had: unknown id, no network, no model in a folder, too little memory."""


class EngineDead(Z1Error):
    """The engine's process is gone; every request on it is lost and a new engine has to be started."""


class Busy(Z1Error):
    """Every place of the engine is taken, and as many wait for one as may; the run has not begun."""
