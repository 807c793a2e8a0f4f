"""The device: answers requests within a deadline, with the edge when that is better, by itself when it must."""
