"""What commands do to their terminal and to this process: tables, progress, streams, memory."""
