"""What a user would do instead, and detectors by others, to be measured beside."""
