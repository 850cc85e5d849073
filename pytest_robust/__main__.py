"""`python -m pytest_robust` is the command `pytest-robust`."""

from pytest_robust.cli import main

raise SystemExit(main())
