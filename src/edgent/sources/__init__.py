"""WHERE FRAMES COME FROM: cameras, streams, videos, watched folders and standard input, which come back by themselves.

Each *source* is opened and read in a thread of its own (`feed`), and hands over what it captures at once; whether that
is ever answered is decided where it is handed to, so no source waits for an answer. ::

    "yard=rtsp://10.0.0.9/1"  -- source_text -->  a source: `pictures()` opens it, and yields what gives a picture
                                    feed     -->  frames: with their moment and number, no more a second than wanted

What a source yields is not a picture but what *gives* one when it is called: a frame that is replaced before its turn
is never converted, cut out or encoded. Pictures are handed over as JPEG, which is what a motion JPEG camera sends
already, and what the device, its codecs, sinks and pages take.

A source that ends or breaks is opened again after a while that grows (`retry`), and that is said once, in a line; so is
one that is open and silent. The others go on meanwhile.
"""
