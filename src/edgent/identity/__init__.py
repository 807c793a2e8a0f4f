"""WHO IS WHO: an edge's own authority, the devices that joined it, and the certificates by which both are known.

An edge that listens beyond its own machine makes an *authority* at its first start: a key that signs certificates, and
that nobody outside this edge has to know or to trust. A device *joins* once, with a *token* that the edge's owner hands
over. The token carries two things: the fingerprint of the authority, by which the device knows that it speaks to the
right edge before it says anything, and a secret, by which the edge knows that its owner sent the device.

::

    device                                               edge, on its port for joining
      |-- TLS, the peer not known yet --------------------->|
      |<-- the authority's certificate ---------------------|     is its fingerprint the token's? else stop here
      |-- TLS anew, by that authority alone ---------------->|
      |-- secret, name, request for a certificate ---------->|    is the secret good, and not used up?
      |<-- certificate by that name, for 90 days -----------|

From then on both sides show a certificate whenever they connect (mutual TLS), and the device asks for a new one, by the
one it has, when a third of its time is left. The private keys never leave the machine on which they were made.

`certificates` makes and reads them, `token` is what an owner hands over, `register` is the edge's list of tokens and
devices, `joined` is what a device keeps, and `join_server` and `join` are the two ends of the picture above.
"""
