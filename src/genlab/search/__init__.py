"""A search: a sweep whose values Optuna chooses."""
