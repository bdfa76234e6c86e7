"""How every program of the project ends: with 0, or with one sentence and a code that says why."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec

from z1_core.errors import Z1Error

Words = ParamSpec("Words")

ENGINE = "requirements.txt, or requirements-cpu.txt without a GPU"


@contextmanager
def needed() -> Iterator[None]:
    """Around a program's imports: outside of the virtual environment the first of them fails."""
    try:
        yield
    except ModuleNotFoundError as missing:
        sys.exit(
            f"error: {missing.name} is not installed for this Python: `make demo`, or `. .venv/bin/activate` behind it, "
            "or pip install -r requirements-cpu.txt"
        )


def program(
    *, stopped: str = "stopped", needs: str = ENGINE
) -> Callable[[Callable[Words, int | None]], Callable[Words, int]]:
    """Decorator of a main(): 0 or what it returns, 2 with the sentence of an error that is meant for users, 130 behind
    Ctrl+C with `stopped`.

    needs: the requirements file that brings a package which is not installed.
    """

    def decorate(main: Callable[Words, int | None]) -> Callable[Words, int]:
        @wraps(main)
        def run(*args: Words.args, **options: Words.kwargs) -> int:
            try:
                return main(*args, **options) or 0
            except (Z1Error, OSError) as error:
                print(f"error: {_sentence(error)}", file=sys.stderr)
                return 2
            except ModuleNotFoundError as error:
                package = (error.name or str(error)).partition(".")[0]
                print(f"error: {package} is not installed; pip install -r {needs}", file=sys.stderr)
                return 2
            except KeyboardInterrupt:
                print(f"\n{stopped}", file=sys.stderr)
                return 130

        return run

    return decorate


def say(stage: str) -> None:
    """What a program is about to do, above its bar where it has one."""
    from tqdm import tqdm

    tqdm.write(f"{stage} ...", file=sys.stderr)


def _sentence(error: Z1Error | OSError) -> str:
    """Python's own text of an OSError begins with a number that says nothing to a user."""
    named = isinstance(error, OSError) and error.filename and error.strerror
    if isinstance(error, FileNotFoundError) and named:
        return f"there is no {error.filename}; check the name"
    return f"{error.filename}: {error.strerror}" if named else getattr(error, "strerror", None) or str(error)
