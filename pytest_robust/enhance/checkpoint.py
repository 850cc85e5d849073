"""What an unfinished training leaves behind, so that it can go on."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import asdict, dataclass, field
from operator import methodcaller
from typing import TYPE_CHECKING, Any

import torch

from pytest_robust.errors import RobustError
from pytest_robust.whole_file import replace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from pytest_robust.augment import Transform
    from pytest_robust.enhance.settings import Settings

Row = dict[str, float]

STATE = "state of the training"
"""How a sentence names its file."""


@dataclass(slots=True)
class State:
    """A training between two epochs.

    Attributes:
        enhancer: the module's state.
        optimiser: the optimiser's.
        rows: the log, one row per epoch that is done.
    """

    enhancer: dict[str, Any]
    optimiser: dict[str, Any]
    rows: list[Row] = field(default_factory=list)


def place_of(out: Path) -> Path:
    """Where the training of an ONNX file keeps its state."""
    return out.with_name(f"{out.name}.training")


def name_of(
    settings: Settings,
    augment: Transform,
    classifier: nn.Module,
    labels: Sequence[int],
    ids: Sequence[str],
    shown: NDArray[np.uint8],
) -> str:
    """A digest of all that a training hangs on, and of torch's version; of the images it takes those shown."""
    told = [asdict(settings), type(augment).__name__, repr(augment), list(labels), list(ids), torch.__version__]
    # labels and settings may be numbers of NumPy's or torch's
    digest = hashlib.sha256(json.dumps([*told, shown.shape], sort_keys=True, default=methodcaller("item")).encode())
    digest.update(shown.tobytes())
    for name, value in sorted(classifier.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def save(path: Path, name: str, state: State) -> None:
    """Write the state in one step.

    Raises:
        RobustError: it cannot be written.
    """
    file = io.BytesIO()
    torch.save({"name": name, **asdict(state)}, file)
    replace(path, file.getvalue(), STATE)


def load(path: Path, name: str, device: torch.device) -> State:
    """Read the state of the same training.

    Raises:
        RobustError: the file is damaged, or of another training.
    """
    try:
        found = torch.load(path, map_location=device, weights_only=True)
        state = State(found["enhancer"], found["optimiser"], found["rows"])
        known = found["name"]
    except Exception as error:  # torch answers damage with a dozen kinds of exception
        raise RobustError(f"{path} is damaged and cannot be resumed from; delete it to begin anew") from error
    if known != name:
        raise RobustError(
            f"{path} is of a training with other settings, data, classifier or torch; resume with those, or delete it "
            "to begin anew"
        )
    return state
