"""What outputs mean: heads of detectors, masks, scores; each appended to the graph as standard operators."""
