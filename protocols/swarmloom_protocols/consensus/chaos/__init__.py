"""Diagnostics of dynamics: Lyapunov exponents, recurrences, control and chaotic schedules."""
