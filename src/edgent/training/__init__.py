"""Networks from scratch, and exits and whole numbers for networks of others.

Only this folder imports PyTorch (the extra `train`), and of it only what trains: `b_alexnet/`, and `exits/fitting.py`.
"""
