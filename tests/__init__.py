"""Tests of pytest-robust."""
