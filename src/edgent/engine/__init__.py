"""Who runs a segment: ONNX Runtime, or OpenVINO. Each is known to one file, and to nobody else.

`engine` is all that other rooms know of them; `onnxruntime` and `openvino` fulfil it, and keep what they have built in
`kept_sessions`. `loading` opens a model; `guarded_loading` opens one that nobody vouches for, and tries it before in a
process of its own (`trial`). What a run is given is read by `input_files` and `jpeg_stream`, held by `material`, and
made to fit by `sizing`, `feeds` and `text`. `overtime` ends a run that would not end by itself; `pace` lets this
machine take as long as a slower one would.
"""
