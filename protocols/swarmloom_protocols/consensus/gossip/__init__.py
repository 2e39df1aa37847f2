"""Agreement by hearsay: rumours, averages, and how long they take on which network."""
