"""Measuring answers: accuracy on labelled data, calibrations, and whether a division is exact.

::

    data: pictures, and what is right about them
      |
    scoring      what the model answers: undivided, behind a codec, divided with a codec in between
      | reading  its outputs as a class, boxes, a mask or a vector
    judging      by which measure, and beside what: labels, another model, or the model itself
      | measures     one number for all pictures, with its interval
    evaluate     -> Calibration: sizes and accuracies, for planners

`paying` says which cuts are worth measuring, `sizes` measures sizes alone, and `calibration_files` says where a
calibration is kept and found. Apart from all that, `verify` asks whether a divided network answers as the undivided
file does (`original`); it needs no labels.
"""
