"""Detectors of emergent patterns, each with its false-positive rate."""
