"""`edgent demo`: many cameras on one edge core, or the paper's cells: real processes, emulated boards and links."""
