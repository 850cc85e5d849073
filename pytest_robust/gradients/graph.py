"""An ONNX classifier as a torch module whose gradients reach its images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from pytest_robust.errors import Mark, RobustError
from pytest_robust.gradients.compile import compiled
from pytest_robust.gradients.program import ANCHOR, IMAGES, Program, call
from pytest_robust.gradients.registry import INSTEAD
from pytest_robust.models.enhancer import image_output
from pytest_robust.models.files import ModelFile, read_model
from pytest_robust.models.outputs import Classes, choose_output
from pytest_robust.spec.plan import ModelPlan, PathText

_TOLERANCE = 1e-3


class TorchGraph(nn.Module):
    """A model's graph in torch; used by one thread at a time.

    Its weights are buffers, so they receive no gradient, and `to`, `double` and the like move the whole graph. It is
    an inference graph: `train` changes nothing.

    Attributes:
        input: name of its image input.
        output: name of the output that it computes.
        shape: sides of the input as the model declares them, None where one is free.
    """

    def __init__(self, file: ModelFile, program: Program, image: Any, output: str, *, enhancer: bool = False) -> None:
        super().__init__()
        self._another = "" if enhancer else "name another with output.name, or "
        self._file = file
        self._steps = program.steps
        self._slots = program.slots
        self._result = program.output
        self.input = str(image.name)
        self.output = output
        self.shape = tuple(side.dim_value or None for side in image.type.tensor_type.shape.dim)
        self._batches: bool | None = None
        self.register_buffer("anchor", torch.zeros(()))
        floats = {slot: value for slot, value in program.constants.items() if value.is_floating_point()}
        named = {slot: f"{'quantized' if slot in program.quantized else 'constant'}_{slot}" for slot in floats}
        for slot, name in named.items():
            self.register_buffer(name, floats[slot])
        self._places = {**named, ANCHOR: "anchor"}
        # Shapes and indices stay on the CPU: reading them there needs no waiting for a GPU.
        self._integers = {slot: value for slot, value in program.constants.items() if slot not in floats}

    def forward(self, images: Tensor) -> Tensor:
        """Run the graph on any number of images.

        A model that fixes its batch gets as many at once as it can be shown to treat apart, else its own batch.

        Args:
            images: the model's input, floats of the graph's precision and device, also where the model declares
                uint8; shape (N, ...).

        Returns:
            The output named `output`, shape (N, ...).

        Raises:
            RobustError: the images do not have the declared shape, the graph fails on them, or they require a gradient
                and the output does not depend on them by differentiable operators.
        """
        self._check(images)
        batch = self.shape[0] if self.shape else None
        if batch is None or len(images) == batch or self._can_batch(images, batch):
            scores = self._run(images)
        else:
            scores = self._apart(images, batch)
        if images.requires_grad and torch.is_grad_enabled() and not scores.requires_grad:
            raise self._file.error(
                f"gives an output {self.output!r} that does not depend on the image by differentiable operators (such "
                f"as class numbers from ArgMax): {self._another}{INSTEAD}"
            )
        return scores

    def _check(self, images: Tensor) -> None:
        if self.shape and (
            images.ndim != len(self.shape)
            or any(side not in (None, given) for side, given in zip(self.shape[1:], images.shape[1:], strict=True))
        ):
            declared = ", ".join("any" if side is None else str(side) for side in self.shape)
            raise self._file.error(f"takes images of shape ({declared}) and was given {tuple(images.shape)}")

    def _run(self, images: Tensor) -> Tensor:
        values: list[Tensor | None] = [None] * self._slots
        for slot, name in self._places.items():
            values[slot] = self._buffers[name]
        for slot, value in self._integers.items():
            values[slot] = value
        values[IMAGES] = images
        for step in self._steps:
            made = call(step, [values[slot] for slot in step.inputs], self._file)
            for slot, value in zip(step.outputs, made, strict=False):
                values[slot] = value
            for slot in step.free:
                values[slot] = None
        result = values[self._result]
        assert result is not None
        return result

    def _apart(self, images: Tensor, batch: int) -> Tensor:
        """In batches of the declared size; the last image fills up the last one."""
        missing = -len(images) % batch
        full = torch.cat([images, images[-1:].expand(missing, *images.shape[1:])]) if missing else images
        return torch.cat([self._run(part) for part in torch.split(full, batch)])[: len(images)]

    def _can_batch(self, images: Tensor, batch: int) -> bool:
        """Whether two batches at once give what each gives by itself, tried once on noise of the images' size."""
        if self._batches is None:
            draw = torch.Generator().manual_seed(0)
            noise = torch.rand((2 * batch, *images.shape[1:]), generator=draw).to(images.detach())
            noise *= images.detach().abs().amax().clamp(min=1)
            with torch.no_grad():
                apart = self._apart(noise, batch)
                try:
                    once = self._run(noise)
                except RobustError:
                    self._batches = False
                else:
                    scale = float(apart.abs().amax())
                    self._batches = once.shape == apart.shape and torch.allclose(once, apart, 0, _TOLERANCE * scale)
        return self._batches


def load(
    source: str | Path | PathText | ModelPlan,
    device: str | torch.device = "cpu",
    output: str | None = None,
    *,
    enhancer: bool = False,
) -> TorchGraph:
    """Load an ONNX model for gradients with respect to its images.

    All float types become float32. Of a quantized model the rounding is kept and passed straight through, see
    `ops.quantise`. The enhancer of a `ModelPlan` is a model of its own and is not part of the graph.

    Args:
        source: a path, or a model of a spec, whose pin is checked and whose `output` is taken.
        device: where the weights go, as torch names it.
        output: the output to compute; None takes the only one, or of several the only one of shape (N, classes).
        enhancer: the model is one, and of several outputs the only one of images is taken.

    Raises:
        RobustError: the file is missing, no ONNX model or not as pinned, has no single input, or has operators
            that are not covered; all such operators are named.
    """
    file, plan = _file(source)
    model = onnx.load(str(file.path))
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [one for one in model.graph.input if one.name not in stored]
    if len(inputs) != 1:
        names = ", ".join(repr(one.name) for one in inputs)
        raise file.error(f"has {len(inputs)} inputs ({names}): a model with exactly one image input is needed")
    if enhancer:
        chosen = image_output([_Declared(one) for one in model.graph.output], file)
    else:
        chosen = _output(model, output or (plan.output if plan else None), plan.label_offset if plan else 0, file)
    program = compiled(model, chosen, inputs[0].name, file)
    return TorchGraph(file, program, inputs[0], chosen, enhancer=enhancer).to(device)


def _file(source: str | Path | PathText | ModelPlan) -> tuple[ModelFile, ModelPlan | None]:
    if isinstance(source, ModelPlan):
        return read_model(source.path, None if source.candidate else source.sha256), source
    if isinstance(source, PathText):
        return read_model(source), None
    return read_model(PathText(str(source), Path.cwd(), Mark(str(source), 1, 1))), None


class _Declared:
    """An output as `choose_output` reads it."""

    def __init__(self, info: Any) -> None:
        kind = info.type.tensor_type
        self.name = info.name
        self.type = f"tensor({_NAMES.get(kind.elem_type, 'other')})" if info.type.HasField("tensor_type") else "list"
        self.shape: list[int | str | None] = [side.dim_value or side.dim_param or None for side in kind.shape.dim]


_NAMES = {onnx.TensorProto.FLOAT: "float", onnx.TensorProto.FLOAT16: "float16", onnx.TensorProto.DOUBLE: "double"}


def _output(model: Any, wanted: str | None, offset: int, file: ModelFile) -> str:
    names = [one.name for one in model.graph.output]
    if wanted in names:
        return str(wanted)
    if wanted is None and len(names) == 1:
        return str(names[0])
    return choose_output([_Declared(one) for one in model.graph.output], wanted, Classes(offset), file)
