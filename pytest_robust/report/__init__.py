"""What a run found, as one structure, and the ways to show it."""
