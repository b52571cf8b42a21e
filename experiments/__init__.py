"""Command lines, each a config dataclass and a call of `fit`."""
