"""CrewAI: drop-in coordination, experts, executor and the swarm manager."""
