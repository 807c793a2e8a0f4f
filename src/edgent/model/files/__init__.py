"""From an untrusted file to a checked graph, its constants, and its identity (digest)."""
