"""Stores: where a central's objects lie - a folder, or any S3-compatible store."""
