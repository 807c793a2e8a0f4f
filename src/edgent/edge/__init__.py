"""The edge: queues and computes what devices ask for.

    message -> service -> queue_threads --(its turn)--> job: decode, run, encode -> answer
                              |
                            queue       pure: who is next, who has waited too long, who is turned away
                              |
                            admission   pure: who can be in time, by what work takes now

The caller's remaining budget comes with its message. A request that cannot be in time is refused when it comes, and one
whose budget has run out in the queue, or whose caller has left, is not computed.
"""
