"""What may come next: JSON Schemas as grammars, and the masks that enforce them."""
