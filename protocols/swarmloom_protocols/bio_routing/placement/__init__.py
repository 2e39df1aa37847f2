"""Where things live, and which link is best: consistent hashing and prediction of link quality."""
