"""What callers may do and take of an edge: who may call, how often, and how much memory all of it may come to."""
