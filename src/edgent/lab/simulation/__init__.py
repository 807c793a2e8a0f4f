"""Worlds in virtual time, of the product's own pure objects."""
