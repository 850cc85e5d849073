"""DynTTA (arXiv 2212.04681): an enhancer in front of a frozen classifier, trained here. Import it at run time only.

`train` trains one through any torch module, or through the twin of an ONNX file that `attacks.open_victim` makes, and
writes one ONNX file for a spec's ``enhancer:``. Neither the estimator nor the image-to-image network has pretrained
weights: both begin at random, and an untrained enhancer changes little. `Estimator` reads what such a file thinks that
images need, and `EstimatedAugmentation` trains a classifier with that.
"""

from pytest_robust.enhance.augmentations import RULES
from pytest_robust.enhance.enhancer import DynTTA
from pytest_robust.enhance.estimate import EstimatedAugmentation, Estimator
from pytest_robust.enhance.exporting import export
from pytest_robust.enhance.settings import Settings, for_size
from pytest_robust.enhance.training import train
from pytest_robust.models.augmentations import NAMES

__all__ = [
    "NAMES",
    "RULES",
    "DynTTA",
    "EstimatedAugmentation",
    "Estimator",
    "Settings",
    "export",
    "for_size",
    "train",
]
