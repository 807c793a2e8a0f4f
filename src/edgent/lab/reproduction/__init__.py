"""What a figure is, its parts on disk, and its drawing."""
