"""The paper's figures, reproduced in the laboratory: `edgent reproduce`.

A figure is one small module with a `FIGURE` (see `figure`), listed in `catalogue`. Its `run` measures in *parts*, which
stay on disk, and computes its result from them by pure functions; so an interrupted reproduction goes on where it was.
"""
