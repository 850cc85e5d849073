"""The workers on a Ray cluster and the tasks that are with them: each comes back, done or with its worker dead."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pytest_robust.engine.parts import Part
from pytest_robust.engine.ray_cluster import Share, connect, share
from pytest_robust.engine.ray_task import Greeting, Sent, Task, contents_of, packed, versions
from pytest_robust.engine.ray_worker import Worker
from pytest_robust.engine.store import Failure
from pytest_robust.errors import RobustError
from pytest_robust.registry import default_registry
from pytest_robust.scratch import run_folder

if TYPE_CHECKING:
    from pytest_robust.engine.device_class import Place
    from pytest_robust.models.files import ModelFile
    from pytest_robust.settings import Settings

_AHEAD = 2
"""Tasks with a worker: one that runs and one that waits, so that it never idles."""

_BIRTHS = 3
"""Workers in a row that may die before they say a word."""

_START_SECONDS = 120.0
_CLOSE_SECONDS = 5.0


@dataclass(slots=True)
class _Member:
    """One worker: its actor, the reference to its greeting, and its tasks in the order in which it runs them."""

    actor: Any
    asked: Any
    greeting: Greeting | None = None
    tasks: dict[Any, Task] = field(default_factory=dict)


class Pool:
    """Runs tasks on a cluster.

    Args:
        address: of the cluster; None starts one on this machine.
        settings: the run's options.
        run: a name that no other run has.
    """

    def __init__(self, address: str | None, settings: Settings, run: str) -> None:
        self._address = address
        self._settings = settings
        self._run = run
        self._ours = False
        self._share: Share | None = None
        self._broken: RobustError | None = None
        self._members: list[_Member] = []
        self._waiting: deque[Task] = deque()
        self._files: dict[str, Sent] = {}
        self._shifts = b""
        self._stillborn = 0
        self._last_sign = 0.0

    @property
    def full(self) -> bool:
        """Whether enough tasks are under way."""
        return self._share is not None and self._under_way() >= _AHEAD * self._share.workers

    @property
    def idle(self) -> bool:
        """Whether none is."""
        return not self._under_way()

    def _under_way(self) -> int:
        return len(self._waiting) + sum(len(member.tasks) for member in self._members)

    @property
    def on_gpu(self) -> bool:
        """Whether each worker has a GPU.

        Raises:
            RobustError: the cluster cannot be used.
        """
        self._open()
        return self._share is not None and self._share.gpus > 0

    def place(self, integer: bool) -> Place | None:
        """Where models of this cluster run, with integer kernels or without; None where only a session can tell.

        Raises:
            RobustError: the cluster cannot be used.
        """
        self._open()
        while not (greeted := [member.greeting for member in self._members if member.greeting]):
            self.wait()
        return greeted[0].places[integer]

    def send(self, file: ModelFile) -> Sent:
        """Put a model file into the object store, once.

        Raises:
            RobustError: the cluster cannot be used.
        """
        self._open()
        import ray

        if file.sha256 not in self._files:
            self._files[file.sha256] = Sent(file.sha256, file.path.name, ray.put(contents_of(file)))
        return self._files[file.sha256]

    def submit(self, task: Task) -> None:
        """Hand over a task; `wait` gives it back."""
        self._waiting.append(task)
        self._assign()

    def wait(self) -> list[tuple[Task, Part | None]]:
        """Wait a second at most for something to end: tasks with what they found, or None where the worker died.

        Raises:
            RobustError: no worker can be had.
        """
        self._open()
        import ray

        greetings = {member.asked: member for member in self._members if member.greeting is None}
        results = {ref: member for member in self._members for ref in member.tasks}
        done, _ = ray.wait([*greetings, *results], num_returns=1, timeout=1.0)
        ended: list[tuple[Task, Part | None]] = []
        try:
            for ref in done:
                if ref in greetings:
                    self._greet(greetings[ref])
                else:
                    ended += self._collect(results[ref])
        except RobustError as error:
            self._broken = error
            raise
        if done or any(member.greeting for member in self._members):
            self._last_sign = time.monotonic()
        elif time.monotonic() - self._last_sign > _START_SECONDS:
            assert self._share is not None
            self._broken = RobustError(
                f"--robust-engine=ray: for {_START_SECONDS:.0f} s the cluster had no room for a worker of "
                f"{self._share.cpus} CPUs and {self._share.gpus} GPUs; see what else runs there (ray status)"
            )
            raise self._broken
        self._assign()
        return ended

    def close(self) -> None:
        """End the workers, and Ray where it was started here."""
        if self._share is None and not self._ours:
            return
        import ray

        idle = [member.actor.close.remote() for member in self._members if member.greeting and not member.tasks]
        if idle:
            ray.wait(idle, num_returns=len(idle), timeout=_CLOSE_SECONDS)
        for member in self._members:
            ray.kill(member.actor)
        self._members.clear()
        self._waiting.clear()
        self._files.clear()
        if self._ours:
            ray.shutdown()
            self._ours = False
        # what workers of this machine left that were killed; on other machines a later run sweeps it
        shutil.rmtree(run_folder(self._run), ignore_errors=True)

    def _open(self) -> None:
        if self._broken is not None:
            raise self._broken
        if self._share is not None:
            return
        try:
            self._ours = connect(self._address, self._settings.threads)
            import ray

            nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
            self._share = share(nodes, self._settings.device)
            self._shifts = packed(default_registry().own())
        except RobustError as error:
            self._broken = error
            raise
        self._last_sign = time.monotonic()
        self._members = [self._born() for _ in range(self._share.workers)]

    def _born(self) -> _Member:
        import ray

        assert self._share is not None
        kind = ray.remote(num_cpus=self._share.cpus, num_gpus=self._share.gpus, max_restarts=0)(Worker)
        actor = kind.remote(replace(self._settings, threads=self._share.threads), self._run, self._shifts)
        return _Member(actor, actor.greet.remote())

    def _greet(self, member: _Member) -> None:
        import ray

        try:
            greeting: Greeting = ray.get(member.asked)
        except ray.exceptions.RayError as error:
            self._stillborn += 1
            if self._stillborn >= _BIRTHS:
                reason = str(error).strip().splitlines()[-1].strip()
                raise RobustError(
                    f"--robust-engine=ray: a worker does not start ({reason}); install pytest-robust[ray] in the "
                    "version of this machine on every node"
                ) from error
            self._replace(member)
            return
        self._stillborn = 0
        if greeting.problem:
            raise RobustError(f"{greeting.problem}; what a conftest imports must be installed on every node")
        ours = versions()
        if differing := [name for name in ours if ours[name] != greeting.versions.get(name)]:
            name = differing[0]
            raise RobustError(
                f"--robust-engine=ray: the node {greeting.node} has {name} {greeting.versions.get(name)} and this "
                f"machine {ours[name]}; install the same versions everywhere, for the same results"
            )
        member.greeting = greeting

    def _collect(self, member: _Member) -> list[tuple[Task, Part | None]]:
        """The tasks of a worker that have ended, in their order; after its death, the one that it died of as well."""
        import ray

        ended: list[tuple[Task, Part | None]] = []
        for ref, task in list(member.tasks.items()):
            if not ray.wait([ref], timeout=0)[0]:
                break
            try:
                part: Part = ray.get(ref)
            except ray.exceptions.RayTaskError as error:  # a defect of ours outside of what a worker looks after
                failure = Failure(str(error.cause), str(error))
                part = Part({want.id: failure for want in task.wanted})
            except ray.exceptions.RayError:
                del member.tasks[ref]
                self._waiting.extendleft(reversed(member.tasks.values()))
                self._replace(member)
                return [*ended, (task, None)]
            del member.tasks[ref]
            ended.append((task, part))
        return ended

    def _replace(self, member: _Member) -> None:
        import ray

        with contextlib.suppress(ray.exceptions.RayError):
            ray.kill(member.actor)
        self._members[self._members.index(member)] = self._born()

    def _assign(self) -> None:
        """Give waiting tasks to the workers that have the fewest."""
        ready = [member for member in self._members if member.greeting]
        while self._waiting and ready:
            member = min(ready, key=lambda one: len(one.tasks))
            if len(member.tasks) >= _AHEAD:
                return
            task = self._waiting.popleft()
            member.tasks[member.actor.run.remote(task)] = task
