"""FRIGATE'S DETECTOR: a device answers what Frigate's ZMQ plugin asks, and always within the time that it waits.

::

    Frigate, one REQ socket a detector                        this endpoint, a ROUTER socket
      |-- {"model_request": true, "model_name": ...} ----------->|   newer ones: at start, and after each time-out
      |<-- {"model_available": true, "model_loaded": true} ------|
      |                                                          |
      |-- {"shape": [1, 320, 320, 3], "dtype": "uint8", ...} --->|--> a thread: device.infer, the edge or the board
      |   and the tensor's bytes                                 |         |
      |<-- {"shape": [20, 6], "dtype": "float32"} and 480 bytes -|<--------+   or zeros, when Frigate would give up

A row is class, confidence, and top, left, bottom, right as parts of the picture's height and width. The best row comes
first, and rows of zeros end the list. Whoever asks has one question open at a time. After its time-out (200 ms) Frigate
reports *nothing seen*; a newer one then asks for the model again, which costs it another round trip.

Two bounds keep that from happening. The device has a deadline (120 ms), by which it answers by itself where the edge is
late; and whatever it does, a question that is open after one and a half of that (180 ms) is answered with zeros.

`messages` reads and writes the bytes, `open_questions` knows what is open and until when, and `endpoint` has the
socket and the threads.
"""
