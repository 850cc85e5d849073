"""A model of the spec, opened: canvases in, predictions out."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.measurement import Provenance
from pytest_robust.models.enhancer import Enhancer
from pytest_robust.models.files import ModelFile, joined_digest, read_files
from pytest_robust.models.outputs import Classes, Prediction, choose_output, decide, scores_of
from pytest_robust.models.preprocess import Preprocessor, described
from pytest_robust.models.providers import (
    CUDA,
    CUDA_OPTIONS,
    CudaUnavailableError,
    cpu_class,
    cuda_class,
    parse_device,
    require_cuda,
)
from pytest_robust.models.runtime import load_runtime
from pytest_robust.models.session import Network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_robust.spec.plan import ModelPlan


class Model:
    """An opened model; used by one thread at a time.

    A prediction depends on its image alone: never on the other images of the batch, their order or number.

    Attributes:
        provenance: what its measurements are made by.
        batch_size: images per run of ONNX Runtime: the model's own where it fixes one.
    """

    def __init__(
        self,
        plan: ModelPlan,
        files: tuple[ModelFile, ModelFile | None],
        networks: tuple[Network, Network | None],
        classes: Classes,
        provenance: Provenance,
    ) -> None:
        """Put together what `open_model` opened.

        Raises:
            RobustError: the plan's preprocess or output does not fit the model.
        """
        self._file = files[0]
        self._network = networks[0]
        self._classes = classes
        self._output = choose_output(self._network.outputs, plan.output, classes, self._file)
        self._preprocess = Preprocessor(plan.preprocess, self._network.input, self._file)
        self._enhancer = Enhancer(networks[1], files[1]) if networks[1] and files[1] else None
        self.provenance = provenance
        self.batch_size = self._network.batch

    def predict(
        self, canvases: NDArray[np.uint8], keep_size: bool = False, kept: Sequence[int] | None = None
    ) -> Prediction:
        """Predict a batch of any length.

        Args:
            canvases: uint8 (B, H, W, 3) RGB.
            keep_size: show them at the size they have, whatever `preprocess.size` says.
            kept: choose among these classes only; the class keeps its index.

        Raises:
            RobustError: the model cannot take images of that size, fails, or gives NaN or infinity.
        """
        parts = [
            self._part(canvases[start : start + self.batch_size], keep_size, kept)
            for start in range(0, len(canvases), self.batch_size)
        ]
        return Prediction(
            np.concatenate([np.empty(0, np.uint16), *(part.predicted for part in parts)]),
            np.concatenate([np.empty(0, np.bool_), *(part.near_tie for part in parts)]),
        )

    def _part(self, canvases: NDArray[np.uint8], keep_size: bool, kept: Sequence[int] | None) -> Prediction:
        images: NDArray[Any] = self._enhancer(canvases) if self._enhancer else canvases
        raw = self._network.run(self._preprocess(images, keep_size), self._output)
        scores = scores_of(raw, self._classes, self._file)
        if kept is not None and max(kept) + self._classes.offset >= scores.shape[1]:
            raise self._file.error(
                f"has {scores.shape[1]} outputs and label_offset {self._classes.offset}, too few for the class "
                f"{max(kept)} of the label_subset: correct one of them"
            )
        return decide(scores, self._classes.offset, kept)

    def close(self) -> None:
        """Free the session's memory; the model cannot be used afterwards."""
        del self._network, self._enhancer, self._preprocess


def open_model(
    plan: ModelPlan,
    *,
    device: str,
    classes: int | None,
    threads: int,
    batch_size: int,
    max_label: int | None = None,
) -> Model:
    """Open a model on a device and check all that can be checked without an image.

    Args:
        plan: the model as the spec describes it.
        device: ``cpu``; ``cuda`` or ``cuda:N``, which must then run the whole model; ``auto`` takes
            ``cuda:0`` if the build has CUDA and the model runs there, else the CPU; `Provenance.device` says
            which and why.
        classes: number of classes of the data set, None if it is not known.
        threads: threads of one operator on the CPU.
        batch_size: images per run where the model leaves its batch free.
        max_label: largest true label, checked against the outputs where `classes` is None.

    Raises:
        RobustError: one sentence on what is wrong with the model, its plan or the device.
    """
    kind, index = parse_device(device)
    files = read_files(plan)
    runtime = load_runtime()
    why = ""
    networks = None
    if kind != "cpu":
        try:
            require_cuda(runtime, index)
            networks = _networks(runtime, files, index, threads, batch_size)
        except CudaUnavailableError as error:
            if kind == "cuda":
                raise files[0].error(f"cannot run on {device}: {error}") from error
            why = f" (CUDA not used: {error})" if CUDA in runtime.get_available_providers() else ""
    gpu = index if networks else None
    if networks is None:
        networks = _networks(runtime, files, None, threads, batch_size)
    integer = any(file.integer for file in files if file)
    provenance = Provenance(
        model_sha256=joined_digest(*files),
        onnxruntime=runtime.__version__,
        providers=networks[0].providers,
        device=f"cpu{why}" if gpu is None else f"cuda:{gpu}",
        device_class=cpu_class(integer) if gpu is None else cuda_class(gpu),
        geometry=json.dumps(asdict(plan.geometry), sort_keys=True),
        preprocess=described(plan.preprocess, plan.output, plan.label_offset),
        options={"use_deterministic_compute": 1, **({} if gpu is None else CUDA_OPTIONS)},
    )
    return Model(plan, files, networks, Classes(plan.label_offset, classes, max_label), provenance)


def _networks(
    runtime: Any, files: tuple[ModelFile, ModelFile | None], gpu: int | None, threads: int, batch: int
) -> tuple[Network, Network | None]:
    model, enhancer = files
    return (
        Network(runtime, model, gpu, threads, batch),
        Network(runtime, enhancer, gpu, threads, batch) if enhancer else None,
    )
