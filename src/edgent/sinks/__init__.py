"""WHERE EVENTS GO: files, a broker, a web server; what cannot be delivered waits on disk, and is delivered later.

::

    Event --tell--> SinkFan                 returns at once; a thread of its own writes each event as one line
                       |
                       +--> Outbox          a sink's own: SQLite, bounded by count and bytes, the oldest dropped first
                       |       |
                       |    SinkDelivery    a thread a sink: the oldest first, tried again until it is taken
                       |       |
                       |      Sink          a file, a folder, a broker, a web server
                       |
                       +--> the same of the next sink, which waits for none of the others

Every event is in its outbox before its sink is asked, and leaves it after the sink has said that it has it. So none is
lost where a sink, or this process, fails in between, and such an event is delivered again: at least once, with its id.
"""
