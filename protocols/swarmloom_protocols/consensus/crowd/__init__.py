"""Truth inference on sparse votes: what is right when workers disagree and nobody knows."""
