"""The machine that is measured on: what it is, what it can, what it uses."""
