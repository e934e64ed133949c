"""The eleven pages, one file each."""
