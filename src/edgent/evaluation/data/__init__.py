"""Data that answers are measured on: pictures, and what is right about each; in whatever form they lie on disk."""
