"""What `edgent run` does with an answer: says it in a line, keeps it, draws it."""
