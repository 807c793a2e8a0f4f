"""The connection to an edge: kept up, measured, and what is believed of its link."""
