"""Upkeep of `resources/` and of what is written from it, by hand: no stage and no rule imports this."""
