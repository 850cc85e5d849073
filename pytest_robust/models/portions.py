"""Working on fewer things at once where the memory does not suffice for more."""

from __future__ import annotations

import re
import sys
import threading
from typing import TYPE_CHECKING, TypeVar

from pytest_robust.errors import RobustError
from pytest_robust.models.runtime import telling

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_SAID = re.compile(
    r"out of memory|Failed to allocate memory|can't allocate memory|bad_?alloc|_ALLOC_FAILED"
    r"|smaller than requested bytes"
)
"""How ONNX Runtime's arenas, CUDA, cuBLAS, cuDNN, torch and C++ say it: they share no exception."""


def ran_out(error: BaseException | None) -> bool:
    """Whether an exception, or one that it was raised from, says that memory ran out."""
    while error is not None:
        if isinstance(error, MemoryError) or _SAID.search(str(error)):
            return True
        error = error.__cause__
    return False


class Portions:
    """How many images are worked on at once: as many as asked, then half of that whenever memory runs out, down to 1.

    For work on images of which none depends on those beside it, so that nothing else changes.

    Attributes:
        size: images at once.
        asked: what `size` was at first.
    """

    def __init__(self, size: int, *, fixed: bool = False) -> None:
        """Begin with `size` images; `fixed` says that it may not be another number."""
        self.size = self.asked = size
        self._fixed = fixed
        self._halving = threading.Lock()

    def __call__(self, count: int, work: Callable[[slice], T]) -> list[T]:
        """What `work` gives for each portion of `count` images, in order.

        Raises:
            RobustError: memory ran out for the least possible portion.
        """
        made: list[T] = []
        done = 0
        while done < count:
            tried = self.size
            here = slice(done, min(done + tried, count))
            try:
                made.append(work(here))
            except Exception as error:
                if not ran_out(error):
                    raise
                if self._fixed or tried == 1:
                    raise _refusal(error, tried) from error
                with self._halving:  # several lanes meet one shortage, which halves once
                    self.size = min(self.size, tried // 2)
            else:
                done = here.stop
                continue
            # Not before the exception is gone: its frames hold what the failed attempt had allocated.
            _release()
        return made

    def note(self, doing: str) -> tuple[str, ...]:
        """What a reader of the results must know of it: one sentence, or none."""
        if self.size == self.asked:
            return ()
        return (f"memory did not suffice for {doing} {self.asked} images at once; it went on with {self.size}",)


def _refusal(error: Exception, size: int) -> RobustError:
    if isinstance(error, RobustError):
        return error
    return RobustError(f"memory ran out for {size} image{'s' * (size > 1)} at once: {telling(str(error))}")


def _release() -> None:
    """Give back what torch keeps of the GPU's memory for itself: ONNX Runtime cannot use that."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
