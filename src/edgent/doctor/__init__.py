"""What a machine and a link have, what costs time or is missing, and the command that mends it."""
