"""Pixel shifts: one small file per family, a registry, and the counter-based generator they draw from."""
