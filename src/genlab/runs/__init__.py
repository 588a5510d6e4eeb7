"""What the entry scripts do: build from a configuration, train, evaluate, sample; and the run folder."""
