"""The engines: `morph` over HTTP, `local` embedded."""
