"""The device: answers requests within a deadline, with the edge when that is better, by itself when it must.

One request, from top to bottom; what stands on the right goes on beside the requests, in threads of its own::

    device.infer(data)                                        connection/   keeps the edge: connects, checks, probes
      |                                                         |           what each message told of the link
      |  plan_source   which configuration, under the           v
      |                conditions as they seem now  <------  link follower, drift
      |  division      what each side computes of it
      |  request       the race: what to do next             warm_sessions  readies the sessions of a new plan
      |  execution     does what the request says                           before a request needs them
      |    compute       prepare, head, encode ...
      |    connection    ... uplink, middle, downlink ...
      |    compute       ... decode, suffix
      v
    answer             outputs, and the record of what happened

Deciding and doing are apart. `request` and `schedule` are pure: events and the time go in, the next action comes out,
so tests drive in virtual time the very objects that a live device runs. `execution` is the only file with the threads
of a request: it carries events to the request and does what that says. What a device is told stands in one value,
`settings`.


The theory of a request
=======================

A plan says what the edge is to compute, and a prediction says that it will be in time. A prediction can be wrong: the
link may slow down or break after the upload began. The device must answer all the same, so beside every plan that needs
the edge stands a *local branch*: an exit that the device can reach by itself from what the head left. Two ways to an
answer then race, and one rule decides: the edge's answer wins if it comes before anything was delivered, because the
planner chose it as the better one. ::

    time  0            h                          b                 d - margin   d
          |            |                          |                     |        |
    device [  head    ]|                          [    local branch    ]|        |
    link               [ uplink ]      [ downlink ]                     |        |
    edge                         [middle]                               |        |
          |            |                          |                     |        |
          started      sent                       the local branch      |        deadline
                                                  begins if no answer   |
                                                  has come by now       what is at hand is delivered

    edge answers before b            its answer; the local branch never begins
    edge answers between b, d-margin its answer; what the device computes meanwhile is thrown away
    edge fails or says no            the local branch begins at once, and says why in the record
    edge is late                     the local branch has begun at b; at d - margin its answer is delivered
    nothing is at hand at d - margin whatever comes first, late: no request ends without an answer

*When it begins.* The local branch begins as late as it may, at b = d - margin - its time: each moment that it waits is
one in which the edge may still answer and save the device the work. The margin pays for a thread that wakes late, and
for what the branch takes longer than expected; where such work was seen to stray by more than that, b is the earlier.
Which branch it is depends on the time left: the most accurate one that is done by d - margin, else the fastest of all.

*What the edge may cost.* The message carries the *budget* of its answer, the time left until d - margin as long as a
local branch can take over then; so the edge does not compute what nobody will wait for, and the device's own thread is
free by then. Where no local branch can be in time anyway there is nothing to save, and the edge has as long as its plan
may reasonably take (`PATIENCE`): a late answer is better than a later one.

*Several requests* share one device, which has as many turns at once as its cores hold engines (an emulated one has a
single turn). If each request began its own branch at b, more would compute than there are turns for, and all be late.
So each reserves a turn (`schedule`): turns follow one another, the latest due the latest, and a turn whose edge answers
is given back. A request that cannot have a turn in time takes a faster branch, or one that is late in order to keep the
others in time.

*Whose fault it was.* An edge that is lost, late or busy says nothing about the plan: the link's belief and the queue
take it in, and the next request may choose the same. A message that the edge cannot compute or the device cannot read
would fail again: then that configuration is not chosen again for this edge, if the device by itself could answer the
same input (else the input is at fault).

The states of a request, and the events that lead from one to the next, are drawn at the head of `request`.


How it is built
===============

All of it is built in one order, each from what was there before: compute and divisions, the connection, warm sessions,
the plan source; only then does the connection's thread start, on behalf of the plan source. What a request sees of the
edge is one value, a *sight* (`connection/sight.py`), taken under one lock: the state of the connection, the link as it
seems, and what was learned of that since the last look.
"""
