"""Market analyses: indicator kernels, PIP, the analysis pipeline and the analyzer process.

The face: `AnalysisPipeline` turns one-minute bars into an `AnalysisTable`, the same bits in batch, live and preview.
`Indicator` and `Registry` are the door for indicators; `warm_up.warm_up` compiles all kernels; `process.run` is the process.
"""

from __future__ import annotations

from atm.analyzers.contract import Indicator, Registry
from atm.analyzers.pipeline import AnalysisPipeline
from atm.analyzers.table import AnalysisRowValue, AnalysisTable

__all__ = ["AnalysisPipeline", "AnalysisRowValue", "AnalysisTable", "Indicator", "Registry"]
