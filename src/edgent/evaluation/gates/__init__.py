"""Which answers of a small network are good enough, and what two networks know together: measured, with a promise."""
