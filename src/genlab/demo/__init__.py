"""A page in the browser to play with runs."""
