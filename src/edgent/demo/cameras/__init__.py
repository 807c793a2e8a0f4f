"""Many cameras on one edge core, live: Edgent beside its strongest rival; all other methods priced beside them.

::

    setting    the networks, the pictures, and what was measured of them
    stage      the street live: cameras come, the edge core or that of the cameras fills up, the link is unplugged
    result     what that comes to, with every other method simulated on the same streets         pure
    console, page, meters    to look at

`run` does one after the other.
"""
