"""Which files the ini key `robust_files` means."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase, translate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def matches(path: Path, pattern: str, base: Path) -> bool:
    """Whether a file matches a pattern of the ini file in the folder `base`.

    A pattern without a slash matches a file's name in any folder. One with a slash matches its path relative to
    `base`, part by part; the part ``**`` stands for any number of folders, none included.
    """
    if "/" not in pattern:
        return fnmatchcase(path.name, pattern)
    if not path.is_relative_to(base):
        return False
    parts = []
    for part in pattern.removeprefix("./").split("/"):
        # translate() gives "(?s:...)\\Z"; within one part a wildcard stops at a slash
        parts.append("(?:[^/]+/)*" if part == "**" else translate(part)[4:-3].replace(".*", "[^/]*") + "/")
    return re.fullmatch("".join(parts).removesuffix("/"), path.relative_to(base).as_posix()) is not None
