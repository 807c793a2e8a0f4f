"""Commands about a machine that is left running: what costs it time, and its settings."""
