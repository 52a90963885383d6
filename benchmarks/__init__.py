"""Programs that measure the bars; `python -m benchmarks` runs them."""
