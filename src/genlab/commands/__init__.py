"""What the entry scripts do: one module a script, and what they share."""
