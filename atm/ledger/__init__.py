"""Account maths: margin, leverage brackets, liquidation, funding, commission. Pure numba kernels, each formula with its source."""
