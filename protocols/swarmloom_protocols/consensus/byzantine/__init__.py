"""Agreement on a value between processes of which some may lie."""
