"""Who chooses the plan of a request: the planner, the controller of a moving link, or a configuration map."""
