"""Ctrl-C for a child process, wherever the tests themselves run."""

from __future__ import annotations

import signal


def heeds_ctrl_c() -> None:
    """For `preexec_fn`: a shell's background jobs, such as those of `nohup`, ignore SIGINT, and so would the child."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
