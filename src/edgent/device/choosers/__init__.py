"""Who chooses the plan of a request: the planner, the controller of a moving link, or a configuration map.

All fulfil `chooser.Chooser`: they are told every transfer, and asked for a plan. `Static` takes the link as the last
transfer found it, `Dynamic` as a distribution that the transfers so far make likely, `Mapped` looks the plan up.
"""
