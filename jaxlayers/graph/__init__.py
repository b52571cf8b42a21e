"""Graphs of layers: their layers, calls and edges by name, and their order."""
