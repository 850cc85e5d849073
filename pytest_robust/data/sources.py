"""The way in: a data set of the spec -> the opened data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_robust.data.cutouts import open_cutouts
from pytest_robust.data.dataset import Dataset, FileDataset, choose, hash_files, make_samples
from pytest_robust.data.digits import open_digits
from pytest_robust.data.folder import list_folder
from pytest_robust.data.manifest import list_manifest
from pytest_robust.data.npz import open_npz
from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from pytest_robust.data.dataset import Listing
    from pytest_robust.spec.plan import DatasetPlan


def open_dataset(plan: DatasetPlan, *, limit: int | None = None) -> Dataset:
    """Open a data set: find its samples, check them, and digest the stored bytes. No image is decoded.

    Args:
        plan: the data set as the spec states it.
        limit: a further restriction; the smaller of it and `plan.limit` holds. See `dataset.select`.

    Raises:
        RobustError: anything wrong with paths, files, labels or classes; the sentence names the place.
    """
    limits = [number for number in (plan.limit, limit) if number is not None]
    keep = min(limits) if limits else None
    if keep is not None and keep < 1:
        raise RobustError(f"{plan.mark}: a limit of {keep} leaves no sample; set it to 1 or more, or leave it out")
    if plan.source == "digits":
        return open_digits(plan, keep)
    if plan.source == "npz":
        return open_npz(plan, keep)
    if plan.source == "folder":
        return _open_files(list_folder(plan), plan, keep)
    if plan.source == "manifest":
        return _open_files(list_manifest(plan), plan, keep)
    return open_cutouts(plan, keep)


def _open_files(found: Listing, plan: DatasetPlan, limit: int | None) -> Dataset:
    order, notes = choose(plan, limit, found.ids, found.labels)
    paths = tuple(found.paths[i] for i in order)
    samples = make_samples([found.ids[i] for i in order], [found.labels[i] for i in order], hash_files(paths))
    groups = {name: tuple(values[i] for i in order) for name, values in found.groups.items()}
    return FileDataset(samples, found.classes, found.class_names, paths, groups=groups, notes=notes)
