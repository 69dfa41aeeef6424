"""Ledger: every decision of a measurement on disk."""
