"""Exits for a network that somebody else has trained.

    model, pictures -> choosing.py   places.py: where one map of features crosses alone
                                     search.py: which of them win the most accuracy for each operation
                    -> survey.py     what the network makes of views.py of the pictures, computed once, on disk
                    -> fitting.py    twigs.py, taught in PyTorch (the only file here that imports it)
                    -> add_exits.py  temperatures, and what the exits are worth on pictures held back
                    -> graft.py      the old file with new outputs; the old one is the same to the bit

All but `fitting.py` is known without PyTorch; `lesson.py` is what stands between. A run that ends early goes on from
`work_folder.py`.
"""
