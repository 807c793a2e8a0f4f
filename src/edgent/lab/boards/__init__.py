"""Emulated devices: slower machines that this one stands in for."""
