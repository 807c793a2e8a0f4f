"""How good answers are, as one number with its interval: labels, boxes, masks, vectors."""
