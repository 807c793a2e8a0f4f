"""Commands that make models: from scratch, and out of models of others."""
