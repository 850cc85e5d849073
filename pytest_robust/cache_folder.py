"""What marks a folder as a cache of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TAG = "CACHEDIR.TAG"
"""The file by which backup programs know a cache, and by which we know ours (bford.info/cachedir)."""

MARKS = {
    TAG: "Signature: 8a477f597d28d172789f06886806bc55\n# Made by pytest-robust; may be deleted at any time.\n",
    ".gitignore": "*\n",
}


def foreign(folder: Path) -> bool:
    """Whether a folder holds other things than a cache of ours, and so must not become one."""
    if not folder.exists() or (folder / TAG).exists():
        return False
    return not folder.is_dir() or any(not path.name.startswith(tuple(MARKS)) for path in folder.iterdir())
