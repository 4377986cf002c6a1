"""Jobs: their states, their transitions, and the tables that they stand in."""
