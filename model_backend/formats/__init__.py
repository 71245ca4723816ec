"""Messages to tokens and back, for each family of models."""
