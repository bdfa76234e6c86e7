"""What the window brings and what it costs, measured."""
