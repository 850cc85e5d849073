"""Models in ONNX Runtime: sessions, devices and their proof, preprocessing, outputs, enhancers."""

from pytest_robust.models.files import model_digest
from pytest_robust.models.model import Model, open_model
from pytest_robust.models.outputs import Prediction

__all__ = ["Model", "Prediction", "model_digest", "open_model"]
