"""The operators by family; importing this package registers them all."""

from pytest_robust.gradients.ops import (
    activation,
    arithmetic,
    attention,
    cast,
    convolution,
    index,
    matrix,
    normalise,
    pooling,
    qlinear,
    quantise,
    reduce,
    resize,
    shape,
    structure,
)

__all__ = [
    "activation",
    "arithmetic",
    "attention",
    "cast",
    "convolution",
    "index",
    "matrix",
    "normalise",
    "pooling",
    "qlinear",
    "quantise",
    "reduce",
    "resize",
    "shape",
    "structure",
]
