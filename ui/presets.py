"""The windows on offer beside exact entry, bounded by what the model holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from z1_core.settings import Settings


@dataclass(frozen=True, slots=True)
class Preset:
    thinking_tokens: int
    total_tokens: int

    @classmethod
    def of(cls, settings: Settings) -> Preset:
        return cls(settings.thinking_tokens, settings.total_tokens)

    def put_into(self, settings: Settings) -> Settings:
        return settings.model_copy(update=asdict(self))

    def within(self, context_tokens: int | None) -> Preset:
        """The same where it fits, or nobody knows; else as much as leaves a quarter of the context for the prompt, two
        thirds of the rest for thinking."""
        if not context_tokens:
            return self
        most_total = min(self.total_tokens, max(context_tokens * 3 // 4, 2))
        return Preset(min(self.thinking_tokens, max(most_total * 2 // 3, 1)), most_total)


PRESETS = {"Quick": Preset(256, 768), "Balanced": Preset(1024, 2048), "Deep": Preset(4096, 6144)}


def fitted(settings: Settings, context_tokens: int | None) -> Settings:
    """A preset leaves room for the prompt where the model holds little: nobody chose its numbers."""
    chosen = Preset.of(settings)
    return settings if chosen not in PRESETS.values() else chosen.within(context_tokens).put_into(settings)


def brought_back(settings: Settings, context_tokens: int | None) -> Settings:
    """As fitted, and numbers beyond what the model holds become the nearest that it does."""
    chosen = Preset.of(settings)
    holds = not context_tokens or max(chosen.thinking_tokens, chosen.total_tokens) <= context_tokens
    return fitted(settings, context_tokens) if holds else chosen.within(context_tokens).put_into(settings)


def preset_of(chosen: Preset, context_tokens: int | None, before: str) -> str:
    """The name of the preset with these numbers, "" for others. before: the one shown now, which stays where a small
    context makes two the same."""
    same = [name for name, preset in PRESETS.items() if preset.within(context_tokens) == chosen]
    return before if before in same else next(iter(same), "")
