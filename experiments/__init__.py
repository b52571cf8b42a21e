"""Thin scripts: a config dataclass and a call of fit."""
