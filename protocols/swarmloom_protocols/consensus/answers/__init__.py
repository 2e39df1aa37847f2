"""Answers of many agents to one question: trust, weighted votes, stopping and reports."""
