"""Statistics of simulations, by subject: equity curve, round trips, the path between fills, reports, significance."""
