"""Studies simulated: questions, structures compiled once, equal solves done once, shards."""
