"""Networks: links with capacities, routes over them, traffic and packets."""
