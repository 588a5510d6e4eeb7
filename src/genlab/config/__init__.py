"""From the command line and YAML to checked values and objects; errors in one sentence."""
