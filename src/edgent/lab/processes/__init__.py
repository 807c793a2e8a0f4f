"""Device, link and edge as processes of their own."""
