"""From version to version: a device moves to the model that its edge's name stands for, beside its requests."""
