"""Around the isolated process: start it, limit it, watch it, end it."""
