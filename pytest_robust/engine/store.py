"""What one run knows: the results of its cells, who makes which pass, and who died of what.

One folder per run and host, shared by all worker processes and removed with the run: results by key, one lock per
pass, and one mark per worker that says what it is running, read by the controller when that worker dies.

A worker that ran several pairs at once does not say which of them it died of. They are suspects then, and whoever runs
them next runs them one by one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filelock import FileLock

from pytest_robust.engine.entries import pack, unpack, write
from pytest_robust.errors import RobustError
from pytest_robust.measurement import Measurement, Samples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Failure:
    """A model x shift pair that could not be measured: one sentence, and a traceback only for our own defects."""

    sentence: str
    traceback: str | None = None


def process_died(model: str, shift: str) -> Failure:
    """The failure of a pair whose process was killed or crashed while it ran."""
    return Failure(
        f"the process died while it ran model {model} on {shift}; "
        "look for a crash in the model's operators or for exhausted memory"
    )


class MeasurementError(RobustError):
    """Raised to every item that needs a measurement which failed."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.sentence)
        self.traceback = failure.traceback


class RunStore:
    """Measurements and failures of one run on one host."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("cells", "locks", "running", "samples", "suspects"):
            (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)

    def get(self, key: str) -> Measurement | Failure | None:
        """What is known under a key, or None."""
        try:
            content = (self.folder / "cells" / key).read_bytes()
        except FileNotFoundError:
            return None
        plain = unpack(content)
        if plain is None:
            return Failure(f"the measurement stored in {self.folder} is damaged; run again")
        return Failure(**plain["failure"]) if "failure" in plain else Measurement.from_plain(plain)

    def has(self, key: str) -> bool:
        """Whether anything is known under a key."""
        return (self.folder / "cells" / key).exists()

    def put(self, key: str, result: Measurement | Failure) -> None:
        """Keep a result; a reader sees all of it or nothing."""
        if isinstance(result, Failure):
            plain = {"failure": {"sentence": result.sentence, "traceback": result.traceback}}
        else:
            plain = result.to_plain()
        self._write(self.folder / "cells" / key, pack(plain))

    def has_samples(self, digest: str) -> bool:
        """Whether the samples of that digest are known."""
        return (self.folder / "samples" / digest).exists()

    def put_samples(self, samples: Samples) -> None:
        """Keep the samples that measurements follow, for the workers that judge what another measured."""
        if not self.has_samples(samples.digest):
            self._write(self.folder / "samples" / samples.digest, pack(samples.to_plain()))

    def samples(self, digest: str) -> Samples:
        """The samples of a measurement that is in the store.

        Raises:
            RobustError: the entry is damaged.
        """
        plain = unpack((self.folder / "samples" / digest).read_bytes())
        if plain is None:
            raise RobustError(f"the samples stored in {self.folder} are damaged; run again")
        return Samples.from_plain(plain)

    def lock(self, key: str) -> FileLock:
        """The lock that the one process making a pass holds; released by the system if that process dies."""
        return FileLock(self.folder / "locks" / key)

    def mark_running(self, worker: str, pairs: Sequence[Mapping[str, str]]) -> None:
        """Say what `worker` runs, or is about to: key, model and shift of each pair; none when it is done."""
        path = self.folder / "running" / worker
        if pairs:
            self._write(path, json.dumps(pairs).encode())
        else:
            path.unlink(missing_ok=True)

    def running(self, worker: str) -> list[dict[str, str]]:
        """What `worker` said last; one of these it died of, if it is dead."""
        try:
            found: list[dict[str, str]] = json.loads((self.folder / "running" / worker).read_bytes())
        except FileNotFoundError:
            return []
        return found

    def others(self, worker: str) -> list[list[dict[str, str]]]:
        """What each other worker has marked as running.

        A mark is only set under its pass's lock, so for whoever holds that lock the marking worker is dead.
        """
        names = [path.name for path in (self.folder / "running").iterdir() if path.suffix != ".tmp"]
        return [pairs for name in names if name != worker and (pairs := self.running(name))]

    def blame(self, pairs: Sequence[Mapping[str, str]]) -> None:
        """Say that a worker died while it ran these: one pair has failed, several are suspects."""
        for pair in pairs:
            if len(pairs) > 1:
                (self.folder / "suspects" / pair["key"]).touch()
            elif not self.has(pair["key"]):
                self.put(pair["key"], process_died(pair["model"], pair["shift"]))

    def suspects(self, key: str) -> bool:
        """Whether a pair is one of several that a worker died of."""
        return (self.folder / "suspects" / key).exists()

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        try:
            write(path, content)
        except OSError as error:
            raise RobustError(
                f"the folder of this run, {path.parent.parent}, cannot be written ({error.strerror}); make room there "
                "or set TMPDIR to another folder"
            ) from error
