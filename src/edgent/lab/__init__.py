"""The laboratory: links and devices that are emulated, and what a user would do without Edgent.

`links` carry bytes no faster than a link of some rate, `boards` compute no faster than a slow device, and `processes`
are the device, the edge and what lies between, each apart from the others. `rivals` do without Edgent. With these,
`figures` reproduce the paper and `necessity` says where each setting of a plan is needed; `reproduction` keeps their
parts and draws them, and `catalogue` lists them for `edgent reproduce`.
"""
