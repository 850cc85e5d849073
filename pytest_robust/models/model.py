"""A model of the spec, opened: canvases in, predictions out."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.measurement import Provenance
from pytest_robust.models.augmentations import added
from pytest_robust.models.enhancer import Enhancer
from pytest_robust.models.files import ModelFile, joined_digest, read_files
from pytest_robust.models.outputs import Classes, Prediction, choose_output, decide, scores_of
from pytest_robust.models.portions import Portions
from pytest_robust.models.preprocess import Fitted, Preprocessor, described
from pytest_robust.models.providers import (
    CUDA,
    CudaMode,
    CudaUnavailableError,
    cpu_class,
    cuda_class,
    cuda_options,
    parse_device,
    require_cuda,
)
from pytest_robust.models.runtime import load_runtime
from pytest_robust.models.scoring import Scorer, joined, kind_of, look_like_probabilities
from pytest_robust.models.session import Network

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

    from pytest_robust.measurement import Scores
    from pytest_robust.models.on_device import OnDevice
    from pytest_robust.spec.plan import ModelPlan


class Model:
    """An opened model, for any thread; those that show it canvases on its own device take turns.

    A prediction depends on its image alone: never on the other images of the batch, their order or number.

    Attributes:
        provenance: what its measurements are made by.
        gpu: number of the GPU it runs on, None for the CPU.
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
        self._files, self._networks = files, networks
        self._network = networks[0]
        self._classes = classes
        self._output = choose_output(self._network.outputs, plan.output, classes, self._file)
        self._stated = plan.output_kind
        self._plan = plan.preprocess
        self._preprocess = Preprocessor(plan.preprocess, self._network.input, self._file)
        self._enhancer = Enhancer(networks[1], files[1]) if networks[1] and files[1] else None
        self._portions = Portions(self._network.batch, fixed=self._network.input.shape[0] is not None)
        self._turn = threading.Lock()
        self.provenance = provenance
        self.gpu = self._network.gpu

    @property
    def batch_size(self) -> int:
        """Images per run of ONNX Runtime: the model's own where it fixes one; fewer once memory ran out."""
        return self._portions.size

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on how its predictions came about that a reader of them must know."""
        return self._portions.note("showing the model")

    def predict(
        self,
        canvases: NDArray[np.uint8] | torch.Tensor,
        keep_size: bool = False,
        kept: Sequence[int] | None = None,
        labels: NDArray[np.uint16] | None = None,
        shared: Fitted | None = None,
    ) -> Prediction:
        """Predict a batch of any length.

        Args:
            canvases: uint8 (B, H, W, 3) RGB: an array; or a tensor, which is shown where it lies if that is the
                model's own device.
            keep_size: show them at the size they have, whatever `preprocess.size` says.
            kept: choose among these classes only; the class keeps its index.
            labels: the true classes, shape (B,), to score the outputs by; None scores nothing.
            shared: keeps these canvases, an array, as they are resized for models of one size.

        Raises:
            RobustError: the model cannot take images of that size, fails, or gives NaN or infinity; or its outputs
                are to be scored and are no probabilities, or do not show what they are.
        """
        if not len(canvases):
            return Prediction(np.empty(0, np.uint16), np.empty(0, np.bool_))
        if isinstance(canvases, np.ndarray) and shared is not None and not (keep_size or self._enhancer):
            canvases = self._preprocess.fitted(canvases, shared)
        outputs, sums = self._shown(canvases, keep_size)
        self._check_kept(kept, outputs.shape[1])
        made = replace(decide(outputs, self._classes.offset, kept), weight_sums=sums)
        if labels is None:
            return made
        scorer = self._scorer()
        dubious = scorer.kind == "logits" and look_like_probabilities(outputs)
        return replace(made, scores=scorer(outputs, labels, kept), dubious=dubious)

    def outputs(self, canvases: NDArray[np.uint8] | torch.Tensor, keep_size: bool = False) -> NDArray[Any]:
        """What the model itself gives for a batch of at least one image: finite floats, shape (B, outputs).

        Where memory runs out the model is shown fewer images at once, from then on.

        Raises:
            RobustError: the model cannot take images of that size, fails, or gives NaN or infinity.
        """
        return self._shown(canvases, keep_size)[0]

    def scores(self, parts: Sequence[Prediction]) -> Scores:
        """The scores of all batches of a data set as one.

        Raises:
            RobustError: the outputs were taken for logits, and those of every image are probabilities.
        """
        if all(part.dubious for part in parts):
            raise self._file.error(
                f"gives {self._output!r} from 0 to 1 with the sum 1 for every image, which are no logits: set "
                "output: {kind: probabilities}"
            )
        return joined([part.scores for part in parts if part.scores])

    def _shown(
        self, canvases: NDArray[np.uint8] | torch.Tensor, keep_size: bool
    ) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
        """The outputs for a batch, and its `weight_sums`."""
        parts = self._portions(len(canvases), lambda here: self._run(canvases[here], keep_size))
        return np.concatenate([outputs for outputs, _ in parts]), added([sums for _, sums in parts])

    def _run(
        self, canvases: NDArray[np.uint8] | torch.Tensor, keep_size: bool
    ) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
        for network in self._networks:
            if network:
                network.at_most(self.batch_size)
        if isinstance(canvases, np.ndarray):
            images, sums = self._enhancer(canvases) if self._enhancer else (canvases, None)
            raw = self._network.run(self._preprocess(images, keep_size), self._output)
        else:
            with self._turn:
                raw, sums = self._on_device(canvases, keep_size)
        return scores_of(raw, self._classes, self._file), sums

    @cached_property
    def _on_device(self) -> OnDevice:
        from pytest_robust.models.on_device import OnDevice

        return OnDevice(self._plan, self._networks, self._files, self._output)

    def _scorer(self) -> Scorer:
        if any(one.name == self._output and "int8" in one.type for one in self._network.outputs):
            raise self._file.error(
                f"gives {self._output!r} as whole numbers without a scale: for scores let it end in DequantizeLinear"
            )
        return Scorer(kind_of(self._stated, self._output, self._file), self._classes.offset, self._file)

    def _check_kept(self, kept: Sequence[int] | None, outputs: int) -> None:
        offset = self._classes.offset
        for one in () if kept is None else (max(kept), min(kept)):
            if not 0 <= one + offset < outputs:
                raise self._file.error(
                    f"has {outputs} outputs and label_offset {offset}, and none for the class {one} of the "
                    "label_subset: correct one of them"
                )

    def close(self) -> None:
        """Free the session's memory; the model cannot be used afterwards."""
        del self._network, self._networks, self._enhancer, self._preprocess
        self.__dict__.pop("_on_device", None)


def open_model(
    plan: ModelPlan,
    *,
    device: str,
    classes: int | None,
    threads: int,
    batch_size: int,
    max_label: int | None = None,
    cuda: CudaMode = "exact",
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
        cuda: how a GPU computes; see `providers.cuda_options`.

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
            networks = _networks(runtime, files, index, threads, batch_size, cuda)
        except CudaUnavailableError as error:
            if kind == "cuda":
                raise files[0].error(f"cannot run on {device}: {error}") from error
            why = f" (CUDA not used: {error})" if CUDA in runtime.get_available_providers() else ""
    gpu = index if networks else None
    if networks is None:
        networks = _networks(runtime, files, None, threads, batch_size, cuda)
    integer = any(file.integer for file in files if file)
    provenance = Provenance(
        model_sha256=joined_digest(*files),
        onnxruntime=runtime.__version__,
        providers=networks[0].providers,
        device=f"cpu{why}" if gpu is None else f"cuda:{gpu}",
        device_class=cpu_class(integer) if gpu is None else cuda_class(gpu),
        geometry=json.dumps(asdict(plan.geometry), sort_keys=True),
        preprocess=described(plan.preprocess, plan.output, plan.label_offset),
        options={"use_deterministic_compute": 1, **({} if gpu is None else cuda_options(cuda))},
    )
    return Model(plan, files, networks, Classes(plan.label_offset, classes, max_label), provenance)


def _networks(
    runtime: Any, files: tuple[ModelFile, ModelFile | None], gpu: int | None, threads: int, batch: int, mode: CudaMode
) -> tuple[Network, Network | None]:
    model, enhancer = files
    return (
        Network(runtime, model, gpu, threads, batch, mode),
        Network(runtime, enhancer, gpu, threads, batch, mode) if enhancer else None,
    )
