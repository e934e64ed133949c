"""Stores: bars in Parquet, everything else in a relational database."""
