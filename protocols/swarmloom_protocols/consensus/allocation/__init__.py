"""Who takes what: auctions, bundle bidding, market prices, clusters of experts, balanced load."""
