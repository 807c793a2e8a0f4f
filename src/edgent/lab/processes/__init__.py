"""Device, link and edge as processes of their own.

Every one of them is a `ChildProcess`. It takes orders, JSON documents on its stdin, and answers each with one on its
stdout; `Orders` is its end of that. When its stdin ends, because its owner stopped it or is gone, so does it.
"""
