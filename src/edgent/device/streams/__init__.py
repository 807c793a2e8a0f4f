"""Streams of frames: several under way at once, the newest first, and each answered within its deadline or counted.

A stream stands *before* `Device.infer` and changes nothing of it: each frame is one request, planned, raced and
recorded like any other. What is decided here is which frame goes next, and when. ::

    source ---> [ one place for each source ] ---> under way: Device.infer, in threads ---> told, one by one
                  a newer frame takes the           as many as pay, no closer together
                  place of one that waits           than the slowest stage takes

The theory of frames in flight
==============================

A frame passes through stages: the device's work, the uplink, the edge, the downlink. Each serves one frame at a time,
so no stream is faster than its slowest stage, and one frame at a time is slower than that by all the other stages::

    one at a time    device [a]         [b]              in flight    device [a][b][c]
                     link      [ a  ]      [ b  ]                     link      [ a  ][ b  ][ c  ]
                     edge            [a]         [b]                  edge            [a]   [b]   [c]

As with a window of TCP, the slowest stage never idles where `total / slowest` frames are under way; each one more
would only wait. Both are the planner's own predictions for the plan that runs, so the device alone gets one frame for
each of its turns, and an edge behind a long way gets many (`edgent.device.streams.flow`). And frames begin one
after the other, an interval apart: frames that begin together share the link, are slow together, end together, and
begin together again, with the link at rest in between.

*Newest wins.* A frame waits for its turn in the one place that its source has; a newer one takes that place, and the
one before is told as replaced. So what is answered is fresh, memory has a bound, and a source never waits. Who feeds a
list of pictures instead of a camera waits for the place (`FrameStream.put`), and none is replaced. Such a frame
*keeps*: it is as old as its turn, however long it waited.

*Behind a silent edge* the device stands in, and one branch that ends late would make the next frame late, which makes
the one behind it late, for as long as the edge is silent. So while it stands in, a frame begins only where the device
can promise it an answer, behind all that it has promised (`edgent.device.streams.openings`): else it waits, and is
replaced. While the edge is in time nobody asks: far more frames are under way then than the device could stand in for.

*Nothing old is answered as new.* A frame that has waited longer than its deadline is not asked about; an answer that
is taken later than its deadline says that it was late.

*Refining.* Where the device has answered, and the edge is expected to have something better within a stated age, it is
asked as well, when that takes nothing from the frames that come (`edgent.device.streams.refining`).
"""
