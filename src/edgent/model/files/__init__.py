"""From an untrusted file to a checked graph, its constants, and its identity (digest).

`named` finds the files that a user means. `formats` refuses what is no ONNX file, `read` checks what is one, `bounds`
and `external` say how large it may be and where its weights may lie. `gather` brings constants of every kind
(`constants`) into one form, `weights` writes them to the disk once, and `identity` says what makes two models the same.
Several files are a bundle: `bundle` joins them, `manifest` and `partial` are for a device that has only some of them.
"""
