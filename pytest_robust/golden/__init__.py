"""Golden baselines: stored measurements that cells are compared with, and the rules by which they change."""

from pytest_robust.golden.compare import Comparable, NotComparable, find
from pytest_robust.golden.prune import prune, unused
from pytest_robust.golden.record import GoldenCell, GoldenFile, Origin, Recording, same_spec
from pytest_robust.golden.store import Step, read, recorded_sizes, stored_models, write, write_all
from pytest_robust.golden.update import Change, Entry, Proposal, propose

__all__ = [
    "Change",
    "Comparable",
    "Entry",
    "GoldenCell",
    "GoldenFile",
    "NotComparable",
    "Origin",
    "Proposal",
    "Recording",
    "Step",
    "find",
    "propose",
    "prune",
    "read",
    "recorded_sizes",
    "same_spec",
    "stored_models",
    "unused",
    "write",
    "write_all",
]
