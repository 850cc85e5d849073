"""The GPUs that a run may use, known without loading anything that uses them, and each worker's one of them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

VISIBLE = "CUDA_VISIBLE_DEVICES"
_DRIVER = Path("/proc/driver/nvidia")
_ENTRY = re.compile(r"\d+|(?:GPU|MIG)-[0-9A-Za-z/-]+")


def visible_gpus(driver: Path = _DRIVER) -> list[str]:
    """The GPUs of this machine that CUDA shows this process, each as an entry of `CUDA_VISIBLE_DEVICES`.

    Args:
        driver: where the NVIDIA driver lists its GPUs.
    """
    try:
        count = len(list((driver / "gpus").iterdir()))
    except OSError:
        count = 0
    return chosen(os.environ.get(VISIBLE), count)


def chosen(listed: str | None, count: int) -> list[str]:
    """The entries of `CUDA_VISIBLE_DEVICES` that count, as CUDA reads it.

    An entry is a number, or the beginning of a UUID, of a GPU (``GPU-...``) or of a part of one (``MIG-...``). What
    follows the first entry that names nothing (``-1``, a number that is too high) is not seen, and of a list that names
    one twice nothing is.

    Args:
        listed: the variable's value; None where it is not set, which shows all.
        count: how many GPUs the machine has; 0 where that is not known, and then every number counts.
    """
    if listed is None:
        return [str(number) for number in range(count)]
    found: list[str] = []
    for entry in (one.strip() for one in listed.split(",")):
        if not _ENTRY.fullmatch(entry) or (entry.isdigit() and count and int(entry) >= count):
            break
        if entry in found:
            return []
        found.append(entry)
    return found


def share(gpus: Sequence[str], workers: int) -> list[str]:
    """One GPU for each worker, in turn where there are more workers."""
    return [gpus[number % len(gpus)] for number in range(workers)]
