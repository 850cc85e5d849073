"""Golden baselines: stored measurements that cells are compared with, and the rules by which they change."""

from pytest_robust.golden.compare import Comparable, NotComparable, find
from pytest_robust.golden.prune import prune, unused
from pytest_robust.golden.record import GoldenCell, GoldenFile, Origin, Recording
from pytest_robust.golden.store import read, stored_models, write
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
    "find",
    "propose",
    "prune",
    "read",
    "stored_models",
    "unused",
    "write",
]
