"""Algorithms 1 to 3 as the paper prints them.

E. Li, L. Zeng, Z. Zhou, X. Chen, "Edge AI: On-Demand Accelerating Deep Neural Network Inference via Edge Computing",
IEEE Transactions on Wireless Communications, 2020 (arXiv 1910.05316).

The paper knows two settings, the *exit* i (right-sizing) and the *partition point* p (partitioning), and plans in two
environments::

    offline    profile layers, fit a regression for each layer type and machine
                 |                                     |
                 |                                     +--> Algorithm 2: for each bandwidth state, the pair (i, p) of
                 v                                          the highest reward, kept as the configuration map
    online     static environment                           |
               Algorithm 1: from the longest branch down,   v
               the best p; the first that is in time      dynamic environment
                                                          Algorithm 3: a change-point detector follows the bandwidth;
                                                          where the state changes, the map is looked up

The latency of a pair, with ES_j and ED_j the times of layer j on edge and device, D_j its output and B the bandwidth:

    A(i, p) = sum_{j < p} ES_j + sum_{j >= p} ED_j + Input / B + D_{p-1} / B

The edge comes first: it runs layers 1 .. p - 1, and the device the rest. There is one bandwidth for both directions,
and no round trip, queue or encoding.

Algorithms 1 and 2 are references, to be read beside the paper and to test against; Algorithm 3 also runs on a device
that is given a map (`edgent.device.choosers.mapped`). What else runs is one room up: `planner` for the static
environment, `controller` for the dynamic one, `configuration_map` for maps. They know two cuts, codecs, unequal
directions, and spread. Where a file departs from the paper, a line that begins with "Deviation:" says why.
"""
