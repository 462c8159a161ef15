# SPDX-License-Identifier: EUPL-1.2
"""What differs between two sets of rules. Read `diff.py` first.

domain, variations, contents   every exchange that either set could decide otherwise, as real requests
outcomes, verdict              deciding them under both, and whether more passes or less
edits, catalog_changes, words  which edits of the rules bring that about, in legal words
report                         the result as plain data
"""
