"""Commands that measure a model on pictures: how right it is, and when an early answer is good enough."""
