"""Where labelled images come from, how they are decoded, and how they become canvases."""

from pytest_robust.data.dataset import Dataset
from pytest_robust.data.digits import digits_arrays
from pytest_robust.data.geometry import canvas
from pytest_robust.data.sources import open_dataset

__all__ = ["Dataset", "canvas", "digits_arrays", "open_dataset"]
