"""The laboratory: links and devices that are emulated, and what a user would do without Edgent."""
