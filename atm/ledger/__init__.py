"""Account maths: margin, leverage brackets, liquidation, funding, commission: numba kernels, each formula with its source."""
