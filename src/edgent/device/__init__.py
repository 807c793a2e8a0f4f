"""The device: answers requests within a deadline, with the edge when that is better, by itself when it must.

One request, from top to bottom; what stands on the right goes on beside the requests, in threads of its own::

    device.infer(input)                                       connection/   keeps the edge: connects, checks, probes
      |                                                         |           what each message told of the link
      |  plan_source   which configuration, under the           v
      |                conditions as they seem now  <------  link state, drift
      |  division      what each side computes of it
      |  request       the race: what to do next             warm_sessions  readies the sessions of a new plan
      |  execution     does what the request says                           before a request needs them
      |    compute       prepare, head, encode ...
      |    connection    ... uplink, middle, downlink ...
      |    compute       ... decode, suffix
      v
    answer             outputs, and the record of what happened

Deciding and doing are apart. `request` and `schedule` are pure: events and the time go in, the next action comes out,
so a live run and a simulation in virtual time drive the same objects. `execution` is the only file with the threads of
a request: it carries events to the request and does what that says. A plan that needs the edge always has a *local
branch* beside it, which starts by itself when the edge is late: that is why an edge that dies costs no answer.

All of it is built in one order, each from what was there before: compute and divisions, the connection, warm sessions,
the plan source; only then does the connection's thread start, on behalf of the plan source. What a request sees of the
edge is one value, a *sight* (`connection/sight.py`), taken under one lock: the state of the connection, the link as it
seems, and what was learned of that since the last look.
"""
