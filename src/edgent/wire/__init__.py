"""How device and edge talk: messages, tensors, errors, and the transport that carries them."""
