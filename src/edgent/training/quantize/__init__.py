"""A network in whole numbers of eight bits, by ONNX Runtime's own tools, and what that changes: measured in pairs.

model, pictures -> integers.py   the file prepared, the ranges of its tensors on the pictures, the quantised file
                -> pairs.py      accuracy and time of both files, on the same pictures and in the same rounds
                -> quantize.py   the steps in their order, and the file with its accuracies in it
"""
