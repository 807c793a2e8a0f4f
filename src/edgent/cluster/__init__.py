"""Past one machine: the edge's door stays where it is, and Ray Serve computes behind it.

::

    device --> door: limits, TLS, admission, queue (edgent.edge)        one machine, the one that devices know
                 |
              executor        sends a message to where its model is; again, if whoever had it died
                 |
              ray_serve       a deployment per model; as many replicas as are busy      the only file that knows Ray
                 |
              replica         decode, run, encode: an edge without a door               any machine of the cluster
                 |
              model_copy      the model's files, by value: a replica's machine may never have seen them

The door's queue has a slot for each replica, so that what waits, waits where the earliest deadline goes first and where
it can still be refused; Ray's own queues stay empty. To answer a request twice does no harm, so one whose replica died
is asked again for as long as its budget lasts.

A replica knows each segment by its name, which is Ray's *multiplexed model id*: a request goes to a replica that has
the session warm. What devices prepare is made on all replicas within seconds, and on those that start later before they
serve.
"""
