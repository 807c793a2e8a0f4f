"""The demo's report, as one page that opens from disk."""
