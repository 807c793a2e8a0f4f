"""The order of a graph's nodes: each after those whose tensors it reads, as ONNX asks.

Some converters to half precision append their casts at the end of the list, where ONNX Runtime still finds them. All
that walks a graph here goes by the list.
"""

from __future__ import annotations

import heapq

import onnx

from edgent.model.shapes import subgraph_reads


def put_in_order(graph: onnx.GraphProto) -> None:
    """Sorts the nodes where their order is not one; nodes that wait for nothing keep theirs.

    Those of a circle, and what waits for them, stay at the end: the file is then refused as any other of that kind.
    """
    order = _order([({*subgraph_reads(node)}, {*node.output}) for node in graph.node])
    if order == sorted(order):
        return
    # Kahn, Topological sorting of large networks (1962); protobuf moves no messages, so they are copied once.
    nodes = [onnx.NodeProto.FromString(graph.node[place].SerializeToString()) for place in order]
    del graph.node[:]
    graph.node.extend(nodes)


def _order(nodes: list[tuple[set[str], set[str]]]) -> list[int]:
    """Places of nodes, of which each reads some names and makes some."""
    maker = {name: place for place, (_, writes) in enumerate(nodes) for name in writes if name}
    before = [{maker[name] for name in reads if name in maker} for reads, _ in nodes]
    after: list[list[int]] = [[] for _ in nodes]
    for place, makers in enumerate(before):
        for other in makers:
            after[other].append(place)
    left = [len(makers) for makers in before]
    # Of those that are ready the first of the list: one that is in order already stays so, in linear time.
    ready = [place for place, count in enumerate(left) if not count]
    order: list[int] = []
    while ready:
        place = heapq.heappop(ready)
        order.append(place)
        for other in after[place]:
            left[other] -= 1
            if not left[other]:
                heapq.heappush(ready, other)
    return order + [place for place, count in enumerate(left) if count]
