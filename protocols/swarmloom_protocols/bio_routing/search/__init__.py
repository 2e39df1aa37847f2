"""Combinatorial search by ants: problems, candidate lists, trails, policies and colonies."""
