"""Shifts with samples of their own: natural shifts, published sets, composed scenes, mixed pairs."""
