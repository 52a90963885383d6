"""Who decides: `morph` over HTTP, `local` embedded."""
