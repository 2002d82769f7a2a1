"""Tests of the framework itself: real commands, real tiny models, real faults."""
