"""SPANS for OpenTelemetry: where a request's time went, on the device and on its edge, under one trace.

::

    infer ---------------------------------------------------   the device's, made of the record of its answer
      prepare  head  encode  uplink  queue  middle  downlink  suffix
      infer ---------                                           the edge's, made of what it notes beside its answer
        queue  middle

All that a request carries is its context, by which the edge's spans find their parent. On a request's path nothing is
made but that context; when the answer has been given, what is known of it is put into a queue that never waits. Another
thread makes spans of it and sends them on. Where they are not taken they are dropped, and that is said once.

Each side dates its spans by its own clock: where the two differ, the edge's spans are shifted, not longer or shorter.
"""
