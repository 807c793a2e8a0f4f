"""What a model file does not say by its graph: where it stands, and how it is read, checked and written."""
