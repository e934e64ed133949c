"""A result on one page: self-contained HTML with inline SVG, no script, nothing loaded from elsewhere."""
