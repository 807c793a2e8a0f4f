"""WHAT IS SEEN as it runs: the live page of a device or an edge, `/metrics`, and `POST /predict`.

::

    events, records --> DeviceView --+
                                     +--> a document --> stream.py --> the browsers that look
    counters, queue --> EdgeView  ---+
                                     +--> metrics.py --> Prometheus

A *view* is what is shown, and all that is kept for it: a bounded history and counts, in memory. It is told events in
microseconds, and nothing more happens while nobody looks. Who looks is sent the whole document once, and twice a second
what is new since; the same bytes go to all who are at the same place. A browser that is slow is sent less often, so
nothing waits for it.

The page only reads. It is served to this machine alone, or over TLS to who has the password or has joined (`access`);
what comes from a browser is checked before it is looked at (`guard`).
"""
