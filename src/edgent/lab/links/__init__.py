"""Emulated links: shaped, recorded, and the kernel's own."""
