"""Faults on purpose, and what must hold all the same.

`real` has processes, `simulation` the same objects in time of their own.

::

    faults ----> real, simulation ----> outcomes ----> invariants ----> Verdict
                      heartbeat (how late the machine itself was) ---------^
                      growth (memory, threads, files)
"""
