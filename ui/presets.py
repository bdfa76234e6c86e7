"""The windows on offer beside exact entry, bounded by what the model holds."""

from __future__ import annotations

from z1_core.settings import Settings

PRESETS = {"Quick": (256, 768), "Balanced": (1024, 2048), "Deep": (4096, 6144)}
"""Thinking tokens and total tokens."""


def with_numbers(settings: Settings, thinking_tokens: int, total_tokens: int) -> Settings:
    return settings.model_copy(update={"thinking_tokens": thinking_tokens, "total_tokens": total_tokens})


def within(numbers: tuple[int, int], context_tokens: int | None) -> tuple[int, int]:
    """The same where they fit, or nobody knows; else as much as leaves a quarter of the context for the prompt, two thirds
    of the rest for thinking."""
    if not context_tokens:
        return numbers
    thinking_tokens, total_tokens = numbers
    most_total = min(total_tokens, max(context_tokens * 3 // 4, 2))
    return min(thinking_tokens, max(most_total * 2 // 3, 1)), most_total


def fitted(settings: Settings, context_tokens: int | None, *, also_beyond: bool = False) -> Settings:
    """A preset leaves room for the prompt where the model holds little: nobody chose its numbers. also_beyond: numbers that
    the model does not hold become the nearest that it does, too."""
    numbers = settings.thinking_tokens, settings.total_tokens
    is_beyond = also_beyond and context_tokens and max(numbers) > context_tokens
    fits = numbers not in PRESETS.values() and not is_beyond
    return settings if fits else with_numbers(settings, *within(numbers, context_tokens))


def preset_of(settings: Settings, context_tokens: int | None, before: str) -> str:
    """The name of the preset with these numbers, "" for others. before: the one shown now, which stays where a small
    context makes two the same."""
    numbers = settings.thinking_tokens, settings.total_tokens
    same = [name for name, preset in PRESETS.items() if within(preset, context_tokens) == numbers]
    return before if before in same else next(iter(same), "")
