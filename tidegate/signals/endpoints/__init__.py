"""Signals and the strategies that make them, over HTTP."""
