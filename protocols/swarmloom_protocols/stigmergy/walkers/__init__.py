"""Agents that move by what they sense: strategies, sensors, traces of their ways."""
