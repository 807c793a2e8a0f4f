"""The edge: admits, queues and computes what devices ask for."""
