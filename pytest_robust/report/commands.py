"""The commands that a run prints; they work in the folder that pytest was started in."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pytest_robust.settings import Settings


def typed(path: Path, here: Path) -> str:
    """A path as one would type it in the folder `here`."""
    try:
        return Path(os.path.relpath(path, here)).as_posix()
    except ValueError:  # another drive
        return str(path)


def repeated(settings: Settings, models: Collection[str], profile: str | None) -> list[str]:
    """Options that a command must repeat to measure the same thing against the same goldens.

    Args:
        settings: the run's options.
        models: the models of the specs that the command names.
        profile: the profile that was applied to them.
    """
    candidates = settings.candidates.items()
    options = [f"--robust-model={name}={path}" for name, path in candidates if name in models]
    if settings.device != "auto":
        options.append(f"--robust-device={settings.device}")
    if profile:
        options.append(f"--robust-profile={profile}")
    if settings.golden:
        options.append(f"--robust-golden={settings.golden}")
    return options


def quoted(words: Sequence[str]) -> str:
    """Words as a shell takes them."""
    return " ".join(map(shlex.quote, words))
