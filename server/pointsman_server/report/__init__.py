"""What the decision log adds up to: lines, sums, figures, and those as text or as JSON."""
