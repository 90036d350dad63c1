"""The study verifies itself: mass balance, solver tolerances, closed forms, and the sums of every twin's body."""
