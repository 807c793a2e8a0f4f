"""Every decoder and reader of what comes from outside, given what was honest once and is not any more.

::

    mutations ---> targets (wire, documents, identity) ---> fuzzing ---> FuzzResult: rejected, read, or neither
                                |
                             readers: which modules of the library read bytes at all, so that none is forgotten
"""
