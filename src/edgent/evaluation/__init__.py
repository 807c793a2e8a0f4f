"""Measuring answers: accuracy on labelled data, calibrations, and whether a division is exact."""
