"""How an edge is reached: the server of calls and exchanges, and how much of it callers may take."""
