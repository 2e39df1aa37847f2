"""Models of how opinions move, the clusters they form, and the shape of landscapes."""
