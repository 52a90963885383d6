"""The conformance kit: cases as data, a server that a case scripts, and the comparison.

`tools/conformance.py` runs it with a client of any language; `docs/conformance.md` is its contract.
"""
