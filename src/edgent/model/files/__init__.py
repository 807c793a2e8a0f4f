"""From a file that nobody vouches for to a checked graph, its constants, and its identity."""
