"""Market analyses: indicator kernels, PIP, the analysis pipeline and the analyzer process."""
