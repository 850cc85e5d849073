"""The connection to a Ray cluster: started here or found at an address, and never waited for in vain."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_robust.errors import RobustError
from pytest_robust.models.providers import parse_device

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_GROUP = 4
"""Cores of a worker without a GPU: one makes the next batch, the others infer."""

_ANSWER_SECONDS = 5.0
_HEALTH_SECONDS = 10.0

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@dataclass(frozen=True, slots=True)
class Share:
    """How many workers a cluster has room for, and what each of them takes."""

    workers: int
    cpus: int
    gpus: int

    @property
    def threads(self) -> int:
        """Threads of a worker."""
        return max(1, self.cpus)


def connect(address: str | None, cores: int) -> bool:
    """Connect to the cluster at an address, or start one on this machine; True if that must be undone.

    A connection that this process already has is used as it is.

    Args:
        address: ``auto`` for the cluster that this machine is a node of, ``HOST:PORT``, or None to start one.
        cores: of this machine, for a cluster that is started.

    Raises:
        RobustError: nothing answers there, or not as a cluster does.
    """
    # a cluster of our own needs no token, and a file with one would stay behind
    own = {"RAY_AUTH_MODE": "disabled"} if address is None else {}
    with _environment({**_QUIET, **own}), _signals():
        import ray

        if ray.is_initialized():
            return False
        if address is not None and address != "auto":
            _require_answer(address)
        options: dict[str, Any] = {"address": address} if address else {"address": "local", "num_cpus": cores}
        if address is None:
            options["include_dashboard"] = False
        try:
            ray.init(**options, log_to_driver=False, logging_level=logging.CRITICAL)
        except (Exception, SystemExit) as error:  # Ray ends the process where it finds no cluster
            what = f"no Ray cluster is found at {address}" if address else "Ray does not start"
            reason = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
            raise RobustError(f"--robust-engine=ray: {what} ({reason}); {_REMEDY}") from error
    return True


_REMEDY = "run pytest on a node of the cluster, or leave out the address to start Ray on this machine alone"


def share(nodes: Sequence[dict[str, float]], device: str) -> Share:
    """What one worker takes of a cluster: a GPU where models may run on one, else a few cores.

    Args:
        nodes: the resources of each, as Ray counts them.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        RobustError: CUDA is asked for and no node has a GPU, or none has a core to give.
    """
    kind, _ = parse_device(device)
    gpus = [node for node in nodes if node.get("GPU", 0) >= 1]
    if kind == "cuda" and not gpus:
        raise RobustError(
            f"--robust-device={device}: the Ray cluster has {len(nodes)} node{'s' * (len(nodes) != 1)} and no GPU; add "
            "a node that has one (ray start --num-gpus=N), or use --robust-device=cpu"
        )
    if kind != "cpu" and gpus:
        cpus = min(int(node.get("CPU", 0) // node["GPU"]) for node in gpus)
        return Share(sum(int(node["GPU"]) for node in gpus), cpus, 1)
    cores = [int(node.get("CPU", 0)) for node in nodes if node.get("CPU", 0) >= 1]
    if not cores:
        raise RobustError("--robust-engine=ray: no node of the Ray cluster has a CPU to give (ray start --num-cpus=N)")
    cpus = min(_GROUP, *cores)
    return Share(sum(count // cpus for count in cores), cpus, 0)


def _require_answer(address: str) -> None:
    """Ask before Ray does, which would wait for minutes and then end the process.

    Raises:
        RobustError: nothing listens there, or what does is no Ray cluster.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or "/" in host:
        raise RobustError(f"--robust-engine=ray:{address}: the address is auto or HOST:PORT, as in ray:10.0.0.1:6379")
    refused = f"--robust-engine=ray: nothing answers at {address}"
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise RobustError(f"{refused} ({error}); start the cluster there (ray start --head), or {_REMEDY}") from error
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        healthy = subprocess.run(command, capture_output=True, timeout=_HEALTH_SECONDS, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        healthy = False
    if not healthy:
        raise RobustError(f"--robust-engine=ray: what answers at {address} is no Ray cluster in health; {_REMEDY}")


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set variables that are not set."""
    ours = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


@contextmanager
def _signals() -> Iterator[None]:
    """Keep the handlers that the process had: Ray puts its own in their place."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
