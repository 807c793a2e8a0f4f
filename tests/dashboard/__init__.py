"""The live page: what is shown, its port, and the page in a browser."""
