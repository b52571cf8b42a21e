"""Command lines: a config dataclass and a call of `fit`."""
