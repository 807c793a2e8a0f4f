"""The connection to an edge: made, kept up, measured, and made again after an outage.

`connection` does what `upkeep` says (a pure state machine: connect, check, seek, probe, measure, or wait until then) on
a thread of its own, and carries each request's message. Probes are sent by `prober`, in sizes that `probing` decides,
as far as `probe_account` has room for them. What any exchange tells goes through `observations` to `link_follower`,
which keeps a `link_direction` for each way. A device that does not come back after an outage: look in `upkeep` for when
it tries, in `connection` for what it does then, in `prober` for how it seeks the edge, in `handshake` for what the edge
must say.
"""
