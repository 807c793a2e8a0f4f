"""Networks from scratch and published ones trained further; exits and whole numbers for networks of others.

Only this folder imports PyTorch (the extra `train`), and of it only what trains: `b_alexnet/`, `finetuning/`,
`checkpoints.py` and `exits/fitting.py`.
"""
