"""WHERE IT TOUCHES THE WORLD: engines, profiling, the wire, device and edge."""
