"""Ledger: every decision of a measurement on disk, and two measurements compared."""
