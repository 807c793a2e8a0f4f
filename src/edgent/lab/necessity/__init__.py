"""Where each knob is needed: `edgent reproduce necessity necessity-224`.

The grid is a file of its own, committed before its run and told by its digest. Each cell is computed from measured
parts by the regime oracle, with every knob and without each; a seeded share of the cells is run live. On 224 x 224
networks the devices' times are predicted, and what is assumed stands in the grid.
"""
