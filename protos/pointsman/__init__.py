"""The wire contract of Pointsman: generated messages and stubs, nothing else."""
