"""What `edgent run --source` does: frames in, events out, until it is ended."""
