"""Algorithms 1 to 3 as the paper prints them."""
