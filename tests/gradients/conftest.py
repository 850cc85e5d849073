"""Small networks of every family, exported once per session by both of torch's exporters."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch

from tests.gradients.networks import DEPLOYED, FAMILIES
from tests.one_thread import one_thread  # noqa: F401

EXPORTERS = {"torchscript": False, "dynamo": True}


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """(family, exporter) -> model with a free batch; `fixed_vit` fixes it at 2."""
    folder = tmp_path_factory.mktemp("exports")
    made = {}
    for family, build in FAMILIES.items():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = build().eval()
            with torch.no_grad():
                for value in [*network.parameters(), *network.buffers()]:
                    if value.is_floating_point() and value.ndim == 1:
                        value.copy_(torch.rand_like(value) + 0.5)
        # The newer exporter takes a second or more, so it writes the families that people deploy.
        for exporter in EXPORTERS if family in DEPLOYED else ("torchscript",):
            path = folder / f"{family}_{exporter}.onnx"
            export(network, path, exporter, free=family != "fixed_vit")
            made[family, exporter] = path
    return made


def export(network: torch.nn.Module, path: Path, exporter: str, free: bool) -> None:
    images = torch.zeros(2, 3, 32, 32)
    with warnings.catch_warnings():
        # Both exporters use what torch and onnxscript deprecate, and the older one announces its end.
        warnings.simplefilter("ignore")
        if EXPORTERS[exporter]:
            batch = ({0: torch.export.Dim("batch")},) if free else None
            torch.onnx.export(network, (images,), path, dynamo=True, dynamic_shapes=batch, verbose=False)
        else:
            axes = {"images": {0: "batch"}, "scores": {0: "batch"}} if free else None
            names = {"input_names": ["images"], "output_names": ["scores"]}
            torch.onnx.export(network, (images,), path, dynamo=False, dynamic_axes=axes, **names)
