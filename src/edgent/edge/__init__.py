"""The edge: queues and computes what devices ask for.

    message -> service -> queue_threads --(its turn)--> job: decode, run, encode -> answer
                              |
                            queue    pure: who is next, who has waited too long, who is turned away

The caller's remaining budget comes with its message; a request whose budget has run out in the queue is not computed.
"""
