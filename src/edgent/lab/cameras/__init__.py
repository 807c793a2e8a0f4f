"""How many cameras one edge core serves, method by method: measured parts, put together in virtual time.

::

    bundle, pictures --> facts      what each network answers to each picture, behind each codec        by the engine
    profiles --------> machines     what everything takes on the edge and on some emulated boards       by the profiler
                          v
    facts, machines --> methods     the plans that each method may choose from, as candidates           pure
                          v
                       street       many cameras, one link that moves, one edge core                    virtual time
                          v
                       verdicts     accuracy in time by method and number of cameras; who carries how many

The edge is the product's `EdgeQueue` with its admission; what a camera believes of link and edge is the product's
`LinkFollower`, and it chooses by the product's planner, whatever its method is: methods differ in what they may choose
from and in nothing else. `parameters` holds every number that was fixed before anything was run.
"""
