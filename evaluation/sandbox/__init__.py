"""Where model-written code runs, and how its judge talks with it."""
